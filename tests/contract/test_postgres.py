"""The PostgreSQL adapter keeps the contract, on every server there is."""

import psycopg
import pytest
from hypothesis import settings

from evstore.adapters.postgres import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract
from tests.support.places import lose_in_postgres, occupy_postgres


class TestPostgres(AdapterContract, ModelContract):
    # Another run draws others, and so does the other version.
    histories = settings(ModelContract.histories, max_examples=10)

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
        lose_in_postgres(self.server, self.schema(tmp_path), what, name)

    def occupy(self, tmp_path):
        return occupy_postgres(self.server, self.schema(tmp_path))
