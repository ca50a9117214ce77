"""The reference adapter keeps the contract that it is the reference of."""

from evstore.adapters.memory import connect
from evstore.testing import BORN_INITIALIZED, AdapterContract
from evstore.testing.machine import ModelContract


class TestMemory(AdapterContract, ModelContract):
    capabilities = frozenset({BORN_INITIALIZED})

    def open(self, tmp_path):
        return connect("memory:")
