"""Waiting: for other writers, not for ever; and for what comes, by hints where there are any."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from evstore import EventData, StoreBusyError, UnavailableError, connect
from tests.support.postgres_roles import WRITER, a_role, grant
from tests.support.postgres_sessions import locked, waiting, writing
from tests.support.proxies import Proxy
from tests.support.sentences import names
from tests.support.servers import another, newest_of
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from tests.support.servers import OwnServer, Server, Servers

AN_EVENT = [EventData("Placed", {})]


@pytest.fixture
def schema(newest: Server) -> str:
    schema = newest.schema("waiting")
    with connect(newest.url(schema)) as store:
        store.initialize()
    return schema


# --- for other writers ---


@pytest.mark.parametrize("pool_size", [1, 3])
def test_a_writer_waits_as_long_as_it_was_told_and_says_that_the_store_was_busy(
    newest: Server, schema: str, pool_size: int
) -> None:
    with connect(newest.url(schema), timeout=0.3, pool_size=pool_size) as store, writing(newest, schema):
        store.head()
        started = time.monotonic()
        with pytest.raises(StoreBusyError) as caught:
            store.append("Order-1", AN_EVENT)
        assert 0.3 <= time.monotonic() - started < 3
        assert caught.value.retryable
        assert caught.value.timeout == 0.3
        assert repr(store._adapter) == f"PostgresAdapter({caught.value.location})"
        assert list(store.replay()) == []  # reading waits for nobody
    with connect(newest.url(schema), timeout=0.3) as store:
        assert store.append("Order-1", AN_EVENT)[0].global_position == 1


@pytest.mark.parametrize("pool_size", [1, 3])
def test_a_reader_waits_for_who_has_locked_a_table_as_long_as_it_was_told(
    newest: Server, schema: str, pool_size: int
) -> None:
    """As VACUUM FULL does it, and a change of the table."""
    with connect(newest.url(schema, options="-c lock_timeout=0"), timeout=0.3, pool_size=pool_size) as store:
        assert [*store.replay()] == []
        with locked(newest, f"{schema}.events"):
            for ask in (lambda: [*store.replay()], store.head, lambda: [*store.read("Order-1")], store.info):
                started = time.monotonic()
                with pytest.raises(StoreBusyError) as caught:
                    ask()
                assert names(caught.value, store.location, "busy", caught.value.timeout)
                assert caught.value.timeout == 0.3
                assert 0.3 <= time.monotonic() - started < 3
        assert [*store.replay()] == []


def test_a_writer_goes_on_as_soon_as_the_one_before_it_has_ended(newest: Server, schema: str) -> None:
    with ThreadPoolExecutor() as threads, connect(newest.url(schema, application_name=schema)) as store:
        with writing(newest, schema):
            appended = [threads.submit(store.append, "Order-1", AN_EVENT) for _ in range(3)]
            wait_for(lambda: len(waiting(newest, "advisory", schema)) == 3)
            assert not any(each.done() for each in appended)
        assert sorted(each.result()[0].version for each in appended) == [1, 2, 3]


def test_threads_that_find_all_connections_waiting_wait_as_long_as_these(newest: Server, schema: str) -> None:
    """They all wait for the same writer. `connect_timeout` bounds connecting, and there is nothing to connect."""
    url = newest.url(schema, application_name=schema, connect_timeout=1)
    with ThreadPoolExecutor() as threads, connect(url, pool_size=2, timeout=PATIENCE) as store:
        with writing(newest, schema):
            appended = [threads.submit(store.append, "Order-1", AN_EVENT) for _ in range(3)]
            wait_for(lambda: len(waiting(newest, "advisory", schema)) == 2)
            assert not futures.wait(appended, 1.5, futures.FIRST_COMPLETED).done
        assert sorted(each.result()[0].version for each in appended) == [1, 2, 3]


def test_no_more_connections_are_made_than_a_pool_may_have(newest: Server, schema: str) -> None:
    """A role that may have no more is never refused one, however long all wait and however many want one."""
    with connect(newest.url(schema)) as store, a_role(newest, "CONNECTION LIMIT 3") as role:
        grant(role, schema, *WRITER)
        with (
            Proxy(newest, lambda _: False) as proxy,
            ThreadPoolExecutor() as threads,
            connect(proxy.url(schema, role), pool_size=3, timeout=PATIENCE) as writer,
        ):
            with writing(newest, schema):
                appended = [threads.submit(writer.append, "Order-1", AN_EVENT) for _ in range(16)]
                wait_for(lambda: len(waiting(newest, "advisory", "evstore")) == 3)
                assert not futures.wait(appended, 1.5, futures.FIRST_COMPLETED).done
            assert sorted(each.result()[0].version for each in appended) == [*range(1, 17)]
        assert proxy.connections <= 3 + 1  # one is made beside the pool, to see whether the server is there
        assert store.head() == 16


def test_no_limit_to_connecting_is_no_limit(newest: Server, schema: str) -> None:
    """As libpq has it: 0 means to wait for as long as it takes."""
    with connect(newest.url(schema, connect_timeout=0)) as store:
        assert store.append("Order-1", AN_EVENT)[0].version == 1


# --- for what comes ---


@contextmanager
def following(store: EventStore, after: int = 0) -> Iterator[list[int]]:
    """The positions that a subscription has yielded so far, until the store is closed."""
    heard: list[int] = []

    def follow() -> None:
        for event in store.subscribe(after=after):
            heard.append(event.global_position)

    with ThreadPoolExecutor() as threads:
        done = threads.submit(follow)
        try:
            yield heard
        finally:
            store.close()
        done.result(PATIENCE)


def listening(server: Server, name: str) -> list[int]:
    asked = "SELECT pid FROM pg_stat_activity WHERE query ~ '^\\s*LISTEN' AND application_name = %s"
    return [pid for (pid,) in server.execute(asked, name)]


def test_a_follower_listens_for_the_hints_that_writers_send(server: Server) -> None:
    schema = server.schema()
    with connect(server.url(schema)) as writer, server.connect() as witness:
        writer.initialize()
        witness.execute("LISTEN evstore")
        with following(connect(server.url(schema, application_name=schema))) as heard:
            wait_for(lambda: listening(server, schema))
            writer.append("Order-1", AN_EVENT)
            wait_for(lambda: heard == [1])
            payloads = {said.payload for said in witness.notifies(timeout=PATIENCE, stop_after=2)}
            assert schema in payloads
        wait_for(lambda: not listening(server, schema))


def test_who_does_not_follow_listens_to_nothing(newest: Server, schema: str) -> None:
    with connect(newest.url(schema, application_name=schema)) as store:
        store.append("Order-1", AN_EVENT)
        assert [*store.subscribe(timeout=0)] == [*store.replay()]
        assert listening(newest, schema) == []


def test_a_follower_whose_listener_is_ended_misses_nothing_and_listens_again(newest: Server, schema: str) -> None:
    with connect(newest.url(schema)) as writer:
        with following(connect(newest.url(schema, application_name=schema))) as heard:
            (pid,) = wait_for(lambda: listening(newest, schema))
            newest.execute("SELECT pg_terminate_backend(%s)", pid)
            for n in range(3):
                writer.append("Order-1", AN_EVENT)
                wait_for(lambda n=n: heard == [*range(1, n + 2)])
            (other,) = wait_for(lambda: listening(newest, schema))
            assert other != pid


def test_hints_that_cannot_be_sent_are_done_without(newest: Server) -> None:
    """Somebody listens and does not hear, so that the queue of notifications, which is a short one, is full."""
    if int(newest.version.partition(".")[0]) < 17:
        pytest.skip("before PostgreSQL 17 the queue is not to be had short")
    with another(newest, max_notify_queue_pages=64) as own, connect(own.place("q")) as writer:
        writer.initialize()
        with own.connect() as deaf, own.connect() as loud:
            deaf.execute("LISTEN evstore")
            deaf.execute("BEGIN")
            deaf.execute("SELECT 1")
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                while True:
                    loud.execute(
                        "SELECT pg_notify('evstore', repeat('x', 7000) || n) FROM generate_series(1, 20) AS n"
                    )
            with following(connect(own.place("q"))) as heard:
                for n in range(3):
                    assert writer.append("Order-1", AN_EVENT)[0].version == n + 1
                wait_for(lambda: heard == [1, 2, 3])


def test_a_follower_that_is_busy_with_an_event_holds_nobodys_notifications_up(server: Server) -> None:
    """What a session listens to and does not hear stays in the queue of the whole server, which can be full."""
    schema = server.schema()
    busy, goes_on = threading.Event(), threading.Event()
    asked = "SELECT DISTINCT pid FROM pg_stat_activity WHERE query ~ '^\\s*(UN)?LISTEN' AND application_name = %s"
    with connect(server.url(schema)) as writer, ThreadPoolExecutor() as threads:
        writer.initialize()
        follower = connect(server.url(schema, application_name=schema))

        def follow() -> None:
            for _ in follower.subscribe():
                busy.set()
                goes_on.wait(PATIENCE)
                busy.clear()

        followed = threads.submit(follow)
        try:
            sessions = wait_for(lambda: listening(server, schema))
            for _ in range(2):
                wait_for(lambda: listening(server, schema))
                goes_on.clear()
                writer.append("Order-1", AN_EVENT)
                assert busy.wait(PATIENCE)
                server.execute(
                    "SELECT pg_notify('evstore', repeat('x', 7000) || n) FROM generate_series(1, 1000) AS n"
                )
                # What is read by nobody any more is cut off in steps of a few pages, when more is sent.
                assert server.execute("SELECT pg_notification_queue_usage() < 0.0001") == [(True,)]
                goes_on.set()
                wait_for(lambda: not busy.is_set())
            assert server.execute(asked, schema) == [(pid,) for pid in sessions]  # it was not proved anew
        finally:
            goes_on.set()
            follower.close()
        followed.result(PATIENCE)


def test_who_has_stopped_following_listens_to_nothing(newest: Server, schema: str) -> None:
    with connect(newest.url(schema, application_name=schema)) as store:
        assert [*store.subscribe(timeout=0.5)] == []
        assert listening(newest, schema) == []


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[OwnServer]:
    with another(newest_of(servers)) as made:
        yield made


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_subscription_goes_on_over_a_restart_without_a_gap_or_a_duplicate(own: OwnServer, mode: str) -> None:
    url = own.url(own.schema())
    stop = threading.Event()

    def appended(store: EventStore, event: EventData) -> bool:
        try:
            return bool(store.append("Order-1", [event]))
        except UnavailableError:
            return False

    def write(store: EventStore) -> int:
        count = 0
        while not stop.is_set():
            event = EventData("Placed", count, id=str(uuid4()))
            while not appended(store, event):  # a slow server needs longer to restart than a writer tries
                continue
            count += 1
        return count

    with ThreadPoolExecutor() as threads, connect(url) as writer:
        writer.initialize()
        with following(connect(url)) as heard:
            written = threads.submit(write, writer)
            try:
                for _ in range(2):
                    before = len(heard)
                    wait_for(lambda before=before: len(heard) > before + 20)
                    own.restart(mode)
            finally:
                stop.set()
            count = written.result(PATIENCE)
            wait_for(lambda: len(heard) >= count)
    assert heard == [*range(1, count + 1)]


def test_a_subscription_to_a_server_that_is_away_waits_until_it_is_back(own: OwnServer) -> None:
    url = own.url(own.schema())
    with connect(url) as store:
        store.initialize()
        store.append("Order-1", AN_EVENT)
    with following(connect(url)) as heard:
        wait_for(lambda: heard == [1])
        own.stop()
        for place in (url, own.url(own.schema(), tcp=True)):
            with connect(place) as store, pytest.raises(UnavailableError) as caught:
                store.append("Order-1", AN_EVENT)
            assert type(caught.value) is UnavailableError
            assert names(caught.value, store.location, "reached")
        own.start()
        with connect(url) as store:
            store.append("Order-1", AN_EVENT)
        wait_for(lambda: heard == [1, 2])
