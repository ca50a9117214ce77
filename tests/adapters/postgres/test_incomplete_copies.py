"""A store whose tables arrive one by one, as in the first copy of a logical subscription: nothing is passed over."""

from __future__ import annotations

import io
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from tests.support.subscriber import following

if TYPE_CHECKING:
    from evstore import EventStore
    from tests.support.servers import Server

NAMES = ("categories", "types", "streams")
EVENTS = 40
EARLY = 30
"""Events that arrive before their names."""


@pytest.fixture
def source(server: Server) -> EventStore:
    """A store with events of two categories and two types."""
    with connect(server.place("source")) as store:
        store.initialize()
        for n in range(EVENTS):
            kind = ("Order", "User")[n % 2]
            store.append(f"{kind}-{n % 5}", [EventData(("Placed", "Named")[n % 3 == 0], n)])
        yield store


@pytest.fixture
def copy(server: Server) -> EventStore:
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
        with cursor.copy(f"COPY (SELECT * FROM {names[0]}.{table}{where}) TO STDOUT") as out:
            for part in out:
                rows.write(part)
        with cursor.copy(f"COPY {names[1]}.{table} FROM STDIN") as into:
            into.write(rows.getvalue())
        connection.commit()


READS = {
    "the log": lambda store: store.replay(),
    "the log backward": lambda store: store.replay(backward=True),
    "a category": lambda store: store.replay(["Order"]),
    "a type": lambda store: store.replay(types=["Placed"]),
    "a stream": lambda store: store.read("Order-0"),
}


@pytest.mark.usefixtures("source")
def test_events_without_their_names_are_no_absence(server: Server, copy: EventStore, subtests) -> None:
    arrive(server, "events")
    for missing in (NAMES, NAMES[:-1], NAMES[:1]):
        if missing != NAMES:
            arrive(server, NAMES[len(missing)])
        for name, read in READS.items():
            if missing == NAMES or name.startswith("the log"):
                with subtests.test(read=name, missing=missing), pytest.raises(IncompleteLogError) as raised:
                    list(read(copy))
                assert raised.value.code == "damaged"


def test_a_follower_waits_for_names_and_passes_over_nothing(
    server: Server, source: EventStore, copy: EventStore
) -> None:
    waited: list[int] = []
    with following(copy, on_wait=lambda error: waited.append(error.position)) as found:
        arrive(server, "events", high=EARLY)
        while not waited:
            pass
        for name in NAMES:
            arrive(server, name)
        arrive(server, "events", low=EARLY + 1)
        assert found.take(EVENTS) == list(source.replay())
    assert waited[0] == 1


def test_a_follower_of_a_category_waits_for_an_event_before_those_it_sees(
    server: Server, source: EventStore, copy: EventStore
) -> None:
    waited: list[int] = []
    for name in NAMES:
        arrive(server, name)
    with following(copy, ["Order"], on_wait=lambda error: waited.append(error.position)) as found:
        arrive(server, "events", low=EARLY + 1)
        while not waited:
            pass
        arrive(server, "events", high=EARLY)
        assert found.take(EVENTS // 2) == list(source.replay(["Order"]))
