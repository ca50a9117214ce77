"""An application: orders, their events, and an aggregate."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - an annotation that is read

import evstore


@evstore.event
@dataclass(frozen=True)
class OrderPlaced:
    order_id: str
    total: Decimal


@evstore.event
@dataclass(frozen=True)
class ItemAdded:
    sku: str
    quantity: int = 1


@evstore.event(name="order-confirmed")
@dataclass(frozen=True)
class OrderConfirmed:
    pass


class Order(evstore.Aggregate):
    """It adds up what was added to it."""

    skus: list[str]

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.items = 0
        self.skus = []
        self.confirmed = False

    def add(self, quantity: int = 1, sku: str = "a") -> None:
        self.record(ItemAdded(sku, quantity))

    @evstore.when
    def item_added(self, event: ItemAdded) -> None:
        self.items += event.quantity
        self.skus.append(event.sku)

    @evstore.when
    def order_confirmed(self, event: OrderConfirmed) -> None:
        self.confirmed = True


def state_of(order: Order) -> tuple[int, int, list[str], bool]:
    """Its version and its attributes."""
    return order.version, order.items, order.skus, order.confirmed
