"""The PostgreSQL adapter keeps the contract, on every server there is."""

import psycopg
import pytest

from evstore.adapters.postgres import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


class TestPostgres(AdapterContract, ModelContract):
    @pytest.fixture(autouse=True)
    def _on_a_server(self, server, tmp_path, request):
        self.server, self.made = server, {}
        if "adapter" not in request.fixturenames:
            yield
            return
        with server.emptied.lent() as schema:  # what makes its store finds it made
            self.made[tmp_path] = schema
            yield

    def schema(self, tmp_path):
        return self.made.get(tmp_path) or self.server.schema(tmp_path)

    def open(self, tmp_path):
        return connect(self.server.url(self.schema(tmp_path)))

    def reopen(self, tmp_path):
        return connect(self.server.url(self.schema(tmp_path)))

    def connect(self, tmp_path):
        return psycopg.connect(self.server.url())

    def lose(self, tmp_path, what, name):
        table, column = {"type": ("types", "name"), "stream": ("streams", "stream_id")}[what]
        place = f"{self.schema(tmp_path)}.{table}"
        self.server.execute(f"ALTER TABLE {place} DISABLE TRIGGER ALL")
        assert self.server.execute(f"DELETE FROM {place} WHERE {column} = %s RETURNING 1", name) == [(1,)]
        self.server.execute(f"ALTER TABLE {place} ENABLE TRIGGER ALL")

    def occupy(self, tmp_path):
        schema = self.schema(tmp_path)
        self.server.execute(f"CREATE SCHEMA {schema}")
        self.server.execute(f"CREATE TABLE {schema}.letters AS SELECT 'not an event' AS text")
        return lambda: self.server.execute(
            f"SELECT relname, (SELECT text FROM {schema}.letters) FROM pg_class"
            f" WHERE relnamespace = '{schema}'::regnamespace"
        )
