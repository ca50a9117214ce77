"""Programs that a type checker refuses. An ignore that is not needed is an error."""

from __future__ import annotations

from dataclasses import dataclass

import evstore
from evstore import Aggregate, EventData, EventStore, Query, StoredEvent, Transaction


@evstore.event
@dataclass
class Opened:
    n: int


class Door(Aggregate):
    @evstore.when
    def opened(self, event: Opened) -> None: ...


def within(events: list[StoredEvent], tx: Transaction) -> None: ...


def plain(events: list[StoredEvent]) -> str:
    return events[0].id


def wrong(store: EventStore) -> None:
    Opened("1")  # type: ignore[arg-type]
    store.append("Door-1", EventData("T", 1))  # type: ignore[arg-type]
    store.append("Door-1", [Opened(1)], expected="1")  # type: ignore[call-arg]
    store.load_aggregate(Opened, "1")  # type: ignore[type-var]
    store.save_aggregate(Door("1"), keys="k")  # type: ignore[call-arg]
    store.update(Door, "1", lambda door: door.closed)  # type: ignore[attr-defined]
    store.update(Query(), lambda decision: [7])  # type: ignore[list-item]
    store.fold("Door-1", 0, lambda n, _: str(n))  # type: ignore[arg-type, return-value]
    with store.consumer("c") as consumer:
        consumer.run(within)  # type: ignore[arg-type]
        consumer.run(plain, transactional=True)  # type: ignore[call-overload]
        consumer.run(plain, appends=True)  # type: ignore[arg-type]
        consumer.run(plain, retry=3)  # type: ignore[call-overload]
