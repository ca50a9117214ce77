"""Projections: tables that change with their checkpoint, versions beside each other, and views that swap."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

import evstore
from evstore import (
    ConsumerFilterError,
    ConsumerHeldError,
    EventData,
    InvalidInputError,
    Metadata,
    Projection,
    UnsupportedError,
    connect,
)
from tests.support.projected import Balances, BalancesInCents, Deposited, Reader, deposit
from tests.support.servers import newest_of

if TYPE_CHECKING:
    from evstore import StoredEvent

pytestmark = pytest.mark.sqlite_first("a store in memory has no tables")
NOW, LATER = "projection:balances@1", "projection:balances@2"


@pytest.fixture
def url(adapter, tmp_path, empty_store, servers):
    """A store in a database of its own: the tables lie beside it."""
    if adapter == "sqlite":
        empty_store.copy_to(tmp_path / "events.db")
        yield f"sqlite:{tmp_path}/events.db"
        return
    server, database = newest_of(servers), f"projected_{uuid4().hex[:16]}"
    server.execute(f"CREATE DATABASE {database}")
    with connect(server.url(database=database)) as store:
        store.initialize()
    yield server.url(database=database)
    server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def filled(store):
    """Three deposits of ann, one of ben, and an event that no projection here knows."""
    deposit(store, 1, 2, 3)
    deposit(store, 10, account="ben")
    store.append("Note-1", [EventData("Noted", {})])
    return store


@pytest.fixture
def reader(url):
    reader = Reader(url)
    yield reader
    reader.connection.close()


def until(met, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def running(runner, **options):
    """The runner at work in a thread. What ends it is raised after the block."""
    failed = []

    def run():
        try:
            runner.run(timeout=30, **options)
        except Exception as error:  # noqa: BLE001 - raised below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failed
    finally:
        runner.stop()
        thread.join(30)
    assert not thread.is_alive()


class Halting(BalancesInCents):
    """Waits in the middle of its first event, or fails there."""

    reached = threading.Event()
    goes_on = threading.Event()

    @evstore.when
    def deposited(self, event: Deposited, stored: StoredEvent, tx) -> None:
        self.reached.set()
        assert self.goes_on.wait(20)
        super().deposited(event, stored, tx)


@pytest.fixture
def halting():
    class Mine(Halting):
        reached, goes_on = threading.Event(), threading.Event()

    return Mine


# --- events to rows ---


def test_events_become_rows_that_readers_see(filled, reader):
    assert filled.projection(Balances).run(once=True) == 4
    assert reader.rows("SELECT * FROM balances ORDER BY account") == [("ann", 6, 3), ("ben", 10, 1)]
    filled.append("Account-ben", [EventData("account-closed", {"account": "ben"})])
    deposit(filled, 4)
    assert filled.projection(Balances).run(once=True) == 2
    assert reader.rows("SELECT * FROM balances") == [("ann", 10, 4)]


def test_a_projection_of_an_empty_log_is_shown_too(store, reader):
    assert store.projection(Balances).run(once=True) == 0
    assert reader.rows("SELECT * FROM balances") == []
    assert store.projection(Balances).status().state == "live"


def test_the_status_says_how_far_it_has_come(filled):
    runner = filled.projection(Balances)
    status = runner.status()
    assert (status.state, status.position, status.lag, status.live_version) == ("absent", 0, 4, None)
    runner.run(once=True)
    deposit(filled, 5)
    status = runner.status()
    assert (status.name, status.version, status.state, status.position, status.lag) == (
        "balances",
        1,
        "live",
        5,
        1,
    )
    assert (status.live_version, status.consumer, status.holder, status.parked) == (1, NOW, None, 0)
    assert filled.projection(BalancesInCents).status()[:4] == ("balances", 2, "absent", 0)


def test_its_checkpoint_is_listed_among_the_consumers(filled):
    filled.projection(Balances).run(once=True)
    (info,) = filled.consumers.all(prefix="projection:")
    assert (info.name, info.types, info.lag) == (NOW, ("Deposited", "account-closed"), 0)


def test_only_events_of_its_categories_count(filled, reader):
    class Of(Balances):
        categories = ("Account",)

    filled.append("Elsewhere-1", [EventData("Deposited", {"account": "ann", "amount": 99})])
    filled.projection(Of).run(once=True)
    assert reader.rows("SELECT amount FROM balances ORDER BY account") == [(6,), (10,)]


def test_a_method_takes_the_event_as_it_is_stored(filled, reader):
    class Log(Projection):
        name = "balances-log"

        def create(self, tx):
            tx.execute(f"CREATE TABLE {tx.table('balances_log')} (position INTEGER, type TEXT)")

        @evstore.when("Deposited", "Noted")
        def any_of_them(self, event, tx):
            tx.execute(f"INSERT INTO {tx.table('balances_log')} VALUES ({event.global_position}, '{event.type}')")

    assert filled.projection(Log).run(once=True) == 5
    assert reader.rows("SELECT * FROM balances_log ORDER BY position")[3:] == [(4, "Deposited"), (5, "Noted")]


def test_an_event_that_fails_is_named_and_leaves_nothing(filled, reader):
    filled.projection(Balances).run(once=True)
    deposit(filled, 4)
    (bad,) = filled.append("Account-ann", [EventData("Deposited", {"account": "ann", "amount": "a lot"})])
    with pytest.raises(evstore.CodecError) as raised:
        filled.projection(Balances).run(once=True)
    (note,) = raised.value.__notes__
    for part in ('projection "balances" version 1', "deposited", "position 7", bad.id, "Account-ann", "version 5"):
        assert part in note
    assert reader.rows("SELECT amount FROM balances WHERE account = 'ann'") == [(6,)]
    assert filled.projection(Balances).status().position == 5


def test_what_a_statement_raises_comes_out_as_it_is(filled):
    class Wrong(Balances):
        @evstore.when
        def deposited(self, event: Deposited, tx) -> None:
            tx.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(Exception, match="nowhere") as raised:
        filled.projection(Wrong).run(once=True)
    assert not isinstance(raised.value, evstore.EvstoreError)
    assert "position 1" in raised.value.__notes__[0]


def test_an_event_that_fails_is_parked_where_that_is_wanted(filled, reader):
    filled.append("Account-ann", [EventData("Deposited", {"account": "ann", "amount": "a lot"})])
    deposit(filled, 7, account="ben")
    runner = filled.projection(Balances)
    assert runner.run(once=True, on_failure="park") == 5
    assert reader.rows("SELECT amount FROM balances ORDER BY account") == [(6,), (17,)]
    assert (runner.status().parked, [each.global_position for each in filled.consumers.parked(NOW)]) == (1, [6])


def test_a_redacted_event_reaches_only_methods_that_take_it_as_it_is_stored(filled, reader):
    filled.redact([next(filled.replay()).id], "asked for")
    seen = []

    class Both(Balances):
        @evstore.when("Noted", "Opened")
        def noted(self, event, stored, tx):
            assert event is stored
            seen.append((event.type, event.redacted))

    (opened,) = filled.append("Account-ann", [EventData("Opened", {"name": "Ann"})])
    filled.redact([opened.id], "asked for")
    filled.projection(Both).run(once=True)
    assert reader.rows("SELECT amount FROM balances ORDER BY account") == [(5,), (10,)]
    assert seen == [("Noted", False), ("Opened", True)]


# --- versions ---


def test_a_new_version_is_built_beside_the_old_one_and_then_shown(filled, reader, halting):
    filled.projection(Balances).run(once=True)
    runner = filled.projection(halting)
    assert runner.status().state == "absent"
    thread = threading.Thread(target=runner.run, kwargs={"once": True, "batch_size": 1})
    thread.start()
    assert halting.reached.wait(20)
    assert (runner.status().state, runner.status().live_version) == ("building", 1)
    assert reader.rows("SELECT * FROM balances ORDER BY account") == [("ann", 6, 3), ("ben", 10, 1)]
    halting.goes_on.set()
    thread.join(20)
    assert reader.rows("SELECT * FROM balances ORDER BY account") == [("ann", 6, 3, 100), ("ben", 10, 1, 100)]
    assert reader.names() == {"balances", "balances@balances:2"}
    assert [each.name for each in filled.consumers.all()] == [LATER]
    assert runner.status()[:4] == ("balances", 2, "live", 5)


def test_an_older_version_is_refused_until_it_is_built_again(filled, reader):
    filled.projection(BalancesInCents).run(once=True)
    with pytest.raises(InvalidInputError, match=r"version 2 .* rebuild\(\)"):
        filled.projection(Balances).run(once=True)
    assert filled.projection(Balances).rebuild() == 4
    assert reader.rows("SELECT * FROM balances ORDER BY account") == [("ann", 6, 3), ("ben", 10, 1)]
    assert filled.projection(Balances).run(once=True) == 0
    assert filled.projection(BalancesInCents).run(once=True) == 4
    assert reader.names() == {"balances", "balances@balances:2"}


def test_a_process_of_an_older_version_ends_when_a_later_one_is_shown(filled, reader):
    old = filled.projection(Balances)
    with running(old) as failed:
        until(lambda: old.status().state == "live")
        filled.projection(BalancesInCents).run(once=True)
        until(lambda: failed)
    assert "version 2" in str(failed[0])
    assert reader.names() == {"balances", "balances@balances:2"}


def test_a_process_of_a_later_version_ends_when_the_projection_goes_back(filled, reader):
    later = filled.projection(BalancesInCents)
    with running(later) as failed:
        until(lambda: later.status().state == "live")
        filled.projection(Balances).rebuild()
        until(lambda: failed)
    assert "from version 2 to 1" in str(failed[0])
    assert reader.names() == {"balances", "balances@balances:1"}


def test_a_run_ends_when_its_store_is_closed(filled, reader, url):
    with connect(url) as other:
        runner = other.projection(Balances)
        with running(runner) as failed:
            until(lambda: filled.projection(Balances).status().state == "live")
            other.close()
    assert failed == []
    assert reader.rows("SELECT amount FROM balances ORDER BY account") == [(6,), (10,)]
    assert filled.projection(Balances).status().holder is None


def test_a_view_of_a_version_that_no_longer_has_it_is_removed(filled, reader):
    class Two(Balances):
        def create(self, tx):
            super().create(tx)
            tx.execute(f"CREATE TABLE {tx.table('more_balances')} (n INTEGER)")
            tx.execute(f"CREATE INDEX {tx.index('by_n')} ON {tx.table('more_balances')} (n)")

    filled.projection(Two).run(once=True)
    assert reader.rows("SELECT * FROM more_balances") == []
    assert {"balances", "more_balances"} < reader.names()
    filled.projection(BalancesInCents).run(once=True)
    assert reader.names() == {"balances", "balances@balances:2"}


def test_other_events_need_another_version(filled):
    filled.projection(Balances).run(once=True)

    class More(Balances):
        @evstore.when("Noted")
        def noted(self, event, tx):
            raise AssertionError

    with pytest.raises(ConsumerFilterError) as raised:
        filled.projection(More).run(once=True)
    assert "raise its version" in raised.value.__notes__[0]


# --- building anew ---


def test_a_projection_is_built_anew_beside_the_present_one(filled, reader):
    runner = filled.projection(Balances)
    runner.run(once=True)
    for number in (2, 3):
        assert runner.rebuild() == 4
        assert reader.names() == {"balances", f"balances@balances:1.{number}"}
        assert reader.rows("SELECT * FROM balances ORDER BY account") == [("ann", 6, 3), ("ben", 10, 1)]
    deposit(filled, 1)
    assert runner.run(once=True) == 1
    assert reader.rows("SELECT amount FROM balances WHERE account = 'ann'") == [(7,)]


def test_what_an_interrupted_rebuild_has_left_is_not_gone_on_with(filled, reader, halting):
    halting.version = 1
    filled.projection(Balances).run(once=True)
    runner = filled.projection(halting)
    halting.goes_on.set()
    runner.stop()
    runner.rebuild()  # makes its tables, and fills nothing
    assert {"balances@balances:1", "balances@balances:1.2"} < reader.names()
    assert filled.projection(Balances).run(once=True) == 0
    assert reader.rows("SELECT amount FROM balances ORDER BY account") == [(6,), (10,)]
    filled.projection(Balances).rebuild()
    assert len(reader.names()) == 2


def test_a_projection_does_not_move_with_consumers_but_is_made_anew(filled):
    filled.projection(Balances).run(once=True)
    assert [*filled.consumers.lines()] == []


def test_a_projection_is_rebuilt_while_events_come_in_and_readers_never_see_a_part(filled, url, reader):
    runner = filled.projection(Balances)
    seen, appended, over = [], threading.Barrier(2), threading.Event()

    def append():
        with connect(url) as other:
            for n in range(10_000):
                deposit(other, 1)
                over.wait(0.01)  # so that a rebuild catches up
                if n == 20:
                    appended.wait(20)
                if over.is_set():
                    return

    def read():
        its = Reader(url)
        while not over.is_set():
            seen.extend(its.rows("SELECT events FROM balances WHERE account = 'ann'"))
        its.connection.close()

    with running(runner):
        until(lambda: runner.status().state == "live")
        threads = [threading.Thread(target=each) for each in (append, read)]
        for each in threads:
            each.start()
        appended.wait(20)
        with connect(url) as other:
            for _ in range(3):
                other.projection(Balances).rebuild(batch_size=7)
        over.set()
        for each in threads:
            each.join(20)
        head = filled.head()
        until(lambda: runner.status()[2:4] == ("live", head) and runner.status().lag == 0)
    assert seen == sorted(seen)
    assert len({*seen}) > 3
    count = filled.count(types=["Deposited"]) - 1
    assert reader.rows("SELECT events, amount FROM balances WHERE account = 'ann'") == [(count, count + 3)]
    assert len(reader.names()) == 2


def test_one_process_at_a_time_builds_a_version(filled, url, halting):
    runner = filled.projection(halting)
    thread = threading.Thread(target=runner.run, kwargs={"once": True})
    thread.start()
    assert halting.reached.wait(20)
    with connect(url) as other:
        for build in (lambda: other.projection(halting).run(once=True), other.projection(halting).rebuild):
            with pytest.raises(ConsumerHeldError) as raised:
                build()
            assert raised.value.name == LATER
    halting.goes_on.set()
    thread.join(20)
    assert runner.status().state == "live"


def test_a_runner_that_was_stopped_begins_nothing(filled):
    runner = filled.projection(Balances)
    runner.stop()
    assert runner.run() == 0
    assert runner.status().state == "absent"


# --- what is refused ---


def test_a_store_in_memory_has_no_projections():
    with connect("memory:") as store, pytest.raises(UnsupportedError):
        store.projection(Balances).run(once=True)


@pytest.mark.parametrize("name", ["", "Balances", "a b", "a@b", "1", "x" * 41, None])
def test_the_name_of_a_projection_is_plain(store, name):
    with pytest.raises(InvalidInputError):
        store.projection(type("Named", (Balances,), {"name": name}))


@pytest.mark.parametrize("version", [0, -1, "1", True, 1.0])
def test_the_version_of_a_projection_is_a_number(store, version):
    with pytest.raises(InvalidInputError):
        store.projection(type("Versioned", (Balances,), {"version": version}))


def test_what_is_no_projection_is_refused(store):
    class Nothing(Projection):
        name = "nothing"

    for each in (Nothing, Balances(), dict, Projection):
        with pytest.raises(InvalidInputError):
            store.projection(each)
    with pytest.raises(InvalidInputError, match="list"):
        store.projection(type("Of", (Balances,), {"categories": "Account"}))


def test_a_table_that_create_did_not_ask_for_is_refused(filled):
    class Other(Balances):
        @evstore.when
        def deposited(self, event: Deposited, tx) -> None:
            tx.table("balance")

    with pytest.raises(InvalidInputError, match=r'no table "balance".*balances'):
        filled.projection(Other).run(once=True)


@pytest.mark.parametrize("table", ["", "a b", 'a"b', "1", "x" * 60])
def test_the_name_of_a_table_is_plain_and_short(filled, table):
    class Named(Balances):
        def create(self, tx):
            tx.table(table)

    with pytest.raises(InvalidInputError):
        filled.projection(Named).run(once=True)


def test_a_name_that_something_else_has_is_left_alone(filled, reader):
    filled.projection(Balances).run(once=True)

    class Other(Balances):
        name = "others"

    with pytest.raises(InvalidInputError, match="balances"):
        filled.projection(Other).run(once=True)
    assert reader.names() == {"balances", "balances@balances:1"}
    assert filled.projection(Balances).run(once=True) == 0


def test_what_create_raises_comes_out_and_leaves_nothing(filled, reader):
    class Failing(Balances):
        def create(self, tx):
            super().create(tx)
            raise ValueError("not this")

    with pytest.raises(ValueError, match="not this") as raised:
        filled.projection(Failing).run(once=True)
    assert 'projection "balances" version 1: create' in raised.value.__notes__[0]
    assert reader.names() == set()
    assert filled.projection(Balances).run(once=True) == 4


def test_a_method_does_not_append(filled):
    class Appending(Balances):
        @evstore.when
        def deposited(self, event: Deposited, tx) -> None:
            assert not hasattr(tx, "append")
            filled.append("Mail-1", [EventData("Sent", {})])

    with pytest.raises(InvalidInputError, match="append"):
        filled.projection(Appending).run(once=True)


def test_an_event_of_another_schema_version_is_refused(filled):
    event = EventData("Deposited", {"account": "ann", "amount": 1}, Metadata(custom={"$schema_version": "2"}))
    filled.append("Account-ann", [event])
    with pytest.raises(evstore.CodecError, match="version 2"):
        filled.projection(Balances).run(once=True)


# --- what is kept in the store ---


def test_a_checkpoint_of_a_projection_is_not_reset(filled):
    filled.projection(Balances).run(once=True)
    with pytest.raises(InvalidInputError, match="rebuild"):
        filled.consumers.reset(NOW, 0)


def test_no_other_handler_works_for_its_checkpoint(filled):
    filled.projection(Balances).run(once=True)
    with pytest.raises(InvalidInputError, match="projection"):
        filled.consumer(NOW, types=["Deposited", "account-closed"])


def test_removing_the_consumer_removes_its_tables(filled, reader):
    filled.projection(Balances).run(once=True)
    filled.consumers.remove(NOW)
    assert reader.names() == set()
    assert filled.projection(Balances).run(once=True) == 4


def test_verify_takes_its_tables_for_no_damage(filled):
    filled.projection(Balances).run(once=True)
    filled.projection(BalancesInCents).run(once=True)
    assert [*filled.verify(engine=True)] == []


# --- event types that changed ---


def test_a_projection_gets_renamed_upcast_and_split_events_as_what_they_are_now(store, reader):
    store.append(
        "Account-1",
        [
            EventData("Moved", {"from": "ann", "to": "ben", "amount": 3}),
            EventData("Paid", {"account": "ann", "amount": "1"}),
            EventData("PaidIn", {"account": "ann", "cents": 200}),
            Deposited("ann", 4),
        ],
    )

    @store.upcaster("Paid", to="PaidIn")
    def renamed(data):
        return {"account": data["account"], "cents": 100 * int(data["amount"])}

    @store.upcaster("PaidIn", to="PaidIn", to_version=2)
    def larger(data):
        return {"account": data["account"], "amount": data["cents"] // 100}

    @store.upcaster("PaidIn", from_version=2, to="Deposited")
    def deposited(data):
        return data

    @store.upcaster("Moved", to=["Deposited", "account-closed"])
    def parts(data):
        moved = {"account": data["to"], "amount": data["amount"]}
        return [evstore.Upcast("Deposited", moved), evstore.Upcast("account-closed", {"account": data["from"]})]

    assert store.projection(Balances).run(once=True) == 4
    assert reader.rows("SELECT account, amount, events FROM balances ORDER BY account") == [
        ("ann", 7, 3),
        ("ben", 3, 1),
    ]
    assert store.projection(Balances).status().lag == 0


def test_a_projection_stops_at_an_event_that_it_cannot_decode_and_names_it(store):
    (stored,) = store.append("Account-1", [EventData("Deposited", {"account": "ann"})])
    with pytest.raises(evstore.CodecError, match="amount") as raised:
        store.projection(Balances).run(once=True)
    assert stored.id in raised.value.__notes__[0]
    assert store.projection(Balances).status().position == 0
