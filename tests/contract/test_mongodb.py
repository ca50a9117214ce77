"""The MongoDB adapter keeps the contract, but for what it declares that it cannot do."""

from hashlib import sha256

import pytest
from hypothesis import settings

from evstore.adapters.mongodb import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract

pytestmark = pytest.mark.long("a server without an index for reads takes minutes")


class TestMongo(AdapterContract, ModelContract):
    histories = settings(ModelContract.histories, max_examples=5)  # each reads many documents

    @pytest.fixture(autouse=True)
    def _on_a_server(self, mongo_server):
        self.server = mongo_server
        yield
        self.server.drop_places()

    def place(self, tmp_path):
        return self.server.place(f"T{sha256(str(tmp_path).encode()).hexdigest()[:20]}")

    def open(self, tmp_path):
        return connect(self.place(tmp_path))

    def reopen(self, tmp_path):
        return connect(self.place(tmp_path))

    def occupy(self, tmp_path):
        name = self.place(tmp_path).rpartition("/")[2]
        with self.server.client() as client:
            client[name]["letters"].insert_one({"_id": "first", "text": "not an event"})

        def described():
            with self.server.client() as client:
                there = client[name]
                return sorted((each, [*there[each].find()]) for each in there.list_collection_names())

        return described
