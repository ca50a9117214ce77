"""Behind a pooler in transaction mode no statement knows which session it meets, and everything works."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from evstore import (
    NO_STREAM,
    ConcurrencyError,
    EventData,
    NotInitializedError,
    StoreBusyError,
    UnavailableError,
    UnsupportedError,
    connect,
)
from evstore.adapters.postgres.batches import MOST_CHARACTERS, MOST_EVENTS
from tests.support.postgres_sessions import locked
from tests.support.proxies import CLIENT, Proxy, before_call
from tests.support.sentences import names
from tests.support.servers import another, newest_of, pgbouncer
from tests.support.unflushed_appends import append_unflushed, crashing, given_of
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.proxies import Message
    from tests.support.servers import Server, Servers

SESSIONS = 3
CLIENTS = 20


@pytest.fixture(scope="module")
def pooler(servers: Servers) -> Iterator[Server]:
    with pgbouncer(newest_of(servers), default_pool_size=SESSIONS, max_client_conn=200) as made:
        yield made


@pytest.fixture
def url(pooler: Server, newest: Server) -> str:
    """A place that is reached through the pooler; the server itself drops it afterwards."""
    return pooler.url(newest.schema("pooled"), application_name="pooled")


def test_a_store_is_made_written_and_read(url: str) -> None:
    with connect(url) as store:
        with pytest.raises(NotInitializedError):
            list(store.replay())
        store.initialize()
        store.initialize()
        stored = store.append("Order-1", [EventData("Placed", {}), EventData("Paid", 1.5)], NO_STREAM)
        with pytest.raises(ConcurrencyError) as caught:
            store.append("Order-1", [EventData("Placed", {})], NO_STREAM)
        assert (caught.value.stream_id, caught.value.expected, caught.value.actual) == ("Order-1", NO_STREAM, 2)
        both = store.append_many(
            [("Order-2", [EventData("Placed", 1)], 0), ("Order-1", [EventData("Sent", 2)], 2)]
        )
        assert [event.global_position for event in both] == [3, 4]
        assert [*store.replay()] == [*stored, *both]
        assert [*store.read("Order-1", backward=True)] == [both[1], *reversed(stored)]
        assert store.get(stored[0].id) == stored[0]
        assert [(each.category, each.events) for each in store.categories()] == [("Order", 4)]
        assert store.info().head == 4


@pytest.mark.parametrize(
    "events",
    [
        [EventData("Placed", n) for n in range(2 * MOST_EVENTS + 1)],
        [EventData("Placed", "x" * (MOST_CHARACTERS // 2)) for _ in range(3)],
    ],
    ids=["many", "long"],
)
def test_a_large_append_is_staged_on_one_session_and_made_on_another(
    newest: Server, url: str, events: list[EventData]
) -> None:
    with connect(url) as store:
        store.initialize()
        stored = store.append("Order-1", events, NO_STREAM)
        assert [event.data for event in stored] == [event.data for event in events]
        assert [*store.read("Order-1")] == stored
        with pytest.raises(ConcurrencyError):
            store.append("Order-1", [EventData("Placed", each.data) for each in events], NO_STREAM)
        assert store.head() == len(events)
    assert newest.execute(f"SELECT count(*) FROM {newest.schema('pooled')}.staged") == [(0,)]


def test_many_clients_share_few_sessions(newest: Server, url: str) -> None:
    """Each with a connection of its own, in turn with small appends and with large ones, and with reads."""
    with connect(url) as store:
        store.initialize()
    ready = threading.Barrier(CLIENTS)

    def work(number: int) -> None:
        with connect(url, pool_size=1) as store:
            store.head()
            ready.wait(60)
            for n in range(5):
                store.append(f"Mine-{number}", [EventData("Placed", n)], n)
                store.append("All-1", [EventData("Placed", n)])
                assert [event.data for event in store.read(f"Mine-{number}")] == [*range(n + 1)]
            if number % 5 == 0:
                store.append(
                    f"Large-{number}", [EventData("Placed", n) for n in range(MOST_EVENTS + 1)], NO_STREAM
                )

    with ThreadPoolExecutor(CLIENTS) as threads:
        for done in [threads.submit(work, n) for n in range(CLIENTS)]:
            done.result()
    with connect(url) as store:
        events = [*store.replay()]
        assert [event.global_position for event in events] == [*range(1, len(events) + 1)]
        assert len(events) == CLIENTS * 10 + CLIENTS // 5 * (MOST_EVENTS + 1)
        assert store.stream_info("All-1").version == CLIENTS * 5
    sessions = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pooled' AND backend_type = 'client backend'"
    )
    assert 1 <= len(newest.execute(sessions)) <= SESSIONS


def test_a_reader_waits_for_who_has_locked_a_table_as_long_as_it_was_told(newest: Server, url: str) -> None:
    with connect(url, timeout=0.3) as store:
        store.initialize()
        assert store.head() == 0
        with locked(newest, f"{newest.schema('pooled')}.events"):
            with pytest.raises(StoreBusyError) as caught:
                [*store.replay()]
            assert (caught.value.location, caught.value.timeout) == (store.location, 0.3)
        assert [*store.replay()] == []


def test_a_pooler_that_takes_no_transactions_is_refused_and_not_to_be_tried_again(newest: Server) -> None:
    schema = newest.schema("pooled")
    with pgbouncer(newest, pool_mode="statement") as pooler, connect(newest.url(schema)) as store:
        with connect(pooler.url(schema)) as pooled, pytest.raises(UnsupportedError) as caught:
            pooled.initialize()
        assert names(caught.value, pooled.location, "pool_mode", "statement")
        store.initialize()
        for ask in (
            lambda pooled: pooled.head(),
            lambda pooled: [*pooled.replay()],
            lambda pooled: pooled.append("Order-1", [EventData("Placed", {})]),
        ):
            with connect(pooler.url(schema)) as pooled:
                with pytest.raises(UnsupportedError) as caught:
                    ask(pooled)
                assert caught.value.code == "usage"
                assert names(caught.value, pooled.location, "pool_mode", "transaction")
                assert not caught.value.retryable
        assert store.head() == 0


def left(pooler: Server, query: str) -> list[tuple[Any, ...]]:
    """What the pooler's sessions answer, all of them together."""
    held = [pooler.connect() for _ in range(SESSIONS)]
    try:
        for connection in held:
            connection.execute("BEGIN")  # each has a session to itself
        assert len({connection.execute("SELECT pg_backend_pid()").fetchone() for connection in held}) == SESSIONS
        return [row for connection in held for row in connection.execute(query.encode()).fetchall()]
    finally:
        for connection in held:
            connection.close()


