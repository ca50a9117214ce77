"""A store whose tables arrive one by one, as in the first copy of a logical subscription: nothing is passed over."""

from __future__ import annotations

import io
import subprocess
from contextlib import closing
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.model.filters import Filter
from evstore.port import Page
from tests.support.command import Command
from tests.support.sentences import names
from tests.support.subscriber import following
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.servers import Server

NAMES = ("categories", "types", "streams")
EVENTS = 1010
EARLY = 1000
"""Events that arrive before their names."""


@pytest.fixture
def source(server: Server) -> Iterator[EventStore]:
    """A store with events of two categories, two types and ten streams."""
    with connect(server.place("source")) as store:
        store.initialize()
        store.append_many(
            (f"{('Order', 'User')[n % 2]}-{n % 10}", [EventData(("Placed", "Named")[n % 3 == 0], n)], -1)
            for n in range(EVENTS)
        )
        yield store


@pytest.fixture
def copy(server: Server) -> Iterator[EventStore]:
    """An empty store, to be filled by hand."""
    with connect(server.place("copy")) as store:
        store.initialize()
        yield store


def arrive(server: Server, table: str, low: int = 1, high: int = EVENTS) -> None:
    """Copy a table, or the events of these positions, from one store to the other."""
    names = [server.schema(key) for key in ("source", "copy")]
    where = f" WHERE global_position BETWEEN {low} AND {high}" if table == "events" else ""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        rows = io.BytesIO()
        with cursor.copy(f"COPY (SELECT * FROM {names[0]}.{table}{where}) TO STDOUT".encode()) as out:
            for part in out:
                rows.write(part)
        with cursor.copy(f"COPY {names[1]}.{table} FROM STDIN".encode()) as into:
            into.write(rows.getvalue())


READS = {
    "the log": lambda store: store.replay(),
    "the log backward": lambda store: store.replay(backward=True),
    "a category": lambda store: store.replay(["Order"]),
    "a type": lambda store: store.replay(types=["Placed"]),
    "a stream": lambda store: store.read("Order-0"),
}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("last", NAMES)
def test_events_without_their_names_are_no_absence(server: Server, copy: EventStore, last: str, subtests) -> None:
    arrive(server, "events")
    for name in {*NAMES} - {last}:
        arrive(server, name)
    for name, read in READS.items():
        with subtests.test(read=name):
            if (name, last) == ("a stream", "categories"):
                assert len(list(read(copy))) == EVENTS / 10
                continue
            with pytest.raises(IncompleteLogError) as raised:
                list(read(copy))
            assert raised.value.code == "damaged"
    arrive(server, last)
    assert all(list(read(copy)) for read in READS.values())


@pytest.mark.usefixtures("source")
def test_an_append_gives_out_no_key_where_only_events_are_there(server: Server, copy: EventStore) -> None:
    arrive(server, "events", high=EARLY)
    with pytest.raises(IncompleteLogError):
        copy.append("Other-1", [EventData("Other", 1)])
    with pytest.raises(IncompleteLogError):
        copy.append("Other-1", [EventData("Other", n) for n in range(3000)])  # which is staged
    schema = server.schema("copy")
    for table, rows in (("events", EARLY), ("streams", 0), ("types", 0), ("categories", 0)):
        assert server.execute(f"SELECT count(*) FROM {schema}.{table}") == [(rows,)]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("count", [1, 3000], ids=["small", "staged"])
def test_an_append_gives_out_no_version_where_only_names_are_there(
    server: Server, copy: EventStore, count: int
) -> None:
    for name in NAMES:
        arrive(server, name)
    with pytest.raises(IncompleteLogError) as raised:
        copy.append("Order-0", [EventData("Placed", n) for n in range(count)])
    assert raised.value.code == "damaged"
    assert server.execute(f"SELECT count(*) FROM {server.schema('copy')}.events") == [(0,)]


