"""Aggregates: loaded from their streams, saved after the version that they have, and done again after a race."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import evstore
from evstore import (
    Aggregate,
    AppendConditionError,
    AppendOutcomeUnknownError,
    ConcurrencyError,
    EventData,
    InvalidInputError,
    InvalidStreamIdError,
    Metadata,
    Query,
    connect,
)
from tests.support.shop import ItemAdded, Order, OrderConfirmed, state_of

ROOT = Path(__file__).parents[2]


def test_an_aggregate_is_saved_and_loaded(store):
    order = store.load_aggregate(Order, "1")
    assert (order.version, order.pending) == (0, ())
    order.add(2)
    order.add(3, "b")
    stored = store.save_aggregate(order, Metadata(user_id="ann"), tags=["order:1"])
    assert [(each.version, each.tags, each.metadata.user_id) for each in stored] == [
        (1, ("order:1",), "ann"),
        (2, ("order:1",), "ann"),
    ]
    assert (order.version, order.pending) == (2, ())
    order.record(OrderConfirmed())
    store.save_aggregate(order)
    assert state_of(store.load_aggregate(Order, "1")) == state_of(order) == (3, 5, ["a", "b"], True)


def test_saving_nothing_writes_nothing(store):
    order = store.load_aggregate(Order, "1")
    assert (store.save_aggregate(order), store.save_aggregate(order)) == ([], [])
    order.add()
    store.save_aggregate(order)
    assert store.save_aggregate(order) == []
    assert store.head() == 1


def test_an_aggregate_is_loaded_as_it_was_at_a_version(store):
    store.update(Order, "1", lambda order: [order.add(each) for each in (1, 2, 4)])
    assert [store.load_aggregate(Order, "1", to=version).items for version in (0, 1, 2, 3, 9)] == [0, 1, 3, 7, 7]
    early = store.load_aggregate(Order, "1", to=1)
    early.add()
    with pytest.raises(ConcurrencyError):
        store.save_aggregate(early)
    with pytest.raises(InvalidInputError, match="not negative"):
        store.load_aggregate(Order, "1", to=-1)


def test_an_event_without_a_method_and_a_redacted_one_are_ignored(store):
    first, *_ = store.append("Order-1", [ItemAdded("a", 1), EventData("Noted", 7), ItemAdded("b", 2)])
    store.redact([first.id], "a name")
    assert state_of(store.load_aggregate(Order, "1")) == (3, 2, ["b"], False)


def test_who_loses_a_race_keeps_its_events_and_stores_none(store):
    mine, other = store.load_aggregate(Order, "1"), store.load_aggregate(Order, "1")
    mine.add()
    other.add(7)
    store.save_aggregate(other)
    for _ in range(2):
        with pytest.raises(ConcurrencyError) as raised:
            store.save_aggregate(mine)
        assert (raised.value.expected, raised.value.actual) == (0, 1)
    assert (mine.version, mine.pending, store.head()) == (0, (ItemAdded("a"),), 1)


@pytest.fixture
def losing(store, monkeypatch):
    """A function: the answer to the next append is lost, after it was stored or before."""
    real, plans = store._adapter.append, []

    def append(units, **options):
        is_stored = plans.pop() if plans else None
        outcomes = real(units, **options) if is_stored is not False else []
        if is_stored is not None:
            raise AppendOutcomeUnknownError(
                [each.id for unit in units for write in unit.writes for each in write.events]
            )
        return outcomes

    monkeypatch.setattr(store._adapter, "append", append)
    return plans.append


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_save_whose_answer_was_lost_is_tried_again_and_stored_once(store, losing, is_stored):
    order = store.load_aggregate(Order, "1")
    order.add(1)
    order.add(2)
    losing(is_stored)
    with pytest.raises(AppendOutcomeUnknownError):
        store.save_aggregate(order)
    assert len(order.pending) == 2
    assert store.save_aggregate(order).duplicate is is_stored
    assert state_of(store.load_aggregate(Order, "1")) == state_of(order) == (2, 3, ["a", "a"], False)


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize(
    "copied", [lambda order: order, copy.copy, lambda order: pickle.loads(pickle.dumps(order))]
)
def test_more_may_be_recorded_before_the_save_is_tried_again(store, losing, is_stored, copied):
    order = store.load_aggregate(Order, "1")
    order.add(1)
    losing(is_stored)
    with pytest.raises(AppendOutcomeUnknownError):
        store.save_aggregate(order)
    order = copied(order)
    order.add(2)
    saved = store.save_aggregate(order)
    assert [each.version for each in saved] == [1, 2]
    assert not saved.duplicate
    assert state_of(store.load_aggregate(Order, "1")) == (2, 3, ["a", "a"], False)
    assert order.pending == ()


def test_events_whose_source_was_taken_stay_unsaved(store):
    order = store.load_aggregate(Order, "1")
    order.add(1)
    store.save_aggregate(order, source=("file", 7))
    order.add(2)
    saved = store.save_aggregate(order, source=("file", 7))
    assert (saved, saved.duplicate, order.version, len(order.pending)) == ([], True, 1, 1)
    store.save_aggregate(order, source=("file", 8))
    assert store.load_aggregate(Order, "1").items == 3


def test_what_a_method_raises_leaves_the_load_with_a_note_about_the_event(store):
    class Fragile(Order):
        @evstore.when
        def item_added(self, event: ItemAdded) -> None:
            self.items //= event.quantity

    (stored,) = store.append("Fragile-1", [ItemAdded("a", 0)])
    with pytest.raises(ZeroDivisionError) as raised:
        store.load_aggregate(Fragile, "1")
    place = f'the event at position 1: ItemAdded {stored.id}, version 1 of stream "Fragile-1"'
    assert raised.value.__notes__ == [f"{Fragile.__qualname__} failed on {place}"]


def test_a_method_that_records_is_refused_at_a_load_too(store):
    class Greedy(Order, category="Order"):
        @evstore.when
        def item_added(self, event: ItemAdded) -> None:
            self.record(OrderConfirmed())

    store.append("Order-1", [ItemAdded("a")])
    with pytest.raises(InvalidInputError, match="while it applies an event"):
        store.load_aggregate(Greedy, "1")


@pytest.mark.parametrize("id", ["", "a-b", "-", "é", "a/b %_'\"", "\U0001f4e6", "x" * 506])
def test_an_id_may_have_odd_characters(store, id):
    store.update(Order, id, lambda order: order.add())
    assert store.load_aggregate(Order, id).version == 1
    assert [info.stream_id for info in store.streams("Order")] == [f"Order-{id}"]


@pytest.mark.parametrize("id", ["x\n", "\ud800", "x" * 507, 7, None])
def test_an_id_that_no_stream_can_have_is_refused(store, id):
    with pytest.raises(InvalidStreamIdError):
        store.load_aggregate(Order, id)


def test_what_is_no_class_of_aggregates_is_refused(store):
    class Lost(Aggregate):
        def __init__(self, id):
            self.name = id

    for each in (dict, Aggregate, Order("1"), "Order"):
        with pytest.raises(InvalidInputError, match="an aggregate is a subclass of"):
            store.load_aggregate(each, "1")
    with pytest.raises(InvalidInputError, match=r"Lost\(id\) has not the id"):
        store.load_aggregate(Lost, "1")


# --- update ---

THREADS, ROUNDS = 4, 5


@pytest.mark.sqlite_too("connections race")
def test_threads_that_update_an_aggregate_lose_no_update(store, racing):
    def work(number):
        for _ in range(ROUNDS):
            store.update(Order, "1", lambda order: order.add(number + 1), tries=100)

    racing(THREADS, work)
    order = store.load_aggregate(Order, "1")
    assert (order.version, order.items) == (THREADS * ROUNDS, ROUNDS * sum(range(THREADS + 1)))


@pytest.mark.sqlite_too("connections race")
def test_threads_that_decide_sell_each_seat_once(store, racing):
    seats = Query(types=["SeatTaken"], tags=["show:7"])

    def take(decision):
        taken = len(decision.events)
        if taken == 10:
            return None
        return [(f"Show-7-{taken}", [EventData("SeatTaken", taken, tags=["show:7"])], -1)]

    def work(_):
        return sum(len(store.update(seats, take, tries=100)) for _ in range(ROUNDS))

    assert sum(racing(THREADS, work)) == 10
    assert [event.data for event in store.replay(query=seats)] == list(range(10))


PROGRAM = """
import sys
from evstore import connect
from tests.support.shop import Order
with connect(sys.argv[1]) as store:
    store.update(Order, "ready", lambda order: order.add(), tries=1000)
    sys.stdin.readline()
    for _ in range(20):
        store.update(Order, "1", lambda order: order.add(2), tries=1000)
