"""The SQLite adapter keeps the contract."""

import sqlite3

import pytest

from evstore.adapters.sqlite import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract
from tests.support.places import lose_in_sqlite, occupy_sqlite


class TestSqlite(AdapterContract, ModelContract):
    @pytest.fixture(autouse=True)
    def _made(self, tmp_path, empty_store, request):
        if "adapter" in request.fixturenames:  # what makes its store finds it made
            empty_store.copy_to(tmp_path / "events.db")

    def open(self, tmp_path):
        return connect(f"sqlite:{tmp_path}/events.db")

    def reopen(self, tmp_path):
        return connect(f"sqlite:{tmp_path}/events.db")

    def connect(self, tmp_path):
        return sqlite3.connect(tmp_path / "events.db")

    def lose(self, tmp_path, what, name):
        lose_in_sqlite(tmp_path, what, name)

    def occupy(self, tmp_path):
        return occupy_sqlite(tmp_path)
