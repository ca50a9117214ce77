"""The NATS JetStream adapter keeps the contract, but for what it declares that it cannot do."""

import pytest
from hypothesis import settings

from evstore.adapters.nats import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract
from tests.support.places import nats_name, occupy_nats

pytestmark = pytest.mark.long("one replica makes a folder for each batch")


class TestNats(AdapterContract, ModelContract):
    histories = settings(ModelContract.histories, max_examples=10)  # each has streams of its own to make

    @pytest.fixture(autouse=True)
    def _on_a_server(self, nats_server):
        self.server = nats_server
        self.names = set()
        yield
        self.server.drop(self.names)

    def open(self, tmp_path):
        name = nats_name(tmp_path)
        self.names.add(name)
        return connect(self.server.place(name))

    def reopen(self, tmp_path):
        return self.open(tmp_path)

    def occupy(self, tmp_path):
        return occupy_nats(self.server, nats_name(tmp_path))
