"""39,140 events of a real repository's history go in as one append and come out unchanged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.command import Command

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
