"""Commands that are sent before earlier ones are answered: a CALL that commits may not stand behind one of them.

From version 18 on, PostgreSQL refuses such a call, before anything of it is done; earlier versions make it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import psycopg
import pytest

from evstore import EventData, connect
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.batches import MOST_EVENTS, Batch, calls_of, stage
from evstore.adapters.postgres.statements import in_schema
from tests.support.proxies import CLIENT, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection, Cursor

    from evstore import EventStore
    from tests.support.proxies import Message
    from tests.support.servers import Server

REFUSES_FROM: Final = 18
SYNC: Final = b"S"
PARSE: Final = b"P"
ENDS: Final = (b"", b"p", b"Q", b"c", SYNC)
"""The messages of a client after which the server has nothing left to do before it answers: the beginning, a password,
a simple query, the end of a copy, and a sync."""
COUNTS = {"small": 3, "staged": MOST_EVENTS + 1}


@pytest.fixture
def store(server: Server) -> Iterator[EventStore]:
    with connect(server.place("piped")) as store:
        store.initialize()
        yield store


def calling(store: EventStore, server: Server, count: int) -> Callable[[Connection], Cursor]:
    """The call that appends so many events; what is staged stands there already."""
    schema = server.schema("piped")
    (call,) = calls_of([store.appender.unit([("Order-1", [EventData("Placed", n) for n in range(count)], -1)])])
    if isinstance(call, Batch):
        given = {**call.given, "until_refused": False, "wait_ms": 1000}
        return lambda connection: connection.execute(in_schema(sql.APPEND, schema), given)
    staged_as = str(uuid4())
    with server.connect() as connection, connection.cursor().copy(in_schema(sql.STAGE, schema)) as copy:
        assert stage(copy, staged_as, call) == count
    given = {
        "staged_as": staged_as,
        "wanted_position": None,
        "size": count,
        "most_versions": 1,
        "wait_ms": 1000,
        "guards": None,
    }
    return lambda connection: connection.execute(in_schema(sql.APPEND_STAGED, schema), given)


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
def test_a_call_that_begins_a_pipeline_appends(server: Server, store: EventStore, count: int) -> None:
    call = calling(store, server, count)
    with server.connect() as connection:
        with connection.pipeline():
            called = call(connection)
            connection.execute("SELECT 1")
        assert "stored" in str(called.fetchone())
        assert store.head() == count
        with connection.pipeline() as pipeline:
            connection.execute("SELECT 1")
            pipeline.sync()
            called = call(connection)
        assert "held" in str(called.fetchone())


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
def test_a_call_behind_another_command_is_made_whole_or_not_at_all(
    server: Server, store: EventStore, count: int
) -> None:
    call = calling(store, server, count)
    refuses = int(server.version.partition(".")[0]) >= REFUSES_FROM
    with server.connect() as connection:
        try:
            with connection.pipeline():
                connection.execute("SELECT 1")
                call(connection)
        except psycopg.errors.InvalidTransactionTermination:
            assert refuses
        else:
            assert not refuses
    assert store.head() == (0 if refuses else count)
    assert [event.version for event in store.read("Order-1")] == [*range(1, store.head() + 1)]


def test_the_adapter_sends_nothing_before_the_answer_to_what_it_sent(server: Server, store: EventStore) -> None:
    """Whatever is asked of it: so each call is the first command after a sync, on any version."""
    last: dict[int, bytes] = {}
    commands: list[bytes] = []
    behind: list[bytes] = []

    def watched(message: Message) -> bool:
        if message.sender != CLIENT:
            return False
        if message.calls:
            commands.append(message.body)
            if last.get(threading.get_ident(), b"") not in ENDS:
                behind.append(message.body)
        last[threading.get_ident()] = message.kind  # each direction of each connection has a thread of its own
        return False

    with Proxy(server, watched) as proxy, connect(proxy.url(server.schema("piped"))) as used:
        for count in COUNTS.values():
            appended = used.append("Order-1", [EventData("Placed", n) for n in range(count)])
            used.append("Order-1", [EventData("Placed", e.data, id=e.id) for e in appended])
        used.append_many([("Order-1", [EventData("Placed", 1)], -1), ("Order-2", [EventData("Placed", 1)], 0)])
        assert len([*used.replay()]) == used.head() == used.info().head == len([*used.subscribe(timeout=0.1)])
        assert [*used.read("Order-2")] == [*used.replay(["Order"], backward=True, limit=1)]
        assert len([*used.streams()]) == 2
        assert [*used.verify(engine=True)] == []
    assert sum(b"CALL" in each for each in commands) == 5
    assert behind == []


def test_the_call_that_appends_one_event_is_prepared_when_it_is_made_again(
    server: Server, store: EventStore
) -> None:
    parsed: list[bytes] = []

    def watched(message: Message) -> bool:
        if message.sender == CLIENT and message.kind == PARSE and b"CALL" in message.body:
            parsed.append(message.body)
        return False

    with Proxy(server, watched) as proxy, connect(proxy.url(server.schema("piped"))) as used:
        for n in range(9):
            used.append("Order-1", [EventData("Placed", n)], n)
        assert used.head() == store.head() == 9
    assert len(parsed) == 2
