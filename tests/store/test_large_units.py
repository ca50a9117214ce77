"""What grows with an append is bounded: numbers that do not fit a receipt, and names that do not fit in memory."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from unittest import mock
from uuid import UUID

import pytest

from evstore import (
    EventData,
    EventStore,
    IncompleteLogError,
    InvalidInputError,
    Metadata,
    Query,
    StorageFullError,
    connect,
)
from evstore.adapters.memory import MemoryAdapter
from evstore.adapters.sqlite import writing
from evstore.appending import distinct as counting
from evstore.appending import outcomes
from evstore.appending import spool as spooling
from evstore.appending.distinct import Seen
from evstore.appending.envelopes import envelope_from_json
from evstore.appending.outcomes import Duplicate
from evstore.appending.preparing import Preparing
from evstore.appending.spool import Spool
from evstore.cli.errors import InputOutputError
from evstore.cli.output.unreceipted import Unreceipted
from evstore.jsontext.judging import check_json
from evstore.model.conditions import AppendCondition
from evstore.model.events import Write
from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.model.events import StoredEvent
    from evstore.port import Append, Outcome, PreparedWrite


def test_an_append_returns_all_its_events_though_a_receipt_has_not_all_their_versions(tmp_path: Path) -> None:
    with connect(f"sqlite:{tmp_path}/events.db") as store, mock.patch.object(writing, "MOST_VERSIONS", 3):
        store.initialize()
        store.append("A-0", [EventData("T", n) for n in range(4)])
        writes = [(f"A-{n % 3}", [EventData("T", n), EventData("U", n)], -1) for n in range(7)]
        appended = store.append_many(writes)
        assert appended == [*store.replay(after=4)]
        assert [event.version for event in appended[:4]] == [5, 6, 1, 2]
        unit = store.appender.unit(writes)
        (receipt,) = store.appender.submit([unit])
        assert isinstance(receipt, Receipt)
        assert len(receipt.first_versions) == 3
        unreceipted = Unreceipted()
        unreceipted.add(unit, receipt, lambda: store.appender.stored_of(unit, receipt))
        reported = unreceipted.reported(InputOutputError("no space"))
        ids = [each for run in (reported.facts or {})["stored"] for each in run["ids"]]
        assert ids == [*unit.ids()]


def test_an_append_in_a_transaction_of_the_application_returns_all_its_events_as_well(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with connect(f"sqlite:{path}") as store, mock.patch.object(writing, "MOST_VERSIONS", 3):
        store.initialize()
        with closing(sqlite3.connect(path)) as theirs:
            writes = [(f"A-{n % 3}", [EventData("T", n), EventData("U", n)], -1) for n in range(7)]
            appended = [*store.append_many(writes, connection=theirs)]
            assert store.head() == 0
            theirs.commit()
        assert appended == [*store.replay()]
        assert len(appended) == 14


def a_write(number: int, data: str = "1") -> PreparedWrite:
    return Write(f"A-{number}", [Preparing().event(EventData("T", data))], -1)


def test_the_events_of_writes_to_one_stream_are_seen_as_often_as_needed() -> None:
    writes = [a_write(number) for number in range(3)]
    events = spooling.Events(writes)
    assert [*events] == [*events] == [event for write in writes for event in write.events]
    assert len(events) == 3


def test_a_spool_keeps_the_conditions_of_each_write_and_whether_an_id_is_new() -> None:
    one, other = AppendCondition(Query(["T"])), AppendCondition(Query(["U"]), 3)
    with closing(Spool()) as spool:
        spool.add(a_write(1), given_id=True)
        spool.add(a_write(2), given_id=False, conditions=[one, other])
        assert not spool.has_new_ids
        spool.add(a_write(3), given_id=False, new_id=True, conditions=[other])
        assert spool.has_new_ids
        assert spool.conditions == (one, other)
        assert [[*spool.conditions_of(number)] for number in range(3)] == [[], [one, other], [other]]


@pytest.mark.parametrize("in_memory", [0, 1, 5, 1000])
def test_names_are_seen_once_wherever_they_wait(in_memory: int) -> None:
    random = Random(7)
    names = random.choices(["", "a", "A", "é", "e\u0301", "東京", b"a", *map(str, range(40))], k=200)
    with mock.patch.object(counting, "IN_MEMORY", in_memory), closing(Seen()) as seen:
        there: set[str | bytes] = set()
        for name in names:
            assert seen.add(name) == (name not in there)
            there.add(name)
            assert len(seen) == len(there)
        seen.update(["more", "more"])
        assert len(seen) == len(there) + 1


def test_as_many_names_wait_in_memory_as_may_and_then_none() -> None:
    with mock.patch.object(counting, "IN_MEMORY", 3), closing(Seen()) as seen:
        for name in ("a", "b", "c"):
            seen.add(name)
        assert (len(seen._names), seen._database) == (3, None)
        seen.add("d")
        assert (len(seen._names), len(seen)) == (0, 4)
        database = seen._database
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")


@pytest.mark.parametrize("add", [lambda seen, names: [seen.add(each) for each in names], Seen.update])
def test_names_without_room_on_the_disk_are_told_as_such(add: Callable[[Seen, list[str]], object]) -> None:
    with mock.patch.object(counting, "IN_MEMORY", 0), closing(Seen()) as seen:
        seen.add("a")
        seen._database.execute("PRAGMA max_page_count = 1")  # as small as a disk can be
        with pytest.raises(StorageFullError, match=r"names cannot wait in a temporary database: .*full"):
            add(seen, [f"{n:0999}" for n in range(99)])


def test_events_without_room_on_the_disk_are_told_as_such() -> None:
    event = Preparing().kept("T", check_json(f'"{"a" * 99_999}"'))
    with (
        mock.patch("tempfile.TemporaryFile", return_value=Path("/dev/full").open("r+b")),
        mock.patch.object(spooling, "IN_MEMORY", 0),
        closing(Spool()) as spool,
        pytest.raises(StorageFullError, match="the input cannot wait in a temporary file: No space left"),
    ):
        spool.add(Write("A-1", (event,)), given_id=False)


def test_a_small_append_needs_no_room_on_the_disk() -> None:
    with mock.patch("tempfile.TemporaryFile", side_effect=OSError("full")), closing(Spool()) as spool:
        writes = [a_write(number) for number in range(9)]
        for write in writes:
            spool.add(write, given_id=True)
        assert [*spool] == writes


@pytest.mark.parametrize("least", [False, True])
def test_as_much_text_waits_in_memory_as_may_and_then_none(least: bool) -> None:
    event = Preparing().kept("T", check_json("12345"), Metadata(user_id="a"))
    size = len("A-1" + "12345" + event.metadata_json)
    most = 2 * size if least else 3 * size - 1
    with mock.patch.object(spooling, "IN_MEMORY", most), closing(Spool()) as spool:
        waiting = []
        for n in range(11):
            spool.add(Write(f"A-{n % 10}", (event,)), given_id=False)
            waiting.append(len(spool._writes))
            assert next(iter(spool)).stream_id == "A-0"  # what was read does not lie where more is written
        assert waiting == [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
        assert [(write.stream_id, [*write.events]) for write in spool] == [
            (f"A-{n % 10}", [event]) for n in range(11)
        ]


def test_a_log_that_lacks_what_was_just_stored_is_told_as_damage() -> None:
    class Lacking(MemoryAdapter):
        def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
            (receipt,) = super().append(units, until_refused=until_refused)
            assert isinstance(receipt, Receipt)
            self._log.pop()
            return [receipt._replace(first_versions=[])]

    with EventStore(Lacking()) as store, pytest.raises(IncompleteLogError) as raised:
        store.append("A-1", [EventData("T", n) for n in range(3)])
    assert (raised.value.location, raised.value.position, raised.value.missing) == ("memory:", 3, "event")


@pytest.mark.parametrize(
    ("most", "characters", "pages"), [(3, 99, [3, 3, 3]), (99, 11, [3, 3, 3]), (99, 12, [4, 4, 1])]
)
def test_a_lookup_asks_for_no_more_than_a_page_holds(most: int, characters: int, pages: list[int]) -> None:
    asked: list[int] = []

    class Asked(MemoryAdapter):
        def get(self, ids: Sequence[str]) -> list[StoredEvent]:
            asked.append(len(ids))
            return super().get(ids)

    with EventStore(Asked()) as store:
        unit = store.appender.unit([("A-1", [EventData("T", f"{n}-") for n in range(9)], -1)])
        store.appender.submit([unit])
        with mock.patch.multiple(outcomes, MOST_IN_PAGE=most, PAGE_CHARACTERS=characters):
            (again,) = store.appender.submit([unit])
    assert isinstance(again, Duplicate)
    assert (again.first.version, again.last.version, again.size) == (1, 9, 9)
    assert asked == pages


@pytest.mark.parametrize("in_memory", [0, 1000])
@pytest.mark.parametrize("text", [1, 10**6])
def test_streams_are_counted_wherever_the_events_wait(in_memory: int, text: int) -> None:
    event = Preparing().kept("T", check_json("1"))
    with (
        mock.patch.object(counting, "IN_MEMORY", in_memory),
        mock.patch.object(spooling, "IN_MEMORY", text),
        closing(Spool()) as spool,
    ):
        assert spool.count_streams() == 0
        for n in range(20):
            spool.add(Write(f"A-{n % 7}", (event,)), given_id=False)
        assert spool.count_streams() == 7
        assert [write.stream_id for write in spool] == [f"A-{n % 7}" for n in range(20)]
        assert spool.count_streams() == 7


def test_closing_frees_the_files_in_which_names_wait() -> None:
    """A temporary database has a file as soon as it is larger than its cache."""

    def files() -> list[str]:
        return os.listdir("/proc/self/fd")

    before = files()
    event = Preparing().kept("T", check_json("1"))
    with (
        mock.patch.object(counting, "IN_MEMORY", 0),
        mock.patch.object(counting, "SETTINGS", ("PRAGMA cache_size = 1",)),
        closing(Spool()) as spool,
    ):
        for n in range(999):
            spool.add(Write(f"A-{n}", (event._replace(id=str(UUID(int=n))),)), given_id=True)
        while_open = files()
        assert spool.count_streams() == 999
        assert files() == while_open
    assert (len(while_open), files()) == (len(before) + 1, before)


@pytest.mark.parametrize("in_memory", [0, 2, 1000])
def test_an_id_that_comes_twice_is_found_wherever_the_ids_wait(in_memory: int) -> None:
    lines = [f'{{"type":"T","data":{n},"id":"0198e5c4-7a2b-7c3d-8e4f-00000000000{n % 7}"}}' for n in range(9)]
    with mock.patch.object(counting, "IN_MEMORY", in_memory), closing(Spool()) as spool:
        with pytest.raises(InvalidInputError, match="0198e5c4-7a2b-7c3d-8e4f-000000000000 comes twice"):
            for line in lines:
                found = envelope_from_json(line.encode())
                event = Preparing().kept(found.type, found.data, id=found.id)
                spool.add(Write("A-1", (event,)), given_id=True)
        assert len(spool) == 7
