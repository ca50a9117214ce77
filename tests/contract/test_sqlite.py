"""The SQLite adapter keeps the contract."""

from evstore.adapters.sqlite import connect
from evstore.testing import AdapterContract
from evstore.testing.machine import ModelContract


class TestSqlite(AdapterContract, ModelContract):
    def open(self, tmp_path):
        return connect(f"sqlite:{tmp_path}/events.db")

    def reopen(self, tmp_path):
        return connect(f"sqlite:{tmp_path}/events.db")

    def occupy(self, tmp_path):
        (tmp_path / "events.db").write_text("Letters, not events.\n" * 100)
        return lambda: {path.name: path.read_bytes() for path in tmp_path.iterdir()}
