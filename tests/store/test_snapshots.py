"""Snapshots of aggregates: a cache beside the log, which a load never needs and is never misled by."""

from __future__ import annotations

import copy
import logging
import os
import shutil
from collections import defaultdict
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evstore
from evstore import Aggregate, EventData, InvalidInputError, connect
from evstore.application.digest import code_of
from evstore.application.snapshots import kind_of
from tests.support.shop import ItemAdded, Order, OrderConfirmed, state_of

EVERY = 3


@pytest.fixture
def cached(store):
    """A store that keeps snapshots."""
    store.snapshots(EVERY)
    return store


def kept(store, cls=Order, id="1"):
    """The snapshot of an aggregate, None if it has none."""
    found = store._adapter.snapshots().find(f"{cls.category}-{id}", kind_of(cls))
    return found if found and found.code == code_of(cls, [*store._converter.steps()]) else None


def read_by(store, monkeypatch):
    """A list of the versions after which streams are read from now on."""
    seen, real = [], store._adapter.read_stream

    def read_stream(stream_id, page, where):
        seen.append(page.after)
        return real(stream_id, page, where)

    monkeypatch.setattr(store._adapter, "read_stream", read_stream)
    return seen


def grow(store, events, cls=Order, id="1"):
    """Save so many events, one by one."""
    aggregate = store.load_aggregate(cls, id)
    for number in range(events):
        aggregate.record(ItemAdded(f"s{number}", number))
        store.save_aggregate(aggregate)
    return aggregate


def test_a_snapshot_is_kept_every_so_many_events_and_a_load_goes_on_from_it(cached, monkeypatch):
    order = grow(cached, 2)
    assert kept(cached) is None
    assert [kept(cached).version for _ in range(5) if grow(cached, 1)] == [3, 3, 3, 6, 6]
    order = cached.load_aggregate(Order, "1")
    seen = read_by(cached, monkeypatch)
    assert state_of(cached.load_aggregate(Order, "1")) == state_of(order)
    assert (order.version, seen) == (7, [5])  # the event at version 6 shows that the snapshot is of this stream
    assert cached.load_aggregate(Order, "1", to=2).version == 2


def test_a_save_of_many_events_keeps_one_snapshot_at_their_end(cached):
    cached.update(Order, "1", lambda order: [order.add() for _ in range(10)])
    assert kept(cached).version == 10


def test_a_stream_that_grew_without_snapshots_gets_one_at_the_next_save(store):
    grow(store, 7)
    store.snapshots(EVERY)
    assert kept(store) is None
    grow(store, 1)
    assert kept(store).version == 8


def test_two_that_keep_snapshots_at_once_leave_a_true_one(cached, racing):
    racing(3, lambda n: [cached.update(Order, "1", lambda order: order.add(n), tries=100) for _ in range(7)])
    assert kept(cached).version <= 21
    with_it = state_of(cached.load_aggregate(Order, "1"))
    assert with_it == state_of(cached.load_aggregate(Order, "1", to=21))
    assert with_it[:2] == (21, 21)


class Deposits(Aggregate):
    """It comes back by its annotations."""

    total: Decimal
    last: datetime | None
    names: set[str]
    by_name: dict[str, list[Decimal]]

    def __init__(self, id):
        super().__init__(id)
        self.total = Decimal(0)
        self.last = None
        self.names = set()
        self.by_name = {}
        self.count = 0

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.total += Decimal(event.quantity) / 10
        self.last = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(event.quantity)
        self.names.add(event.sku)
        self.by_name.setdefault(event.sku, []).append(self.total)
        self.count += 1


@dataclass
class Basket(Aggregate):
    id: str
    items: int = 0
    skus: list[str] = field(default_factory=list)

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.items += event.quantity
        self.skus.append(event.sku)


class Slotted(Aggregate):
    __slots__ = ("items",)
    items: int

    def __init__(self, id):
        super().__init__(id)
        self.items = 0

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.items += event.quantity


