"""The reference adapter keeps the contract that it is the reference of."""

from hypothesis import settings

from evstore.adapters.memory import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


class TestMemory(AdapterContract, ModelContract):
    histories = settings(ModelContract.histories, max_examples=3)  # it is compared with itself

    def open(self, tmp_path):
        return connect("memory:")
