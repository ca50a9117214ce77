"""Standbys: one that must have what is acknowledged, and one that is read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from evstore import DeniedError, EventData, UnavailableError, connect
from tests.support.sentences import names
from tests.support.servers import another, newest_of, replica
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from datetime import datetime

    from evstore import EventStore
    from tests.support.servers import OwnServer, Replica, Servers

AN_EVENT = [EventData("Placed", {})]
LARGE = [EventData("Placed", n) for n in range(1001)]
"""More than goes in one call."""


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[OwnServer]:
    with another(newest_of(servers)) as made:
        yield made


@contextmanager
def lonely(own: OwnServer, **params: object) -> Iterator[EventStore]:
    """A store on a server whose commits wait for a standby, and there is none."""
    with connect(own.place("lonely", application_name="writer", **params)) as store:
        store.initialize()
        own.execute("VACUUM")  # else a look at the new rows of the catalog may write to the log, and wait as well
        require_standby(own, "*")
        try:
            yield store
        finally:
            require_standby(own, "")
            own.drop_places()


def require_standby(own: OwnServer, names: str) -> None:
    own.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    own.execute("SELECT pg_reload_conf()")
    wait_for(lambda: own.execute("SHOW synchronous_standby_names") == [(names,)])


def since(own: OwnServer) -> dict[int, datetime]:
    """Who waits for the standby, and when each began to ask for what he waits for."""
    asked = "SELECT pid, query_start FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'writer'"
    return dict(own.execute(asked))


def waits_anew(own: OwnServer, appended: Future[Any], last: datetime) -> None:
    """Of its own accord it asks again, later than then, and waits again."""
    wait_for(lambda: appended.done() or max(since(own).values(), default=last) > last)
    assert not appended.done()


@pytest.mark.parametrize(
    ("events", "defaults"),
    [
        (AN_EVENT, "-c synchronous_commit=off"),
        (AN_EVENT, "-c client_min_messages=error"),  # that nobody waited is told in a warning
        (LARGE, ""),
    ],
    ids=["not synchronous", "quiet", "large"],
)
def test_an_append_is_acknowledged_when_the_standby_has_it_and_not_before(
    own: OwnServer, events: list[EventData], defaults: str
) -> None:
    with ThreadPoolExecutor() as threads, lonely(own, options=defaults) as store:
        appended = threads.submit(store.append, "Order-1", events)
        visible = f"SELECT count(*) FROM {own.schema('lonely')}.events"
        wait_for(lambda: own.execute(visible) == [(len(events),)])
        for end in ("pg_cancel_backend", "pg_cancel_backend", "pg_terminate_backend"):
            before = wait_for(lambda: since(own))
            own.execute(f"SELECT {end}(%s)", *before)
            waits_anew(own, appended, max(before.values()))
        require_standby(own, "")
        assert len(appended.result(60)) == len(events)
        assert [event.version for event in store.read("Order-1")] == [*range(1, len(events) + 1)]
        assert store.head() == len(events)


def test_who_waits_for_the_standby_holds_nobody_up(own: OwnServer) -> None:
    """The lock is free as soon as the events are in the log: others are judged, and wait beside each other."""
    with ThreadPoolExecutor() as threads, lonely(own) as store:
        appended = [threads.submit(store.append, f"Order-{n}", AN_EVENT, 0) for n in range(4)]
        wait_for(lambda: len(since(own)) == 4)
        assert not any(each.done() for each in appended)
        require_standby(own, "")
        assert sorted(each.result(60)[0].global_position for each in appended) == [1, 2, 3, 4]


def test_what_is_answered_of_an_earlier_append_waits_for_the_standby_too(own: OwnServer) -> None:
    """Its events were never acknowledged, and may yet be lost with the server."""
    with ThreadPoolExecutor() as threads, lonely(own) as store:
        unit = store.appender.unit([("Order-1", AN_EVENT, -1)])
        first = threads.submit(store.appender.submit, [unit])
        wait_for(lambda: len(since(own)) == 1)
        again = threads.submit(store.appender.submit, [unit])
        wait_for(lambda: len(since(own)) == 2)
        assert not first.done()
        assert not again.done()
        require_standby(own, "")
        assert len(first.result(60)) == len(again.result(60)) == 1
        assert store.head() == 1


def test_a_reader_waits_for_the_standby_that_an_append_waits_for(own: OwnServer) -> None:
    """What it has shown would be gone after a failover."""
    with (
        ThreadPoolExecutor() as threads,
        lonely(own) as store,
        connect(store.location, timeout=0.2) as reader,
    ):
        require_standby(own, "")
        store.append("Order-1", AN_EVENT)
        store.append("Order-2", AN_EVENT)
        own.execute("VACUUM")  # as in `lonely`
        following = reader.subscribe(after=2, timeout=0.1)
        require_standby(own, "*")
        appended = [threads.submit(store.append, "Order-1", events) for events in (AN_EVENT, LARGE)]
        wait_for(lambda: len(since(own)) == 2)
        assert [*following] == []
        assert [event.version for event in reader.read("Order-2")] == [1]  # nobody waits for it
        for read in (reader.head, lambda: [*reader.read("Order-1")], reader.info):
            with pytest.raises(UnavailableError, match="standby") as waited:
                read()
            assert waited.value.retryable
        shown = threads.submit(lambda: [event.version for event in store.read("Order-1")])
        assert not shown.done()
        assert not any(each.done() for each in appended)
        require_standby(own, "")
        assert shown.result(60) == [*range(1, 2 + 1 + len(LARGE))]
        assert all(each.result(60) for each in appended)
        assert store.head() == 3 + len(LARGE)


def test_an_interrupted_append_keeps_no_reader_waiting(own: OwnServer) -> None:
    with ThreadPoolExecutor() as threads, lonely(own) as store:
        appended = threads.submit(store.append, "Order-1", AN_EVENT)
        before = wait_for(lambda: since(own))
        own.execute("SELECT pg_terminate_backend(%s)", *before)
        waits_anew(own, appended, max(before.values()))
        require_standby(own, "")
        assert appended.result(60)
        with connect(store.location, timeout=1) as reader:
            assert reader.head() == 1
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::regclass"
        assert own.execute(locks, f"{own.schema('lonely')}.events") == [(0,)]


# --- reading from one ---


@pytest.fixture(scope="module")
def follower(own: OwnServer) -> Iterator[Replica]:
    with replica(own) as made:
        yield made


@pytest.fixture
def standby(own: OwnServer, follower: Replica) -> Iterator[tuple[OwnServer, str, Replica]]:
    schema = own.schema()
    with connect(own.url(schema)) as store:
        store.initialize()
        store.append("Order-1", AN_EVENT + LARGE)
        store.append("Invoice-1", AN_EVENT)
    follower.caught_up()
    yield own, schema, follower
    own.drop_places()


def test_a_replica_answers_every_question(standby: tuple[OwnServer, str, Replica]) -> None:
    server, schema, follower = standby
    with connect(server.url(schema)) as store, connect(follower.url(schema)) as copy:
        for ask in (
            lambda s: [*s.replay()],
            lambda s: [*s.replay(["Invoice"], backward=True)],
            lambda s: [*s.read("Order-1", after=900)],
            lambda s: [*s.streams()],
            lambda s: [*s.categories()],
            lambda s: [*s.types()],
            lambda s: s.stream_info("Order-1"),
            lambda s: s.head(),
            lambda s: s.get(next(s.replay()).id),
        ):
            assert ask(copy) == ask(store)
        info = copy.info()
        assert info.head == 1003
        assert any("replica" in warning for warning in info.warnings)
        assert not store.info().warnings


def test_a_replica_refuses_an_append_and_says_what_it_is(standby: tuple[OwnServer, str, Replica]) -> None:
    _, schema, follower = standby
    with connect(follower.url(schema)) as copy:
        for events in (AN_EVENT, LARGE):
            with pytest.raises(DeniedError) as caught:
                copy.append("Order-2", events)
            assert caught.value.code == "denied"
            assert not caught.value.retryable
            assert names(caught.value, copy.location, "replica", "primary")
        copy.initialize()  # there is nothing to make
    with connect(follower.url("not_there")) as copy, pytest.raises(DeniedError, match="replica"):
        copy.initialize()


def test_a_replica_is_followed_by_its_log(standby: tuple[OwnServer, str, Replica]) -> None:
    server, schema, follower = standby
    with connect(server.url(schema)) as store, connect(follower.url(schema)) as copy:
        events = copy.subscribe(after=1001)
        assert next(events).stream_id == "Order-1"
        assert next(events).stream_id == "Invoice-1"
        for n in range(3):
            store.append("Order-3", [EventData("Placed", n)])
            event = next(events)
            assert (event.stream_id, event.data, event.global_position) == ("Order-3", n, 1004 + n)


def test_a_position_that_a_replica_does_not_have_yet_is_waited_for(
    standby: tuple[OwnServer, str, Replica],
) -> None:
    """Whoever comes from the primary with its position is ahead, and has not lost anything."""
    server, schema, follower = standby
    follower.execute("SELECT pg_wal_replay_pause()")
    wait_for(lambda: follower.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    with connect(server.url(schema)) as store, connect(follower.url(schema)) as copy:
        store.append("Order-3", [EventData("Placed", n) for n in range(5)])
        assert [*copy.subscribe(after=1005, timeout=0)] == []
        assert [*copy.replay(after=1005)] == []
        heard, ready = [], threading.Event()

        def follow() -> None:
            for event in copy.subscribe(after=1005):
                heard.append(event.global_position)
                ready.set()
                if len(heard) == 3:
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        assert not ready.wait(0.2)
        follower.execute("SELECT pg_wal_replay_resume()")
        thread.join(60)
    assert heard == [1006, 1007, 1008]