class Custom(Aggregate):
    """State that JSON does not have, with methods of its own for it."""

    def __init__(self, id):
        super().__init__(id)
        self.items = defaultdict(int)

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.items[event.sku] += event.quantity

    def snapshot_state(self):
        return list(self.items.items())

    def restore_state(self, state):
        self.items = defaultdict(int, map(tuple, state))


STEPS = st.lists(
    st.one_of(
        st.lists(st.builds(ItemAdded, st.sampled_from("ab"), st.integers(-5, 5)), min_size=1, max_size=4),
        st.just([OrderConfirmed()]),
        st.sampled_from(["redact", "reload", "other"]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("cls", [Order, Deposits, Basket, Slotted, Custom])
@settings(max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, every=st.integers(1, 4))
def test_a_load_is_the_same_with_snapshots_and_without(cls, steps, every):
    with connect("memory:") as store:
        store.snapshots(every)
        held = store.load_aggregate(cls, "1")
        for step in steps:
            if step == "reload":
                held = store.load_aggregate(cls, "1")
            elif step == "redact" and (head := store.load_aggregate(cls, "1").version):
                wanted = next(store.read(held.stream_id, after=head // 2))
                store.redact([wanted.id], "a name")
            elif step == "other":
                store.update(cls, "1", lambda it: it.record(ItemAdded("c", 1)))
                held = store.load_aggregate(cls, "1")
            elif isinstance(step, list):
                for event in step:
                    held.record(event)
                store.save_aggregate(held)
            cached, plain = store.load_aggregate(cls, "1"), store.load_aggregate(cls, "1", to=10**6)
            states = [[getattr(each, name) for name in names_of(each)] for each in (cached, plain)]
            assert states[0] == states[1]
            assert [list(map(type, state)) for state in states[:1]] == [
                list(map(type, state)) for state in states[1:]
            ]
            assert cached.version == plain.version


def names_of(aggregate):
    return [name for name in ("items", "skus", "confirmed", "total", "last", "names", "by_name", "count") if hasattr(aggregate, name)]  # fmt: skip


@pytest.mark.sqlite_too("snapshots are rows")
def test_an_aggregate_that_was_loaded_before_a_redaction_keeps_no_snapshot_of_it(cached):
    held = grow(cached, 2)
    first = next(cached.read("Order-1"))
    cached.redact([first.id], "a name")
    for _ in range(4):
        held.add(1, "late")
        cached.save_aggregate(held)
    assert kept(cached) is None
    assert cached.load_aggregate(Order, "1").skus == ["s1"] + 4 * ["late"]
    grow(cached, 1)
    assert kept(cached).version == 7
    assert cached.load_aggregate(Order, "1").skus == ["s1"] + 4 * ["late"] + ["s0"]


def test_an_aggregate_that_was_loaded_without_snapshots_keeps_none_of_what_was_redacted_since(store):
    held = grow(store, 3)
    first = next(store.read("Order-1"))
    store.snapshots(EVERY)
    store.redact([first.id], "a name")
    held.add()
    store.save_aggregate(held)
    assert store._adapter.snapshots().find("Order-1", kind_of(Order)) is None
    grow(store, 1)
    assert kept(store).version == 5


def test_a_redaction_while_a_snapshot_is_kept_leaves_none(cached, monkeypatch):
    held = grow(cached, 2)
    first = next(cached.read("Order-1"))
    snapshots = type(cached._adapter.snapshots())
    real = snapshots.keep

    def keep(self, snapshot, redactions):
        monkeypatch.undo()
        cached.redact([first.id], "a name")
        return real(self, snapshot, redactions)

    monkeypatch.setattr(snapshots, "keep", keep)
    held.add()
    cached.save_aggregate(held)
    assert cached.head() == 4
    assert cached._adapter.snapshots().find("Order-1", kind_of(Order)) is None
    assert cached.load_aggregate(Order, "1").skus == ["s1", "a"]


@pytest.mark.sqlite_first("a file is copied")
def test_a_snapshot_of_another_past_is_not_used(tmp_path, empty_store):
    path, backup = tmp_path / "events.db", tmp_path / "backup.db"
    empty_store.copy_to(path)
    with connect(f"sqlite:{path}") as store:
        store.snapshots(EVERY)
        grow(store, 2)
        store.backup(backup)
        grow(store, 2)
        lost = store._adapter.snapshots().find("Order-1", kind_of(Order))
        assert lost.version == 3
    with connect(f"sqlite:{backup}") as store:
        store.snapshots(EVERY)
        store._adapter.snapshots().keep(lost, 0)  # as of a database whose log alone was restored
        assert store.load_aggregate(Order, "1").version == 2
        store.update(Order, "1", lambda order: order.add(100))
        assert store.load_aggregate(Order, "1").items == 101
        assert kept(store).version == 3


def rebuilt(name="Order", *, factor=1, rate=None, **members):
    """A class of the same name with other code."""

    class Changed(Order, category="Order"):
        @evstore.when
        def item_added(self, event: ItemAdded) -> None:
            self.items += event.quantity * self.factor_of()

        def factor_of(self, by=factor):
            return by

    Changed.__qualname__, Changed.rates = name, {"a": rate}
    for each, value in members.items():
        setattr(Changed, each, value)
    return Changed


CHANGES = {
    "a default": {"factor": 2},
    "a value in a table of the class": {"rate": 2},
    "another method": {"other": lambda self: 1},
    "its own number": {"snapshot_version": 2},
    "an annotation": {"__annotations__": {"items": Decimal}},
    "a list of the class": {"those": ["b"]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_snapshot_of_other_code_is_not_used(cached, change):
    old, new = rebuilt(), rebuilt(**change)
    assert kind_of(old) == kind_of(new)
    grow(cached, 4, old)
    assert kept(cached, old).version == 3
    assert kept(cached, new) is None
    assert cached.load_aggregate(new, "1").items == 6 * change.get("factor", 1)
    assert code_of(rebuilt()) == code_of(old)


def test_a_snapshot_of_another_event_class_is_not_used(cached):
    def made(*fields):
        event = evstore.event(name="ItemAdded")(make_dataclass("Item", [("sku", str), ("quantity", int), *fields]))

        class Changed(Order, category="Order"):
            @evstore.when(event)
            def item_added(self, event) -> None:
                self.items += event.quantity

        return Changed

    assert code_of(made()) == code_of(made())
    assert code_of(made()) != code_of(made(("note", str, "")))


def test_a_snapshot_is_not_used_after_an_upcaster_came_or_changed():
    with connect("memory:") as store:
        store.snapshots(EVERY)
        grow(store, 3)
        assert kept(store)
        store.upcaster("Old", to="ItemAdded")(lambda data: data)
        assert kept(store) is None
        grow(store, 1)
        assert kept(store).version == 4

    def code(*upcasters):
        with connect("memory:") as other:
            for version, function in upcasters:
                other.upcaster("Old", version)(function)
            return code_of(Order, [*other._converter.steps()])

    assert code((1, lambda data: data)) == code((1, lambda data: data))
    assert code((1, lambda data: data)) != code((2, lambda data: data))
    assert code((1, lambda data: data)) != code((1, lambda data: [data]))


class Plain:
    def __init__(self, n):
        self.n = n


ODD = {
    "a set without an annotation": lambda order: setattr(order, "extra", {1}),
    "a decimal without an annotation": lambda order: setattr(order, "extra", Decimal(1)),
    "a tuple without an annotation": lambda order: setattr(order, "extra", (1, 2)),
    "an object": lambda order: setattr(order, "extra", Plain(1)),
    "a function": lambda order: setattr(order, "extra", len),
    "not a number": lambda order: setattr(order, "extra", float("nan")),
    "keys that are numbers": lambda order: setattr(order, "extra", {1: 1}),
    "a list within itself": lambda order: order.skus.append(order.skus),
    "an attribute that is gone": lambda order: delattr(order, "confirmed"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_state_that_would_not_come_back_has_no_snapshot_and_is_reported_once(cached, caplog, odd):
    class Strange(Order):
        @evstore.when
        def item_added(self, event: ItemAdded) -> None:
            super().item_added(event)
            if event.sku == "s2":
                odd(self)

    with caplog.at_level(logging.WARNING, logger="evstore"):
        for name in ("1", "2"):
            grow(cached, 4, Strange, name)
            assert kept(cached, Strange, name) is None
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("evstore", "WARNING")
    assert "Strange has no snapshots" in record.getMessage()
    assert "snapshot_state()" in record.getMessage()
    assert cached.load_aggregate(Strange, "1").version == 4


def test_a_snapshot_that_cannot_be_read_is_none(cached):
    grow(cached, 3)
    snapshots = cached._adapter.snapshots()
    snapshots.keep(kept(cached)._replace(state='{"items":"x"}'), 0)
    snapshots.keep(kept(cached)._replace(state="[1]"), 0)
    assert cached.load_aggregate(Order, "1").items == 3


@pytest.mark.sqlite_first("it is a file that may be read alone")
@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_file_that_can_be_read_alone_is_loaded_with_its_snapshots(tmp_path, empty_store):
    path = tmp_path / "events.db"
    empty_store.copy_to(path)
    with connect(f"sqlite:{path}") as store:
        store.snapshots(EVERY)
        grow(store, 4)
    path.chmod(0o400)
    with connect(f"sqlite:{path}") as store:
        store.snapshots(EVERY)
        assert store.load_aggregate(Order, "1").items == 6


@pytest.mark.sqlite_first("it is a folder")
def test_a_store_that_is_read_as_it_lies_is_loaded_with_its_snapshots(tmp_path, empty_store):
    path = tmp_path / "events.db"
    empty_store.copy_to(path)
    with connect(f"sqlite:{path}") as store:
        store.snapshots(EVERY)
        grow(store, 4)
    shutil.copy(path, tmp_path / "copy.db")
    with connect(f"sqlite:{tmp_path}/copy.db") as store:
        store.snapshots(EVERY)
        assert store.load_aggregate(Order, "1").items == 6


def test_trouble_with_a_snapshot_does_not_touch_the_save(cached, monkeypatch, caplog):
    def keep(self, snapshot, redactions):
        raise evstore.CorruptStoreError("no")

    monkeypatch.setattr(type(cached._adapter.snapshots()), "keep", keep)
    with caplog.at_level(logging.INFO, logger="evstore"):
        order = grow(cached, 4)
    assert (order.version, order.pending) == (4, ())
    assert "no snapshot of Order-1 was kept" in caplog.text
    assert cached.load_aggregate(Order, "1").items == 6


@pytest.mark.parametrize("every", [0, -1, True, 1.5, None])
def test_a_snapshot_is_kept_every_1_or_more_events(store, every):
    with pytest.raises(InvalidInputError, match="at least 1"):
        store.snapshots(every)


def test_a_copy_of_a_loaded_aggregate_goes_on_from_the_same_snapshot(cached):
    order = copy.deepcopy(grow(cached, 4))
    order.add()
    cached.save_aggregate(order)
    assert kept(cached).version == 3
    order.record(OrderConfirmed())
    cached.save_aggregate(order)
    assert kept(cached).version == 6


def test_events_of_others_count_for_the_next_snapshot(cached):
    grow(cached, 1)
    cached.append("Order-1", [EventData("Noted", n) for n in range(5)])
    grow(cached, 1)
    assert kept(cached).version == 7
