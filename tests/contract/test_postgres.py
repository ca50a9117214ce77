"""The PostgreSQL adapter keeps the contract, on every server there is."""

import pytest

from evstore.adapters.postgres import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


class TestPostgres(AdapterContract, ModelContract):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, server):
        self.server = server

    def open(self, tmp_path):
        return connect(self.server.place(tmp_path))

    def reopen(self, tmp_path):
        return connect(self.server.place(tmp_path))

    def occupy(self, tmp_path):
        schema = self.server.schema(tmp_path)
        self.server.execute(f"CREATE SCHEMA {schema}")
        self.server.execute(f"CREATE TABLE {schema}.letters AS SELECT 'not an event' AS text")
        return lambda: self.server.execute(
            f"SELECT relname, (SELECT text FROM {schema}.letters) FROM pg_class"
            f" WHERE relnamespace = '{schema}'::regnamespace"
        )
