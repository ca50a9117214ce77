"""A program with an aggregate, a consumer and a projection, as type checkers see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_type

import evstore
from evstore import (
    Aggregate,
    Appended,
    Consumer,
    ConsumerInfo,
    Decision,
    EventData,
    EventStore,
    Metadata,
    ProjectionRunner,
    ProjectionStatus,
    ProjectionTransaction,
    Query,
    Reaction,
    StoredEvent,
    Transaction,
    Write,
)


@evstore.event
@dataclass
class ItemAdded:
    sku: str
    quantity: int


@evstore.event
@dataclass
class Confirmed:
    pass


class Order(Aggregate, category="order"):
    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.items = 0

    def add(self, quantity: int) -> None:
        self.record(ItemAdded("a", quantity))

    @evstore.when
    def item_added(self, event: ItemAdded) -> int:
        self.items += event.quantity
        return self.items

    @evstore.when(Confirmed)
    def confirmed(self, event: Confirmed) -> None: ...


def kept(store: EventStore) -> None:
    order = store.load_aggregate(Order, "1", to=7)
    assert_type(order, Order)
    assert_type(order.item_added(ItemAdded("a", 1)), int)
    assert_type(order.pending, Sequence[Any])
    assert_type(order.version, int)
    assert_type(store.save_aggregate(order, Metadata(user_id="ann"), tags=["a"], require=[("A-1", 0)]), Appended)
    store.snapshots(every=100)


def updated(store: EventStore) -> None:
    assert_type(store.update(Order, "1", lambda order: order.add(2), tries=3), Order)

    def change(order: Order) -> None:
        order.add(1)

    assert_type(store.update(Order, "1", change, metadata=Metadata(user_id="ann")), Order)

    def decide(decision: Decision) -> list[Write[EventData]] | None:
        return [Write("Show-7", [EventData("SeatTaken", 1)])] if not decision.events else None

    assert_type(store.update(Query(tags=["show:7"]), decide), Appended)
    assert_type(store.update(Query(), lambda decision: [("A-1", [ItemAdded("a", 1)], decision.after)]), Appended)


def consumed(store: EventStore) -> None:
    consumer = store.consumer("mailer", categories=["order"], member=(1, 2))
    assert_type(consumer, Consumer)

    def handle(events: Sequence[StoredEvent]) -> None:
        assert events

    def handle_list(events: list[StoredEvent]) -> int:
        return len(events)

    def within(events: Iterable[StoredEvent], tx: Transaction) -> None:
        for event in events:
            assert_type(tx.append("A-1", [ItemAdded("a", 1)], metadata=event.metadata), list[StoredEvent])

    def react(events: Sequence[StoredEvent]) -> Reaction | None:
        return Reaction([("A-1", [ItemAdded("a", 1)], 0)], unless=Query(tags=["a"])) if events else None

    def answer(events: Sequence[StoredEvent]) -> list[Write[EventData]]:
        return [Write("A-1", [EventData("T", each.id)]) for each in events]

    with consumer as held:
        assert_type(held, Consumer)
        assert_type(held.run(handle, batch_size=100, once=True, retries=3), int)
        assert_type(held.run(handle_list, on_failure="park"), int)
        assert_type(held.run(within, transactional=True, timeout=1), int)
        assert_type(held.run(react, appends=True), int)
        assert_type(held.run(answer, 100, appends=True), int)
    assert_type(store.consumers.get("mailer"), ConsumerInfo)


class OpenOrders(evstore.Projection):
    name, version = "open-orders", 1

    def create(self, tx: ProjectionTransaction) -> None:
        tx.execute(f"CREATE TABLE {tx.table('open_orders')} (id TEXT)")

    @evstore.when
    def added(self, event: ItemAdded, stored: StoredEvent, tx: ProjectionTransaction) -> None:
        tx.execute(f"INSERT INTO {tx.table('open_orders')} VALUES (?)", (stored.stream_id,))

    @evstore.when("Noted", "Closed")
    def noted(self, event: StoredEvent, tx: ProjectionTransaction) -> None: ...


def projected(store: EventStore) -> None:
    runner = store.projection(OpenOrders)
    assert_type(runner, ProjectionRunner)
    assert_type(runner.run(once=True, batch_size=10), int)
    assert_type(runner.status(), ProjectionStatus)
