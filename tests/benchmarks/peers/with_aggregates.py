"""An aggregate of `eventsourcing` in a SQLite file: `with_aggregates.py FUNCTION WORD...`."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application  # type: ignore[import-not-found]
from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found]

ID: Final = uuid5(NAMESPACE_URL, "order-1")
LEAST: Final = 6
"""The loads of a sample. The first half of them does not count."""
SAVED: Final = 100


class Order(Aggregate):  # type: ignore[misc]
    """The number of items, and the times of each sku."""

    def __init__(self) -> None:
        self.items = 0
        self.skus: dict[str, int] = {}

    @staticmethod
    def create_id() -> UUID:
        return ID

    @event("ItemAdded")  # type: ignore[untyped-decorator, unused-ignore]
    def add(self, sku: str, quantity: int, price: str) -> None:
        self.items += quantity
        self.skus[sku] = self.skus.get(sku, 0) + 1

    @event("ItemRemoved")  # type: ignore[untyped-decorator, unused-ignore]
    def remove(self, sku: str, quantity: int) -> None:
        self.items -= quantity


def _application(path: str) -> Any:
    return Application(env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path})


def fill(path: str, events: str) -> float:
    """Save the aggregate with so many events after its first, a hundred at once; the seconds that it took."""
    application = _application(path)
    start = time.perf_counter()
    order = Order()
    for number in range(int(events)):
        sku = f"SKU-{number % 50}"
        if number % 10 == 9:
            order.remove(sku=sku, quantity=1)
        else:
            order.add(sku=sku, quantity=1 + number % 3, price="19.90")
        if number % SAVED == SAVED - 1:
            application.save(order)
    application.save(order)
    return time.perf_counter() - start


def loaded(path: str) -> float:
    """The seconds of a load."""
    application = _application(path)
    taken: list[float] = []
    for _ in range(LEAST):
        start = time.perf_counter()
        assert application.repository.get(ID).items
        taken.append(time.perf_counter() - start)
    return median(taken[LEAST // 2 :])


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
