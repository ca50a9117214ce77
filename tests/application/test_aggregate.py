"""Aggregates without a store: what they record, their categories, and their copies."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field

import pytest

import evstore
from evstore import Aggregate, InvalidInputError, InvalidStreamIdError, UnknownEventTypeError
from evstore.application.aggregate import kept_of


@evstore.event
@dataclass(frozen=True)
class ItemAdded:
    sku: str
    quantity: int = 1


@evstore.event
@dataclass(frozen=True)
class Confirmed:
    pass


class Order(Aggregate):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.items = 0
        self.skus: list[str] = []

    @evstore.when
    def item_added(self, event: ItemAdded) -> None:
        if event.quantity < 0:
            raise ValueError(event.quantity)
        self.items += event.quantity
        self.skus.append(event.sku)


@dataclass
class Cart(Aggregate):
    id: str
    items: int = 0
    skus: list[str] = field(default_factory=list)

    @evstore.when
    def item_added(self, event: ItemAdded) -> None:
        self.items += event.quantity
        self.skus.append(event.sku)


def test_an_event_changes_the_state_and_waits_to_be_saved():
    order = Order("1")
    order.record(ItemAdded("a", 2))
    order.record(Confirmed())
    assert (order.items, order.version, order.stream_id) == (2, 0, "Order-1")
    assert order.pending == (ItemAdded("a", 2), Confirmed())
    assert repr(order) == "<Order 1 at version 0, 2 events to save>"


def test_what_a_method_raises_leaves_no_event():
    order = Order("1")
    with pytest.raises(ValueError, match="-1"):
        order.record(ItemAdded("a", -1))
    assert (order.items, order.pending) == (0, ())
    order.record(ItemAdded("a"))
    assert order.items == 1


def test_an_object_that_is_no_event_is_not_recorded():
    class Special(ItemAdded):
        """A subclass of an event that no type is named for."""

    for each in ({}, Special("a"), ItemAdded):
        with pytest.raises(UnknownEventTypeError):
            Order("1").record(each)


def test_a_method_that_applies_an_event_records_none():
    class Greedy(Order):
        @evstore.when
        def confirmed(self, event: Confirmed) -> None:
            self.record(ItemAdded("a gift"))

    order = Greedy("1")
    with pytest.raises(InvalidInputError, match="records ItemAdded while it applies an event"):
        order.record(Confirmed())
    assert order.pending == ()
    order.record(ItemAdded("b"))


def test_the_category_is_the_name_of_the_class_or_the_one_it_is_given():
    class Special(Order):
        pass

    class Named(Order, category="order"):
        pass

    class Inherited(Named):
        pass

    class ByAttribute(Order):
        category = "orders"

    given = [each.category for each in (Order, Special, Named, Inherited, ByAttribute, Cart)]
    assert given == ["Order", "Special", "order", "order", "orders", "Cart"]
    assert Inherited("1").stream_id == "order-1"


@pytest.mark.parametrize("category", ["a-b", "", "$a", "a\nb"])
def test_a_category_follows_the_rules_of_stream_ids(category):
    with pytest.raises((InvalidInputError, InvalidStreamIdError)):
        type("Odd", (Aggregate,), {}, category=category)


def test_a_method_takes_the_event_alone():
    class Late(Aggregate):
        @evstore.when
        def added(self, event: ItemAdded, stored: object) -> None: ...

    class Raw(Aggregate):
        @evstore.when("ItemAdded")
        def added(self, event) -> None: ...

    with pytest.raises(InvalidInputError, match="takes 2 parameters after self"):
        Late("1").record(ItemAdded("a"))
    with pytest.raises(InvalidInputError, match="applies its events before they are stored"):
        Raw("1").record(ItemAdded("a"))


@pytest.mark.parametrize("cls", [Order, Cart])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))], ids=["copy", "deep", "pickle"]
)  # fmt: skip
def test_a_copy_has_events_to_save_of_its_own(cls, copied):
    order = cls("1")
    order.record(ItemAdded("a"))
    kept_of(order).version = 7
    other = copied(order)
    other.record(ItemAdded("b"))
    kept_of(other).version = 8
    assert (order.pending, order.version) == ((ItemAdded("a"),), 7)
    assert (other.pending, other.version) == ((ItemAdded("a"), ItemAdded("b")), 8)
    assert [each.id for each in kept_of(other).recorded[:1]] == [each.id for each in kept_of(order).recorded]


def test_a_copy_has_what_lies_in_slots():
    class Slotted(Aggregate):
        __slots__ = ("items",)

        def __init__(self, id: str) -> None:
            super().__init__(id)
            self.items = 3

    assert copy.copy(Slotted("1")).items == 3
