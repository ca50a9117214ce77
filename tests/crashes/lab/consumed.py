"""The processes of `consuming`: those that append, and the consumer that is killed."""

from __future__ import annotations

import os
import time
from random import Random
from typing import TYPE_CHECKING, Final

from evstore import EventData, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore import StoredEvent, Transaction

STREAMS: Final = 20
BATCH: Final = 10
PAUSE: Final = 0.002
SLOW: Final = 0.1
"""Seconds between two appends of a writer, so that the consumer can follow; a command takes longer than a function."""


def write(url: str, who: int, enough: str, pause: float) -> None:
    """Append to random streams until there is enough."""
    chance = Random(who)
    with connect(url) as store:
        while not os.path.exists(enough):
            stream = f"Work-{chance.randrange(STREAMS)}"
            store.append(stream, [EventData("Done", {"n": 1})] * chance.randint(1, 3))
            store.append(f"Other-{who}", [EventData("Passed", {})])
            time.sleep(pause)


def consume(url: str, file: str, kind: str, *, once: bool, forgets: bool) -> None:
    """Handle events, and write down which, until killed."""
    told = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(events: Sequence[StoredEvent]) -> None:
        os.write(told, b"".join(b"%d\n" % event.global_position for event in events))

    def in_rows(events: Sequence[StoredEvent], tx: Transaction) -> None:
        for event in events:
            tx.execute(f"INSERT INTO {table_of(url)} (position) VALUES ({event.global_position})")
        note(events)

    def as_events(events: Sequence[StoredEvent]) -> list[tuple[str, list[EventData], int]]:
        note(events)
        return [(f"Answer-{n % 3}", [EventData("Answered", e.global_position)], -1) for n, e in enumerate(events)]

    handlers: dict[str, Callable[..., object]] = {"plain": note, "transactional": in_rows, "appending": as_events}
    with connect(url) as store:
        consumer = store.consumer("worker", categories=["Work"])
        modes = {"transactional": kind == "transactional", "appends": kind == "appending"}
        if forgets:
            consumer.run(lambda _: None, BATCH, once=True)
        consumer.run(handlers[kind], BATCH, once=once, **modes)


def table_of(url: str) -> str:
    """The table that a transactional consumer fills."""
    return "handled" if url.startswith("sqlite") else "public.handled_by_worker"
