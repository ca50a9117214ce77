"""39,140 events of a real repository's history go in as one append and come out unchanged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.command import Command
    from tests.support.servers import Server

DATA = Path(__file__).parents[4] / "shared" / "data" / "git-history.ndjson.gz"


@pytest.mark.skipif(not DATA.exists(), reason="the recorded history is not beside this checkout")
def test_a_large_append_is_one_and_its_payloads_come_back_as_they_were(store: Command) -> None:
    given = gzip.decompress(DATA.read_bytes())
    receipt = json.loads(store.ok("append", "--many", "-", stdin=given).out)
    assert receipt == {
        "streams": 12122, "count": 39140, "firstGlobalPosition": 1, "globalPosition": 39140, "duplicate": False,
    }  # fmt: skip
    out = store.ok("replay", "--all").out
    lines = out.splitlines()
    for position, (before, after) in enumerate(zip(given.splitlines(), lines, strict=True), 1):
        _, _, data = before.partition(b'"data": ')
        assert after.partition(b'"data":')[2].startswith(data.partition(b', "metadata": ')[0] + b',"metadata":')
        assert json.loads(after)["globalPosition"] == position
    again = json.loads(store.ok("append", "--many", "-", stdin=out).out)
    assert again == {**receipt, "duplicate": True}
    assert store.ok("replay", "--all").out == out


@pytest.mark.skipif(not DATA.exists(), reason="the recorded history is not beside this checkout")
@pytest.mark.sqlite_only("PostgreSQL is where the log goes")
def test_a_tagged_log_goes_to_postgresql_and_back_unchanged(store: Command, server: Server) -> None:
    given = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    for number, event in enumerate(given):
        if number % 3:
            event["tags"] = [
                f"stream:{event['streamId'][:200].replace(' ', '_').replace(',', '_')}",
                f"n:{number % 7}",
            ]
    store.ok("append", "--many", "-", stdin="\n".join(map(json.dumps, given)).encode())
    first = store.ok("export").out
    assert first.count(b'"tags":[') == sum("tags" in event for event in given)
    there = server.place("tagged")
    for place in (there, "back.db"):
        store.ok("--db", place, "init")
    store.ok("--db", there, "import", "-", stdin=first)
    assert store.ok("--db", there, "verify").out == b""
    store.ok("--db", "back.db", "import", "-", stdin=store.ok("--db", there, "export").out)
    assert store.ok("--db", "back.db", "export").out == first
    assert store.ok("--db", "back.db", "tags").out == store.ok("--db", there, "tags").out