@pytest.mark.parametrize("asked", [{}, {"categories": ["Order", "User"]}, {"types": ["Placed", "Named"]}])
def test_a_follower_waits_for_names_and_passes_over_nothing(
    server: Server, source: EventStore, copy: EventStore, asked: dict[str, list[str]]
) -> None:
    waited: Queue[IncompleteLogError] = Queue()
    with following(copy, on_wait=waited.put, **asked) as found:
        arrive(server, "events", high=EARLY)
        assert waited.get(timeout=PATIENCE).position == EARLY
        for name in NAMES:
            arrive(server, name)
        arrive(server, "events", low=EARLY + 1)
        assert found.take(EVENTS) == list(source.replay())


def test_a_follower_waits_for_an_event_before_those_that_it_sees(
    server: Server, source: EventStore, copy: EventStore
) -> None:
    waited: Queue[IncompleteLogError] = Queue()
    for name in NAMES:
        arrive(server, name)
    with following(copy, on_wait=waited.put) as found:
        arrive(server, "events", low=EARLY + 1)
        assert waited.get(timeout=PATIENCE).position == 1
        arrive(server, "events", high=EARLY)
        assert found.take(EVENTS) == list(source.replay())


def test_a_follower_of_a_category_waits_for_an_event_before_those_that_it_sees(
    server: Server, source: EventStore, copy: EventStore
) -> None:
    waited: Queue[IncompleteLogError] = Queue()
    for name in NAMES:
        arrive(server, name)
    with following(copy, ["Order"], on_wait=waited.put) as found:
        arrive(server, "events", low=EARLY + 1)
        waited.get(timeout=PATIENCE)
        arrive(server, "events", high=EARLY)
        assert found.take(EVENTS // 2) == list(source.replay(["Order"]))


def pages(store: EventStore, limit: int, *, backward: bool) -> list[int]:
    """The positions of the category Order, in pages of so many."""
    found: list[int] = []
    while True:
        page = Page(limit, found[-1] if found else None, backward=backward)
        rows = store._adapter.read_all(page, Filter(categories=("Order",)))
        if not rows:
            return found
        found += [event.global_position for event in rows]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_pages_of_a_category_show_a_hole_wherever_they_end(
    server: Server, copy: EventStore, limit: int, backward: bool
) -> None:
    copy.append_many((f"{('Order', 'User')[n % 2]}-1", [EventData("Placed", n)], -1) for n in range(12))
    whole = [1, 3, 5, 7, 9, 11]
    assert pages(copy, limit, backward=backward) == (whole[::-1] if backward else whole)
    schema = server.schema("copy")
    server.execute(f"ALTER TABLE {schema}.events DISABLE TRIGGER USER")
    server.execute(f"CREATE TABLE {schema}.lost (LIKE {schema}.events)")
    for position in whole[:-1]:  # the newest is not known
        move(server, f"{schema}.events", f"{schema}.lost", position)
        with pytest.raises(IncompleteLogError):
            pages(copy, limit, backward=backward)
        move(server, f"{schema}.lost", f"{schema}.events", position)


def move(server: Server, source: str, goal: str, position: int) -> None:
    """Move the event at the position from one table to the other."""
    deleted = f"DELETE FROM {source} WHERE global_position = {position} RETURNING *"
    server.execute(f"WITH gone AS ({deleted}) INSERT INTO {goal} SELECT * FROM gone")


@pytest.mark.parametrize("last", [[], ["--last", "5000"]])
def test_the_command_notes_that_it_waits_and_goes_on_when_the_log_is_whole(
    server: Server, source: EventStore, copy: EventStore, tmp_path: Path, last: list[str]
) -> None:
    arrive(server, "events", high=EARLY)
    command = Command(tmp_path, copy.location)
    words = ("replay", "--all", "-f", "-n", f"{EVENTS}", "--within", f"{PATIENCE:g}s", *last)
    with subprocess.Popen(
        command.argv(*words), cwd=tmp_path, env=command.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert names(process.stderr.readline().decode(), "note", "waiting", copy.location)
        for name in NAMES:
            arrive(server, name)
        arrive(server, "events", low=EARLY + 1)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.decode().splitlines() == [event.to_json() for event in source.replay()]
    assert err == b""
