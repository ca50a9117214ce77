"""The same appends leave the same store, to the byte of what is printed, in SQLite and in PostgreSQL."""

from __future__ import annotations

import gzip
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evstore import connect
from evstore.adapters import open_adapter
from evstore.testing import variety
from evstore.testing.asking import accepted, everything, log
from evstore.testing.builders import an_append, an_event
from evstore.testing.clauses.exactness import DATA, METADATA, NAMES
from tests.support.command import Command

if TYPE_CHECKING:
    from evstore.port import Adapter
    from tests.support.servers import Server

HISTORY = Path(__file__).parents[4] / "shared" / "data" / "git-history.ndjson.gz"
LINES = 2000

COMMANDS = (
    ("replay", "--all"),
    ("replay", "Order", "we_ird", "-t", "Placed", "-t", "Pla_ed", "--reverse", "-F", "json"),
    ("streams", "-F", "tsv"),
)


@pytest.fixture
def both(tmp_path: Path, newest: Server) -> tuple[Command, Command]:
    """The command before an empty store of either kind."""
    found = Command(tmp_path, f"sqlite:{tmp_path}/events.db"), Command(tmp_path, newest.place("same"))
    for each in found:
        with connect(each.url) as store:
            store.initialize()
    return found


def fill(adapter: Adapter) -> None:
    """Whatever a careless store mixes up, cuts off or spells anew."""
    variety.fill(adapter)
    for name in NAMES:
        accepted(adapter, an_append(f"{name}-{name}", [an_event(name, correlation_id=name)]))
    accepted(adapter, an_append("Data-1", [an_event(data_json=text) for text in DATA.values()]))
    accepted(adapter, an_append("Metadata-1", [an_event(metadata=each) for each in METADATA.values()]))
    accepted(adapter, an_append("Large-1", [an_event(data_json=f"[{n}.0]") for n in range(2500)]))


def copied(source: Adapter, goal: Adapter) -> None:
    """The same events, each with the id and the time that it has."""
    goal.append(
        [
            an_append(
                event.stream_id,
                [an_event(event.type, event.data_json, id=event.id, metadata=event.metadata)],
                timestamp_us=event.timestamp_us,
            )
            for event in log(source)
        ]
    )


def test_hostile_events_are_printed_alike(both: tuple[Command, Command]) -> None:
    sqlite, postgres = both
    with closing(open_adapter(sqlite.url)) as one, closing(open_adapter(postgres.url)) as other:
        fill(one)
        copied(one, other)
        assert everything(one) == everything(other)
    for words in COMMANDS:
        expected = sqlite.ok(*words).out
        assert expected.count(b"\n") > 1
        assert postgres.ok(*words).out == expected, words


@pytest.mark.skipif(not HISTORY.exists(), reason="the recorded history is not beside this checkout")
def test_a_real_history_is_printed_alike(both: tuple[Command, Command]) -> None:
    with gzip.open(HISTORY) as file:
        given = b"".join(line for line, _ in zip(file, range(LINES), strict=False))
    receipts, logs = [], []
    for each in both:
        receipts.append(each.ok("append", "--many", "-", "--key", "history", stdin=given).out)
        assert b'"duplicate":true' in each.ok("append", "--many", "-", "--key", "history", stdin=given).out
        out = each.ok("replay", "--all").out
        logs.append(re.sub(rb'"timestamp":"[^"]{27}"}$', b"}", out, flags=re.MULTILINE))
    assert receipts[0] == receipts[1]
    assert logs[0] == logs[1]
    assert logs[0].count(b"\n") == logs[0].count(b",}\n") == LINES
