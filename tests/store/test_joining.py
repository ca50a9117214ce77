"""Appends in a transaction of the application: stored with its COMMIT, and by the rules of all appends."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from evstore import (
    ANY_VERSION,
    NO_STREAM,
    AppendConditionError,
    ConcurrencyError,
    EventData,
    EventIdConflictError,
    InvalidInputError,
    Metadata,
    Query,
    StoreBusyError,
    UnsupportedError,
    connect,
)
from evstore.adapters.postgres.location import location_of
from tests.support.waiting import PATIENCE

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
AN_EVENT = [EventData("Placed", {"n": 1})]
CHILD = """
import sys
from evstore import EventData, connect
from tests.store.test_joining import connection_to
url = sys.argv[1]
with connect(url) as store:
    connection = connection_to(url)
    connection.execute("INSERT INTO theirs VALUES (7)")
    store.append("Child-1", [EventData("Placed", n) for n in range(3)], connection=connection)
    print("appended", flush=True)
    sys.stdin.readline()
    connection.commit()
    print("committed", flush=True)
"""


def connection_to(url):
    """A connection of the application to the database of the store, as its driver makes it."""
    if url.startswith("sqlite:"):
        return sqlite3.connect(url.removeprefix("sqlite:"))
    return psycopg.connect(**{**location_of(url, None).conninfo, "application_name": "theirs"})


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path, place):
    with place(request.param, tmp_path) as url:
        with closing(connection_to(url)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS theirs (n integer)")
            connection.execute("DELETE FROM theirs")
            connection.commit()
        yield url


@pytest.fixture
def store(url):
    with connect(url) as store:
        yield store
        assert [*store.verify()] == []


@pytest.fixture
def theirs(url):
    with closing(connection_to(url)) as connection:
        yield connection


def rows(connection):
    return [n for (n,) in connection.execute("SELECT n FROM theirs ORDER BY n").fetchall()]


def test_events_and_rows_of_the_application_are_stored_together(store, theirs):
    store.append("Order-1", AN_EVENT)
    theirs.execute("INSERT INTO theirs VALUES (1)")
    given = {"metadata": Metadata(user_id="alice"), "tags": ["order:1"]}
    first = store.append("Order-1", [EventData("Paid", {"a": "é"})] * 2, 1, connection=theirs, **given)
    second = store.append_many(
        [("Order-2", AN_EVENT, NO_STREAM), ("Order-1", AN_EVENT, 3), ("Order-2", AN_EVENT, 1)], connection=theirs
    )
    assert store.head() == 1
    theirs.commit()
    assert [*first, *second] == [*store.replay(after=1)]
    assert not first.duplicate
    assert [e.version for e in second] == [1, 4, 2]
    assert rows(theirs) == [1]


def test_a_rollback_leaves_neither_events_nor_streams_nor_positions(store, theirs):
    store.append("Order-1", AN_EVENT)
    theirs.execute("INSERT INTO theirs VALUES (1)")
    store.append("Other-1", [EventData("New", 1, tags=["a:1"])], source=("orders.csv", 7), connection=theirs)
    theirs.rollback()
    assert ([*store.tags()], [*store.sources()], store.head(), rows(theirs)) == ([], [], 1, [])
    assert [e.category for e in store.categories()] == ["Order"]
    theirs.rollback()
    assert store.append("Other-1", AN_EVENT, NO_STREAM)[0].global_position == 2


def test_the_driver_begins_the_transaction_where_the_append_is_its_first_statement(store, theirs):
    with theirs:
        store.append("Order-1", AN_EVENT, connection=theirs)
        assert store.head() == 0
    assert store.head() == 1


def test_after_a_refusal_the_transaction_goes_on(store, theirs):
    store.append("Order-1", [EventData("Placed", {}, tags=["order:1"])])
    theirs.execute("INSERT INTO theirs VALUES (1)")
    mine = store.append("Order-2", [EventData("Placed", {}, id=ID)], connection=theirs)
    for refusal, given in [
        (ConcurrencyError, {"expected_version": 7}),
        (ConcurrencyError, {"expected_version": NO_STREAM}),
        (ConcurrencyError, {"require": [("Order-1", 2)]}),
        (AppendConditionError, {"unless": Query(tags=["order:1"])}),
        (EventIdConflictError, {"events": [EventData("Paid", {}, id=ID)]}),
    ]:
        with pytest.raises(refusal):
            store.append(**{"stream_id": "Order-2", "events": AN_EVENT, "connection": theirs, **given})
    more = store.append("Order-2", AN_EVENT, 1, require=[("Order-1", 1)], connection=theirs)
    theirs.commit()
    assert [*store.replay(after=1)] == [*mine, *more]
    assert rows(theirs) == [1]


def test_a_refused_append_that_would_have_begun_the_transaction_begins_none(store, theirs):
    store.append("Order-1", AN_EVENT)
    with pytest.raises(ConcurrencyError):
        store.append("Order-1", AN_EVENT, NO_STREAM, connection=theirs)
    store.append("Order-1", AN_EVENT)  # nobody holds the store
    assert store.head() == 2


def test_a_retry_within_the_transaction_and_after_it_is_a_duplicate(store, theirs):
    first = store.append("Order-1", AN_EVENT, key="k", source=("file", 3), connection=theirs)
    again = store.append("Order-1", AN_EVENT, NO_STREAM, key="k", connection=theirs)
    taken = store.append("Order-1", AN_EVENT, source=("file", 3), connection=theirs)
    theirs.commit()
    later = store.append("Order-1", AN_EVENT, key="k", connection=theirs)
    theirs.commit()
    assert [each.duplicate for each in (first, again, taken, later)] == [False, True, True, True]
    assert first == again == later == [*store.replay()]
    assert taken == []


def test_a_unit_that_is_too_large_for_one_statement_is_stored_as_well(store, theirs):
    stored = store.append("Order-1", [EventData("Placed", n) for n in range(2500)], connection=theirs)
    theirs.commit()
    assert stored == [*store.replay()]


def test_other_writers_wait_for_the_commit_and_come_after_it(store, theirs):
    store.append("Order-1", AN_EVENT, connection=theirs)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(store.append, f"Other-{n}", AN_EVENT) for n in range(2)]
        store.append("Order-1", AN_EVENT, connection=theirs)
        assert not any(each.done() for each in others)
        theirs.commit()
        assert {each.result(PATIENCE)[0].global_position for each in others} == {3, 4}


def test_a_thread_that_waits_for_its_own_transaction_reads_why_after_the_timeout(url, store, theirs):
    with connect(url, timeout=0.2) as hasty:
        with ThreadPoolExecutor(1) as pool:
            store.append("Order-1", AN_EVENT, connection=theirs)
            with pytest.raises(StoreBusyError) as another:
                pool.submit(hasty.append, "Order-2", AN_EVENT).result(PATIENCE)
            theirs.rollback()
        hasty.append("Order-1", AN_EVENT, connection=theirs)
        with pytest.raises(StoreBusyError) as busy:
            hasty.append("Order-2", AN_EVENT)
        assert "until that transaction is over" in busy.value.__notes__[0]
        assert not getattr(another.value, "__notes__", [])
        theirs.commit()
        hasty.append("Order-2", AN_EVENT)


def test_whoever_follows_sees_the_events_after_the_commit(store, theirs):
    store.append("Order-1", AN_EVENT, connection=theirs)
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(next, store.subscribe(timeout=PATIENCE))
        theirs.commit()
        assert seen.result(PATIENCE).stream_id == "Order-1"


def test_threads_that_join_and_threads_that_do_not_leave_no_gap(url, store):
    start = threading.Barrier(4)

    def append(thread):
        start.wait(PATIENCE)
        with closing(connection_to(url)) as connection:
            for n in range(20):
                stored = store.append(f"Order-{thread}", AN_EVENT, n - n // 4, connection=connection)
                assert len(stored) == 1
                if n % 4 == 3:
                    connection.rollback()
                else:
                    connection.commit()

    def append_alone(thread):
        start.wait(PATIENCE)
        for n in range(20):
            store.append(f"Alone-{thread}", AN_EVENT, n)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, n) for work in (append, append_alone) for n in range(2)]:
            each.result(PATIENCE)
    assert [e.global_position for e in store.replay()] == [*range(1, 71)]
    assert {info.stream_id: info.version for info in store.streams()} == {
        "Order-0": 15, "Order-1": 15, "Alone-0": 20, "Alone-1": 20
    }  # fmt: skip


@pytest.fixture
def child(url):
    """Another process that has appended in its transaction, and waits for a line before the commit."""
    argv = [sys.executable, "-c", CHILD, url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "appended\n"
            yield process
        finally:
            process.kill()


def test_the_commit_of_another_process_comes_before_an_append_that_waits_for_it(store, child, theirs):
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(store.append, "Order-1", AN_EVENT)
        assert store.head() == 0
        child.stdin.write("\n")
        child.stdin.flush()
        assert waits.result(PATIENCE)[0].global_position == 4
    assert child.stdout.readline() == "committed\n"
    assert [e.stream_id for e in store.replay()] == [*["Child-1"] * 3, "Order-1"]
    assert rows(theirs) == [7]


def test_nothing_is_left_of_a_process_that_is_killed_before_its_commit(store, child, theirs):
    os.kill(child.pid, signal.SIGKILL)
    child.wait(PATIENCE)
    assert store.append("Order-1", AN_EVENT)[0].global_position == 1
    assert [e.stream_id for e in store.replay()] == ["Order-1"]
    assert rows(theirs) == []


def test_a_handler_that_has_a_transaction_joins_no_other(store, theirs):
    store.append("Order-1", AN_EVENT)
    refused = []

    def handle(events, tx):
        with pytest.raises(InvalidInputError, match=r"tx\.append") as error:
            store.append("Order-2", AN_EVENT, connection=theirs)
        refused.append(error)

    with store.consumer("mailer") as mailer:
        mailer.run(handle, transactional=True, once=True)
    assert len(refused) == 1


def test_a_handler_meets_what_it_has_appended_in_its_own_transaction(store):
    store.append("Order-1", AN_EVENT)
    found = []

    def handle(events, tx):
        found.extend(tx.append("Mail-1", AN_EVENT, ANY_VERSION, key="k") for _ in range(2))

    with store.consumer("mailer", categories=["Order"]) as mailer:
        mailer.run(handle, transactional=True, once=True)
    assert found[0] == found[1] == [*store.read("Mail-1")]


def test_a_store_in_memory_joins_no_transaction():
    with connect("memory:") as store, closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(UnsupportedError, match="append without connection"):
            store.append("Order-1", AN_EVENT, connection=connection)
        assert store.head() == 0
