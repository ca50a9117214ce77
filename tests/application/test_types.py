"""Event types: a class has the name of its events, and a registry has the classes by name."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest

import evstore
from evstore import InvalidInputError, UnknownEventTypeError
from evstore.application.types import EventType, Registry, type_of


@evstore.event
@dataclass(frozen=True)
class OrderPlaced:
    order_id: str
    total: Decimal


@evstore.event(name="order-shipped", version=3)
class Shipped(msgspec.Struct, frozen=True):
    order_id: str


def test_a_class_has_its_own_name_or_the_one_it_is_given():
    assert type_of(OrderPlaced) == EventType("OrderPlaced", 1)
    assert type_of(Shipped) == EventType("order-shipped", 3)


def test_a_decorated_class_stays_what_it_was():
    assert OrderPlaced("1", Decimal(2)) == OrderPlaced("1", Decimal(2))
    assert Shipped.__name__ == "Shipped"


def test_a_class_with_slots_can_be_an_event():
    @dataclass(slots=True)
    @evstore.event
    class Slotted:
        n: int

    assert type_of(Slotted) == EventType("Slotted")


def test_a_subclass_does_not_have_the_type_of_its_base():
    class Special(OrderPlaced):
        pass

    with pytest.raises(UnknownEventTypeError, match="Special"):
        type_of(Special)
    assert type_of(evstore.event(Special)).name == "Special"


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256, 7])
def test_the_name_follows_the_rules_of_event_types(name):
    with pytest.raises(InvalidInputError):
        evstore.event(name=name)(OrderPlaced)


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5])
def test_the_version_is_a_number_from_1(version):
    with pytest.raises(InvalidInputError):
        evstore.event(version=version)


def test_only_a_class_is_an_event():
    with pytest.raises(InvalidInputError):
        evstore.event(print)


def test_a_registry_finds_classes_by_the_names_of_their_types():
    registry = Registry()
    registry.register(OrderPlaced, Shipped, OrderPlaced)
    assert registry["order-shipped"] is Shipped
    assert [*registry] == ["OrderPlaced", "order-shipped"]
    with pytest.raises(UnknownEventTypeError) as raised:
        registry["Shipped"]
    assert raised.value.event_type == "Shipped"


def test_a_name_belongs_to_one_class():
    @evstore.event(name="OrderPlaced")
    class Other:
        pass

    registry = Registry()
    registry.register(OrderPlaced)
    with pytest.raises(InvalidInputError, match=r"OrderPlaced.*Other"):
        registry.register(Other)
    with pytest.raises(UnknownEventTypeError):
        registry.register(dict)


@evstore.event
@dataclass
class Numbered:
    id: str


def test_the_id_of_an_event_is_not_a_field_of_its_object():
    with evstore.connect("memory:") as store:
        stored = store.append("A-1", [OrderPlaced("1", Decimal(2)), Numbered("7"), Numbered("7")])
    assert len({event.id for event in stored}) == 3
    assert [event.data for event in stored[1:]] == [{"id": "7"}, {"id": "7"}]
