"""The adapter keeps the contract of `evstore.port`."""

from evstore_lines import LinesAdapter
from evstore_lines import connect as connect_lines

from evstore import connect
from evstore.testing import AdapterContract


class TestLines(AdapterContract):
    def open(self, tmp_path):
        return connect_lines(f"lines:{tmp_path}/log.ndjson")

    def reopen(self, tmp_path):
        return self.open(tmp_path)

    def occupy(self, tmp_path):
        path = tmp_path / "log.ndjson"
        path.write_text("Dear diary\n")
        return path.read_text


def test_the_url_finds_the_adapter(tmp_path):
    with connect(f"lines:{tmp_path}/log.ndjson") as store:
        store.initialize()
        assert store.capabilities == LinesAdapter.capabilities
