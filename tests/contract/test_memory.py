"""The reference adapter keeps the contract that it is the reference of."""

from evstore.adapters.memory import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


class TestMemory(AdapterContract, ModelContract):
    def open(self, tmp_path):
        return connect("memory:")
