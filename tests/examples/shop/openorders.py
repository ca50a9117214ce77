"""The read model: the orders that are open, in a SQLite file of the application, each event handled exactly once.

It works with any store. Where the tables may lie in the store's own database, `evstore.Projection` is less work.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import evstore
from tests.examples.shop.domain import ItemAdded, OrderCancelled, OrderConfirmed, OrderPlaced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore import Consumer, EventStore, StoredEvent

TABLE = (
    "CREATE TABLE IF NOT EXISTS open_orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, items INTEGER NOT NULL)"
)


class OpenOrder(NamedTuple):
    id: str
    customer: str
    items: int


class OpenOrders:
    """Keeps the table, and answers what is in it. One thread runs it, others may ask."""

    def __init__(self, store: EventStore, path: str) -> None:
        self._store = store
        self._path = path
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(TABLE)
        self.consumer: Consumer = store.consumer("open-orders", categories=["Order"])

    def run(self, *, once: bool = False) -> None:
        """Keep the table until the consumer is stopped; with `once`, until it has all that is in the log."""
        with closing(self._connect()) as self._connection:
            checkpoint = evstore.SqliteCheckpoint(self._connection)
            self.consumer.run(self._handle, checkpoint=checkpoint, once=once)

    def all(self) -> list[OpenOrder]:
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT id, customer, items FROM open_orders ORDER BY id")
            return [OpenOrder(*row) for row in rows]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)

    def _handle(self, events: Sequence[StoredEvent]) -> None:
        for stored in events:
            for event in self._store.decode(stored):
                self._apply(stored.stream_id.removeprefix("Order-"), event)

    def _apply(self, id: str, event: object) -> None:
        execute = self._connection.execute
        match event:
            case OrderPlaced(customer):
                execute("INSERT INTO open_orders VALUES (?, ?, 0)", (id, customer))
            case ItemAdded(quantity=quantity):
                execute("UPDATE open_orders SET items = items + ? WHERE id = ?", (quantity, id))
            case OrderConfirmed() | OrderCancelled():
                execute("DELETE FROM open_orders WHERE id = ?", (id,))
