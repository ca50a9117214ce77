"""A program that appends, reads and loads, as type checkers see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar, assert_type

import evstore
from evstore import (
    NO_STREAM,
    Appended,
    Decision,
    EventData,
    EventStore,
    Loaded,
    Metadata,
    Query,
    StoredEvent,
    StreamInfo,
    Upcast,
    Write,
)

T = TypeVar("T")


@evstore.event
@dataclass(frozen=True)
class OrderPlaced:
    order_id: str
    total: Decimal


@evstore.event(name="order-confirmed", version=2)
@dataclass
class OrderConfirmed:
    by: str


assert_type(OrderPlaced, type[OrderPlaced])
assert_type(OrderPlaced("1", Decimal(1)).total, Decimal)
assert_type(OrderConfirmed("ann"), OrderConfirmed)


class JsonOfMine:
    """Another serialiser is two methods."""

    def encode(self, event: Any) -> str:
        return repr(event)

    def decode(self, data_json: str, cls: type[T]) -> T:
        return cls()


def connected() -> EventStore:
    store = evstore.connect("memory:", codec=JsonOfMine())
    assert_type(store, EventStore)
    with evstore.connect("sqlite:orders.db", timeout=3.0) as opened:
        assert_type(opened, EventStore)
    return store


def appended(store: EventStore) -> None:
    store.register(OrderPlaced, OrderConfirmed)
    placed = OrderPlaced("1", Decimal(1))
    stored = store.append("Order-1", [placed], NO_STREAM, Metadata(user_id="ann"), key="k", tags=["a"])
    assert_type(stored, Appended)
    assert_type(stored[0], StoredEvent)
    assert_type(stored.duplicate, bool)
    mixed = store.append("Order-1", [placed, EventData("T", 1), OrderConfirmed("x")], require=[("Order-2", 3)])
    assert_type(mixed, Appended)
    many = store.append_many([Write("A-1", [placed]), ("A-2", [EventData("T", 1)], NO_STREAM)], source=("f", 1))
    assert_type(many, Appended)
    with evstore.metadata(correlation_id="c", custom={"a": "b"}) as given:
        assert_type(given, Metadata)


def read(store: EventStore) -> None:
    assert_type(store.read("Order-1"), Iterator[StoredEvent])
    assert_type(store.replay(["Order"], query=Query(tags=["a"])), Iterator[StoredEvent])
    assert_type(store.subscribe(["Order"], timeout=1), Iterator[StoredEvent])
    assert_type(store.load("Order-1", strict=True), Loaded)
    assert_type(store.load("Order-1").version, int)
    assert_type(store.get("id"), StoredEvent)
    assert_type(store.decode(store.get("id")), tuple[Any, ...])
    assert_type(store.stream_info("Order-1"), StreamInfo)


def folded(store: EventStore) -> None:
    def total(so_far: Decimal, event: object) -> Decimal:
        return so_far + event.total if isinstance(event, OrderPlaced) else so_far

    assert_type(store.fold("Order-1", Decimal(0), total), Decimal)


def decided(store: EventStore) -> None:
    decision = store.decide(Query(types=["SeatTaken"], tags=["show:7"]))
    assert_type(decision, Decision)
    assert_type(decision.events, tuple[StoredEvent, ...])
    store.append("Show-7", [EventData("SeatTaken", 1)], unless=decision)
    store.append("Show-7", [EventData("SeatTaken", 1)], unless=[decision, Query(tags=["a"])])


def upcast(store: EventStore) -> None:
    @store.upcaster("order-confirmed", from_version=1)
    def with_name(data: dict[str, str]) -> dict[str, str]:
        return {**data, "by": "unknown"}

    @store.upcaster("OldPlaced", to=["OrderPlaced", "order-confirmed"])
    def parts(data: Any, stored: StoredEvent) -> list[Upcast]:
        return [Upcast("OrderPlaced", data), Upcast("order-confirmed", {"by": stored.id}, 2)]

    assert_type(with_name({}), dict[str, str])
    assert_type(parts(1, store.get("id")), list[Upcast])