def test_nothing_is_left_in_the_sessions_that_others_get_next(pooler: Server, url: str) -> None:
    with connect(url) as store:
        store.initialize()
        for n in range(8):  # psycopg prepares what it is asked for the fifth time
            store.append(f"Order-{n}", [EventData("Placed", n)])
            list(store.replay(["Order"]))
        store.append("Order-1", [EventData("Placed", n) for n in range(MOST_EVENTS + 1)])
    assert left(pooler, "SELECT name FROM pg_prepared_statements") == []
    assert left(pooler, "SELECT objid FROM pg_locks WHERE locktype = 'advisory'") == []
    changed = "SELECT name, setting FROM pg_settings WHERE source = 'session' AND setting <> reset_val"
    assert left(pooler, f"{changed} AND name <> 'application_name'") == []


def test_who_follows_leaves_no_session_listening_for_others(pooler: Server, url: str) -> None:
    with connect(url) as store:
        store.initialize()
        assert [*store.subscribe(timeout=0.05)] == []
    assert left(pooler, "SELECT pg_listening_channels()") == []


def test_what_one_thread_makes_durable_another_shows_only_when_it_is(newest: Server) -> None:
    """The first has read it and has told the server to flush, in a transaction that does not end yet."""
    held, goes_on = threading.Event(), threading.Event()

    def hold_back(message: Message) -> bool:
        if message.sender == CLIENT and b"pg_logical_emit_message" in message.asked and not held.is_set():
            flushing.add(threading.get_ident())
        if before_call("COMMIT")(message) and threading.get_ident() in flushing and not held.is_set():
            held.set()
            goes_on.wait(PATIENCE)
        return False

    flushing: set[int] = set()
    with (
        another(newest) as own,
        pgbouncer(own, server_login_retry=1) as pooler,
        Proxy(pooler, hold_back) as proxy,
    ):
        schema = own.schema("s")
        with connect(own.url(schema)) as store:
            store.initialize()
        with connect(proxy.url(schema)) as store, ThreadPoolExecutor() as threads:
            assert store.head() == 0
            try:
                with crashing(own):
                    append_unflushed(own, schema, given_of(store, "Order-1"))
                    first = threads.submit(store.head)
                    assert held.wait(PATIENCE)
                    shown = store.head()
            finally:
                goes_on.set()
            with suppress(UnavailableError):
                first.result()
            assert shown == store.head() == 1


def test_a_follower_polls_and_hears_of_each_event_within_a_second(url: str) -> None:
    """No hint comes through a pooler: the session that listens is given to others."""
    with connect(url) as store, connect(url) as follower:
        store.initialize()
        events = follower.subscribe()
        for n in range(3):
            started = time.monotonic()
            store.append("Order-1", [EventData("Placed", n)])
            event = next(events)
            assert event.data == n
            assert time.monotonic() - started < 1
        assert follower._adapter._hints._listener is None
