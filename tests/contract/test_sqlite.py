"""The SQLite adapter keeps the contract."""

import sqlite3
from contextlib import closing

import pytest

from evstore.adapters.sqlite import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


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
        table, column = {"type": ("types", "name"), "stream": ("streams", "stream_id")}[what]
        with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as connection:
            ((trigger, text),) = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE name = ?", [f"{table}_are_not_deleted"]
            )
            connection.execute(f"DROP TRIGGER {trigger}")
            assert connection.execute(f"DELETE FROM {table} WHERE {column} = ?", [name]).rowcount == 1
            connection.execute(text)

    def occupy(self, tmp_path):
        (tmp_path / "events.db").write_text("Letters, not events.\n" * 100)
        return lambda: {path.name: path.read_bytes() for path in tmp_path.iterdir()}
