"""Events of an application's own classes: appended, loaded, folded, and changed on the way by upcasters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

import evstore
from evstore import (
    Codec,
    CodecError,
    EventData,
    InvalidInputError,
    Metadata,
    NoEventsError,
    StoredEvent,
    UnknownEventTypeError,
    Upcast,
    UpcastGapError,
    connect,
)
from tests.support.shop import ItemAdded, Order, OrderConfirmed, OrderPlaced

PLACED = OrderPlaced("1", Decimal("9.90"))


@pytest.fixture
def shop(store):
    store.register(OrderPlaced, ItemAdded, OrderConfirmed)
    return store


def test_events_are_appended_and_loaded_as_objects(shop):
    stored = shop.append("Order-1", [PLACED, ItemAdded("a")], metadata=Metadata(user_id="ann"))
    shop.append("Order-1", [OrderConfirmed()], expected_version=2)
    assert [each.type for each in shop.read("Order-1")] == ["OrderPlaced", "ItemAdded", "order-confirmed"]
    assert stored[0].data == {"order_id": "1", "total": "9.90"}
    assert stored[0].metadata == Metadata(user_id="ann")
    loaded = shop.load("Order-1")
    assert loaded == [PLACED, ItemAdded("a"), OrderConfirmed()]
    assert loaded.version == 3
    assert shop.load("Order-1", after=1, to=2) == [ItemAdded("a")]
    assert shop.load("Order-1", backward=True, limit=1) == [OrderConfirmed()]
    assert shop.load("Order-1", backward=True).version == 3
    assert (shop.load("Order-2"), shop.load("Order-2").version) == ([], 0)


def test_an_event_of_a_class_alone_may_begin_an_append_and_stand_beside_others(shop):
    shop.append("Order-1", [PLACED])
    shop.append("Order-2", [PLACED, EventData("ItemAdded", {"sku": "b"})], key="k")
    assert shop.append("Order-2", [PLACED, EventData("ItemAdded", {"sku": "b"})], key="k").duplicate
    assert shop.load("Order-2") == [PLACED, ItemAdded("b")]


def test_an_attribute_with_the_name_id_is_not_the_id_of_the_event(store):
    @evstore.event
    @dataclass
    class Named:
        id: str

    store.register(Named)
    stored = store.append("Order-1", [Named("x"), Named("x")])
    assert len({each.id for each in stored} - {"x"}) == 2
    assert store.load("Order-1") == [Named("x"), Named("x")]


def test_the_version_of_a_schema_stands_in_the_metadata_and_1_is_left_out(store):
    @evstore.event(name="ItemAdded", version=2)
    @dataclass
    class Later:
        sku: str

    one, two = store.append_many([("Order-1", [ItemAdded("a")], 0), ("Order-2", [Later("b")], 0)])
    assert (one.metadata.custom, two.metadata.custom) == ({}, {"$schema_version": "2"})
    given = Metadata(custom={"a": "b", "$schema_version": "7"})
    (stored,) = store.append("Order-3", [Later("c")], metadata=given)
    assert stored.metadata.custom == {"a": "b", "$schema_version": "2"}


def test_a_class_names_the_tags_of_its_events(store):
    @evstore.event
    @dataclass
    class Seated:
        show: int

        def tags(self):
            return [f"show:{self.show}"]

    store.append("Show-7", [Seated(7)], tags=["big"])
    assert [each.tags for each in store.replay(tags=["show:7"])] == [("big", "show:7")]


@pytest.mark.parametrize(
    ("events", "named"),
    [
        (PLACED, "events come in a list"),
        (EventData("T", 1), "events come in a list"),
        (7, "events come in a list"),
        ([{}], "not dict"),
        ([OrderPlaced], "an object of class OrderPlaced, not the class itself"),
        ("ab", "not str"),
        ([PLACED, None], "not NoneType"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_is_stored(shop, events, named):
    with pytest.raises(InvalidInputError, match=named):
        shop.append("Order-1", events)
    with pytest.raises(NoEventsError):
        shop.append("Order-1", [])
    assert shop.head() == 0


def test_an_event_that_cannot_be_loaded_again_is_not_stored(shop):
    with pytest.raises(CodecError, match="Expected `int`"):
        shop.append("Order-1", [ItemAdded("a"), ItemAdded("a", "2")])  # type: ignore[arg-type]
    assert shop.head() == 0


def test_a_type_without_a_class_is_loaded_as_it_is_stored_or_refused(shop):
    (stored,) = shop.append("Order-1", [EventData("Strange", {})])
    assert shop.load("Order-1") == [stored]
    assert shop.decode(stored) == (stored,)
    for work in (
        lambda: shop.load("Order-1", strict=True),
        lambda: shop.decode(stored, strict=True),
        lambda: shop.fold("Order-1", 0, lambda n, _: n, strict=True),
    ):
        with pytest.raises(UnknownEventTypeError, match='"Strange"') as raised:
            work()
        assert raised.value.__notes__ == [
            f'decoding failed on the event at position 1: Strange {stored.id}, version 1 of stream "Order-1"'
        ]


def test_a_redacted_event_is_loaded_as_it_is_stored(shop):
    first, _ = shop.append("Order-1", [PLACED, ItemAdded("a")])
    shop.redact([first.id], "a name")
    loaded = shop.load("Order-1", strict=True)
    assert [type(each) for each in loaded] == [StoredEvent, ItemAdded]
    assert loaded[0].redacted
    assert shop.fold("Order-1", 0, lambda n, event: n + isinstance(event, ItemAdded)) == 1


def test_the_state_folds_without_a_class(shop):
    shop.append("Order-1", [PLACED, ItemAdded("a", 2), ItemAdded("b")])

    def total(items: int, event: object) -> int:
        return items + event.quantity if isinstance(event, ItemAdded) else items

    assert shop.fold("Order-1", 10, total) == 13
    assert shop.fold("Order-2", 10, total) == 10


def test_two_classes_of_one_name_are_refused_and_one_twice_is_not(shop):
    @evstore.event(name="ItemAdded")
    @dataclass
    class Other:
        name: str

    shop.register(ItemAdded)
    with pytest.raises(InvalidInputError, match=r"shop\.ItemAdded already.*Other"):
        shop.register(Other)
    with pytest.raises(UnknownEventTypeError, match="dict"):
        shop.register(dict)


def test_an_aggregate_knows_its_own_classes_whatever_is_registered(shop):
    @evstore.event(name="ItemAdded")
    @dataclass
    class Other:
        sku: str

    class Names(evstore.Aggregate, category="Order"):
        def __init__(self, id):
            super().__init__(id)
            self.names = []

        @evstore.when
        def added(self, event: Other) -> None:
            self.names.append(event)

    shop.append("Order-1", [PLACED, ItemAdded("a", 2)])
    assert shop.load_aggregate(Names, "1").names == [Other("a")]
    assert shop.load_aggregate(Order, "1").items == 2
    assert shop.load("Order-1") == [PLACED, ItemAdded("a", 2)]


@evstore.event(name="ItemAdded", version=3)
@dataclass
class Item3:
    sku: str
    quantity: int
    by: str


def test_upcasters_change_what_is_loaded_and_nothing_that_is_stored(store):
    store.append("Order-1", [EventData("ItemAdded", {"sku": "a"})])
    store.append(
        "Order-1",
        [EventData("ItemAdded", {"sku": "b", "quantity": 2}, Metadata(custom={"$schema_version": "2"}))],
    )
    store.append("Order-1", [Item3("c", 3, "me")])
    before = [*store.replay()]
    store.register(Item3)

    @store.upcaster("ItemAdded", from_version=2)
    def two(data, stored):
        return {**data, "by": stored.stream_id}

    with pytest.raises(UpcastGapError, match="from version 1 to 2"):
        store.load("Order-1")
    assert store.load("Order-1", after=1) == [Item3("b", 2, "Order-1"), Item3("c", 3, "me")]

    @store.upcaster("ItemAdded")
    def one(data):
        return {**data, "quantity": 1}

    assert store.load("Order-1")[0] == Item3("a", 1, "Order-1")
    assert one({}) == {"quantity": 1}
    assert [*store.replay()] == before


def test_an_aggregate_is_made_of_renamed_and_split_events(store):
    store.append("Order-1", [EventData("Bought", {"what": ["a", "b"], "confirmed": True})])

    @store.upcaster("Bought", to=["ItemBought", "order-confirmed"])
    def parts(data):
        return [*(Upcast("ItemBought", each) for each in data["what"]), Upcast("order-confirmed", {})]

    @store.upcaster("ItemBought", to="ItemAdded")
    def renamed(data):
        return {"sku": data}

    order = store.load_aggregate(Order, "1")
    assert (order.items, order.skus, order.confirmed, order.version) == (2, ["a", "b"], True, 1)


def test_a_store_that_knows_an_older_class_refuses_a_newer_event(store):
    store.append("Order-1", [Item3("c", 3, "me")])
    store.register(ItemAdded)
    for work in (lambda: store.load("Order-1"), lambda: store.load_aggregate(Order, "1")):
        with pytest.raises(CodecError, match="ItemAdded has 1: it is newer") as raised:
            work()
        assert "position 1" in raised.value.__notes__[0]


def test_threads_that_use_a_new_store_at_once_share_their_classes(racing):
    for _ in range(20):
        with connect("memory:") as store:
            racing(3, lambda n: store.register((OrderPlaced, ItemAdded, OrderConfirmed)[n]))
            store.append("Order-1", [PLACED, ItemAdded("a"), OrderConfirmed()])
            assert len(store.load("Order-1", strict=True)) == 3


class Reversed(Codec):
    """A serialiser of an application."""

    def encode(self, event):
        return f'"{event.sku[::-1]}"'

    def decode(self, data_json, cls):
        return cls(data_json[-2:0:-1])


def test_a_store_takes_another_serialiser():
    with connect("memory:", codec=Reversed()) as store:
        store.register(ItemAdded)
        (stored,) = store.append("Order-1", [ItemAdded("abc")])
        assert stored.data == "cba"
        assert store.load("Order-1") == [ItemAdded("abc")]


@pytest.mark.parametrize("text", [b'"a"', {"a": 1}, None, "{a:1}", "NaN"])
def test_what_another_serialiser_writes_is_checked(text):
    class Odd(Reversed):
        def encode(self, event):
            return text

    with connect("memory:", codec=Odd()) as store:
        with pytest.raises(InvalidInputError, match="data is"):
            store.append("Order-1", [ItemAdded("a")])
        assert store.head() == 0
