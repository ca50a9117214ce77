"""An aggregate of evstore, and the same state made by hand."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

import evstore
from evstore import connect

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST: Final = 6
SECONDS: Final = 0.4
"""The loads of a sample, at least so many, and for so long. The first half of them does not count."""
EVERY: Final = 100
"""Events between two snapshots."""
STREAM: Final = "Order-1"


@evstore.event
@dataclass
class ItemAdded:
    sku: str
    quantity: int
    price: str


@evstore.event
@dataclass
class ItemRemoved:
    sku: str
    quantity: int


class Order(evstore.Aggregate):
    """The number of items, and the times of each sku."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.items = 0
        self.skus: dict[str, int] = {}

    @evstore.when
    def added(self, event: ItemAdded) -> None:
        self.items += event.quantity
        self.skus[event.sku] = self.skus.get(event.sku, 0) + 1

    @evstore.when
    def removed(self, event: ItemRemoved) -> None:
        self.items -= event.quantity


def event_of(number: int) -> Any:
    """Events in turn, one of ten removes."""
    sku = f"SKU-{number % 50}"
    return ItemRemoved(sku, 1) if number % 10 == 9 else ItemAdded(sku, 1 + number % 3, "19.90")


def fill(url: str, events: str, snapshots: str = "") -> float:
    """Save the aggregate with so many events, a hundred at once; the seconds that it took."""
    with closing(connect(url)) as store:
        if snapshots:
            store.snapshots(EVERY)
        start = time.perf_counter()
        order = store.load_aggregate(Order, "1")
        for number in range(int(events)):
            order.record(event_of(number))
            if number % EVERY == EVERY - 1:
                store.save_aggregate(order)
        store.save_aggregate(order)
        return time.perf_counter() - start


def loaded(url: str, snapshots: str = "") -> float:
    """The seconds of a load."""
    with closing(connect(url)) as store:
        if snapshots:
            store.snapshots(EVERY)
        return _timed(lambda: store.load_aggregate(Order, "1").items)


def by_hand(url: str) -> float:
    """The seconds of reading the stream, decoding each event into its class, and changing a state by it."""
    skus: dict[str, int] = {}
    items = 0

    def added(event: ItemAdded) -> None:
        nonlocal items
        items += event.quantity
        skus[event.sku] = skus.get(event.sku, 0) + 1

    def removed(event: ItemRemoved) -> None:
        nonlocal items
        items -= event.quantity

    decoders = {cls.__name__: msgspec.json.Decoder(cls).decode for cls in (ItemAdded, ItemRemoved)}
    functions: dict[str, Callable[[Any], None]] = {"ItemAdded": added, "ItemRemoved": removed}

    with closing(connect(url)) as store:

        def load() -> int:
            for stored in store.read(STREAM):
                functions[stored.type](decoders[stored.type](stored.data_json))
            return items

        return _timed(load)


def _timed(load: Callable[[], int]) -> float:
    """The seconds of a load, the middle one of several."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(taken) < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        assert load()
        taken.append(time.perf_counter() - start)
    return median(taken[len(taken) // 2 :])