"""


@pytest.mark.sqlite_first("processes share no memory")
def test_processes_that_update_an_aggregate_lose_no_update(store, url):
    argv = [sys.executable, "-c", PROGRAM, url]
    workers = [subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=ROOT) for _ in range(2)]
    for event in store.subscribe(stream_id="Order-ready", timeout=60):
        if event.version == len(workers):
            break
    for each in workers:
        each.stdin.write(b"\n")
        each.stdin.flush()
    assert [each.wait(60) for each in workers] == [0, 0]
    for each in workers:
        each.stdin.close()
    assert state_of(store.load_aggregate(Order, "1"))[:2] == (40, 80)


def test_an_update_tries_so_often_and_then_raises(store):
    tried = []

    def change(order):
        tried.append(order.version)
        order.add()
        store.append("Order-1", [OrderConfirmed()])

    with pytest.raises(ConcurrencyError) as raised:
        store.update(Order, "1", change, tries=3)
    assert tried == [0, 1, 2]
    assert raised.value.__notes__ == ["the update lost 3 races"]

    def decide(decision):
        store.append("Other-1", [OrderConfirmed()])
        return [("Order-1", [ItemAdded("a")], -1)]

    with pytest.raises(AppendConditionError) as raised:
        store.update(Query(types=["order-confirmed"]), decide, tries=2)
    assert raised.value.__notes__ == ["the update lost 2 races"]
    assert store.count(types=["ItemAdded"]) == 0
    with pytest.raises(InvalidInputError, match="at least 1"):
        store.update(Order, "1", lambda order: order.add(), tries=0)


def test_what_the_function_raises_leaves_an_update_at_once(store):
    tried = []

    def change(order):
        order.add()
        tried.append(1)
        store.append("Order-1", [ItemAdded("a")], expected_version=7)

    with pytest.raises(ConcurrencyError) as raised:
        store.update(Order, "1", change)
    assert (len(tried), store.head(), hasattr(raised.value, "__notes__")) == (1, 0, False)


def test_an_update_without_an_event_writes_nothing(store):
    assert store.update(Order, "1", lambda order: None).version == 0
    assert store.update(Query(types=["T"]), lambda decision: None) == []
    assert store.update(Query(types=["T"]), lambda decision: []) == []
    assert store.head() == 0


def test_an_update_returns_what_it_saved(store):
    order = store.update(Order, "1", lambda order: order.add(2), metadata=Metadata(user_id="ann"))
    assert (type(order), order.items, order.version, order.pending) == (Order, 2, 1, ())
    (stored,) = store.update(
        Query(types=["ItemAdded"]), lambda decision: [("Sum-1", [EventData("Sum", len(decision.events))], 0)]
    )
    assert (stored.stream_id, stored.data) == ("Sum-1", 1)
    assert next(store.read("Order-1")).metadata == Metadata(user_id="ann")


# --- metadata ---


def test_metadata_of_the_block_reaches_what_is_saved_in_it_and_yields_to_its_own(store):
    with evstore.metadata(correlation_id="c", user_id="ann"):
        order = store.update(Order, "1", lambda order: order.add())
        order.add()
        store.save_aggregate(order, Metadata(user_id="ben"))
        store.append("Order-1", [EventData("T", 1, Metadata(user_id="cat"))])
    store.append("Order-1", [EventData("T", 1)])
    assert [(each.metadata.correlation_id, each.metadata.user_id) for each in store.read("Order-1")] == [
        ("c", "ann"), ("c", "ben"), ("c", "cat"), (None, None),
    ]  # fmt: skip


def test_a_mirror_copies_metadata_as_it_is_whatever_block_it_runs_in(store):
    store.append("Order-1", [EventData("T", 1, Metadata(user_id="ann"))])
    with connect("memory:") as copied, evstore.metadata(user_id="ben", correlation_id="c"):
        list(store.mirror(copied, once=True))
        assert [*copied.replay()] == [*store.replay()]


def test_what_a_handler_appends_is_caused_by_the_event_that_it_iterates(store):
    causes = store.append_many(
        [("Order-1", [EventData("A", n, Metadata(correlation_id=f"c{n}")) for n in (1, 2)], -1)]
    )

    def handle(events):
        for event in events:
            store.append("Plain-1", [EventData("B", event.data)])

    def react(events):
        (event,) = events
        return [("React-1", [EventData("B", event.data)], -1)]

    def in_transaction(events, tx):
        for event in events:
            tx.append("Tx-1", [EventData("B", event.data)])

    with evstore.metadata(user_id="worker"):
        store.consumer("plain", categories=["Order"]).run(handle, batch_size=9, once=True)
        store.consumer("react", categories=["Order"]).run(react, appends=True, batch_size=1, once=True)
        store.consumer("tx", categories=["Order"]).run(in_transaction, transactional=True, batch_size=9, once=True)
    for stream_id in ("Plain-1", "React-1", "Tx-1"):
        assert [each.metadata for each in store.read(stream_id)] == [
            Metadata(cause.metadata.correlation_id, cause.id, "worker") for cause in causes
        ], stream_id
