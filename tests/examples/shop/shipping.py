"""The process that reacts: whatever is confirmed is to be shipped, exactly once.

Its handler returns writes; they are appended in the transaction that moves the checkpoint, and have the correlation of
the event that caused them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore import NO_STREAM
from tests.examples.shop.domain import Order, ShipmentRequested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore import Consumer, EventStore, StoredEvent


class Shipping:
    """Requests a shipment for each confirmed order."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.consumer: Consumer = store.consumer("shipping", categories=["Order"], types=["OrderConfirmed"])

    def run(self, *, once: bool = False) -> None:
        """React until the consumer is stopped; with `once`, to what is in the log."""
        self.consumer.run(self._handle, batch_size=1, appends=True, once=once)

    def _handle(self, events: Sequence[StoredEvent]) -> list[tuple[str, list[ShipmentRequested], int]]:
        (confirmed,) = events
        order_id = confirmed.stream_id.removeprefix("Order-")
        order = self._store.load_aggregate(Order, order_id, to=confirmed.version)
        return [(f"Shipment-{order_id}", [ShipmentRequested(order_id, order.items)], NO_STREAM)]
