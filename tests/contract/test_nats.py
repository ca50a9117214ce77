"""The NATS JetStream adapter keeps the contract, but for what it declares that it cannot do."""

from hashlib import sha256

import pytest

from evstore.adapters.nats import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract

pytestmark = pytest.mark.long("one replica makes a folder for each batch: two minutes")


class TestNats(AdapterContract, ModelContract):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, nats_server):
        self.server = nats_server
        self.names = set()
        yield
        self.server.drop(self.names)

    def name(self, tmp_path):
        name = f"T{sha256(str(tmp_path).encode()).hexdigest()[:20]}"
        self.names.add(name)
        return name

    def open(self, tmp_path):
        return connect(self.server.place(self.name(tmp_path)))

    def reopen(self, tmp_path):
        return connect(self.server.place(self.name(tmp_path)))

    def occupy(self, tmp_path):
        name = self.name(tmp_path)
        self.server.ask(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.letters"]})
        self.server.publish(f"{name}.letters", b"not an event")

        def described():
            info = self.server.ask(f"STREAM.INFO.{name}")
            bucket = self.server.ask(f"STREAM.INFO.KV_{name}_evstore")
            return info["config"], info["state"], bucket.get("error")

        return described
