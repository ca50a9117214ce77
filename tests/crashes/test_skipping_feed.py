"""The checker finds what a naive feed skips; and the schedule that makes it skip cannot be run on evstore."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic_ns
from typing import TYPE_CHECKING
from uuid import uuid4

from evstore import ANY_VERSION, connect
from tests.crashes.lab import open_transactions, recorded
from tests.crashes.lab.checker import check
from tests.crashes.lab.history import History, Invoked, Part, Sent, Started
from tests.crashes.lab.skipping_feed import Feed, load
from tests.support import long_runs
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from psycopg import Connection

    from tests.support.servers import Server


def waits(server: Server, waiter: Connection) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
    return server.execute(query, waiter.info.backend_pid) == [(1,)]


def test_a_naive_feed_skips_the_lower_position_of_the_later_transaction(newest: Server) -> None:
    feed = Feed(newest)
    with newest.connect() as first, newest.connect() as second, newest.connect() as reader:
        ours = feed.begin(first, "first", "Order-1")
        theirs = feed.begin(second, "second", "Order-2")
        low = feed.insert(second, theirs)
        high = feed.insert(first, ours)
        assert (low[0], high[0]) == (1, 2)
        feed.commit(first, "first", *high)
        wait_for(lambda: feed.read(reader))  # at once, unless somebody else has a transaction open
        feed.commit(second, "second", *low)
    assert [finding.sentence for finding in feed.judged().findings] == ["reader skipped from 0 to 2"]


def test_a_naive_feed_skips_events_under_load(newest: Server) -> None:
    seed = long_runs.a_seed()
    print(f"seed {seed}")
    judged = load(newest, PATIENCE, seed, until_skipped=True)
    assert {finding.rule for finding in judged.findings} == {6}, judged.findings
    assert all(" skipped " in finding.sentence for finding in judged.findings)


def test_in_evstore_the_later_transaction_waits_with_its_position_and_nothing_is_skipped(newest: Server) -> None:
    schema = newest.schema()
    records = []

    def append(connection: Connection, op: str) -> None:
        part = Part(f"Order-{op}", ANY_VERSION, (Sent(str(uuid4()), "Made", "{}"),))
        records.append(Invoked(op, monotonic_ns(), (part,)))
        open_transactions.append(connection, schema, (part,))

    with (
        connect(newest.url(schema)) as store,
        ThreadPoolExecutor(1) as pool,
        newest.connect() as first,
        newest.connect() as second,
    ):
        store.initialize()
        records.append(Started("reader", 0))
        for connection in (first, second):
            connection.execute("BEGIN")
            connection.execute("SELECT txid_current()")
        append(second, "second")
        waiting = pool.submit(append, first, "first")
        wait_for(lambda: waits(newest, first))
        assert store.head() == 0
        second.execute("COMMIT")
        recorded.follow(store, records.append, "reader", to=1)
        waiting.result(PATIENCE)
        first.execute("COMMIT")
        recorded.follow(store, records.append, "reader", after=1, to=2)
        log = list(store.replay())
    assert [event.stream_id for event in log] == ["Order-second", "Order-first"]
    assert check(History.of(records), log) == []
