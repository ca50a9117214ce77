"""The domain: an order, and what can happen to it. It knows nothing of stores, databases and HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import evstore


@evstore.event
@dataclass(frozen=True)
class OrderPlaced:
    customer: str

    def tags(self) -> list[str]:
        return [f"customer:{self.customer}"]


@evstore.event(version=2)
@dataclass(frozen=True)
class ItemAdded:
    sku: str
    quantity: int
    price: Decimal
    """Of one piece; version 1 had the price of all pieces, as `total`."""


@evstore.event
@dataclass(frozen=True)
class OrderConfirmed:
    total: Decimal


@evstore.event
@dataclass(frozen=True)
class OrderCancelled:
    reason: str


@evstore.event
@dataclass(frozen=True)
class ShipmentRequested:
    order_id: str
    items: dict[str, int]


class RefusedError(Exception):
    """The order does not allow that; the text says why."""


class Order(evstore.Aggregate):
    total: Decimal  # annotated in the class, so that a snapshot gives it back as what it is

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.state = "new"
        self.items: dict[str, int] = {}
        self.total = Decimal(0)

    # --- decisions ---

    def place(self, customer: str) -> None:
        if self.state != "new":
            raise RefusedError(f"order {self.id} is placed already")
        self.record(OrderPlaced(customer))

    def add(self, sku: str, quantity: int, price: Decimal) -> None:
        self._check_open()
        if quantity < 1 or price < 0:
            raise RefusedError("a quantity is at least 1, and a price not negative")
        self.record(ItemAdded(sku, quantity, price))

    def confirm(self) -> None:
        if self.state == "confirmed":
            return  # asked twice, confirmed once
        self._check_open()
        if not self.items:
            raise RefusedError(f"order {self.id} is empty")
        self.record(OrderConfirmed(self.total))

    def cancel(self, reason: str) -> None:
        self._check_open()
        self.record(OrderCancelled(reason))

    def _check_open(self) -> None:
        if self.state != "open":
            raise RefusedError(f"order {self.id} is {self.state}")

    # --- what its events mean ---

    @evstore.when
    def placed(self, _event: OrderPlaced) -> None:
        self.state = "open"

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.items[event.sku] = self.items.get(event.sku, 0) + event.quantity
        self.total += event.price * event.quantity

    @evstore.when
    def confirmed(self, _event: OrderConfirmed) -> None:
        self.state = "confirmed"

    @evstore.when
    def cancelled(self, _event: OrderCancelled) -> None:
        self.state = "cancelled"


def registered(store: evstore.EventStore) -> evstore.EventStore:
    """The store, which knows the events of the domain, also those of earlier versions."""
    store.register(OrderPlaced, ItemAdded, OrderConfirmed, OrderCancelled, ShipmentRequested)
    store.snapshots(every=50)

    @store.upcaster("ItemAdded", from_version=1)
    def with_price(data: dict[str, object]) -> dict[str, object]:
        total, quantity = Decimal(str(data["total"])), int(str(data["quantity"]))
        return {"sku": data["sku"], "quantity": quantity, "price": str(total / quantity)}

    return store
