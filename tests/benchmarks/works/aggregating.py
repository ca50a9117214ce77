"""Loads of an aggregate, with snapshots and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_most
from tests.benchmarks.processes import child
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab

LONG: Final = 10_000
SHORT: Final = 100
"""Events of an aggregate."""


def _filled(lab: Lab, kind: str, events: int, *words: str) -> str:
    """The URL of a store with an aggregate of so many events."""
    url = f"sqlite:{lab.sqlite(kind)}"
    child("aggregates.fill", url, min(events, lab.sizes.shape.events), *words)
    return url


@work("load-aggregate-sqlite", "load an aggregate of 10,000 events, SQLite")
def load_aggregate(lab: Lab) -> Work:
    url = _filled(lab, "aggregate", LONG)
    filled: list[str] = []

    def eventsourcing() -> float:
        if not filled:
            filled.append(str(lab.new("aggregate-of-eventsourcing") / "events.db"))
            lab.peers.told("with_aggregates", "fill", filled[0], min(LONG, lab.sizes.shape.events))
        return lab.peers.told("with_aggregates", "loaded", filled[0])

    return Work(
        lambda: child("aggregates.loaded", url),
        [
            Rival("the same by hand: read, decode, apply", lambda: child("aggregates.by_hand", url), at_most(2)),
            Rival("eventsourcing, an aggregate", eventsourcing, at_most(0.7)),
        ],
    )


@work("load-snapshot-sqlite", "load an aggregate of 10,050 events, a snapshot each 100, SQLite")
def load_snapshot(lab: Lab) -> Work:
    url = _filled(lab, "cached", LONG + SHORT // 2, "snapshots")
    short = _filled(lab, "uncached", SHORT)
    return Work(
        lambda: child("aggregates.loaded", url, "snapshots"),
        [Rival("an aggregate of 100 events, no snapshot", lambda: child("aggregates.loaded", short), at_most(3))],
    )
