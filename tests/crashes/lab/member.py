"""The processes of `members`: those that append, and a member of a consumer that works until SIGTERM."""

from __future__ import annotations

import os
import signal
import time
from random import Random
from typing import TYPE_CHECKING, Final

from evstore import ConsumerHeldError, EventData, connect
from evstore.consumers.cursors import Cursors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore import StoredEvent

NAME: Final = "worker"
BATCH: Final = 20
PAUSE: Final = 0.02
"""Seconds between two appends of a writer, so that a command can follow."""
LONGEST: Final = 0.004
"""Seconds, at most, that a batch takes: long enough to meet another member at it."""


def write(url: str, who: int, streams: int, enough: str) -> None:
    """Append to random streams until there is enough."""
    chance = Random(who)
    with connect(url) as store:
        while not os.path.exists(enough):
            stream = f"Work-{chance.randrange(streams)}"
            store.append(stream, [EventData("Done", {})] * chance.randint(1, 3))
            time.sleep(PAUSE)


def work(url: str, who: str, member: tuple[int, int], file: str, *, greedy: bool) -> None:
    """Handle the events of the member's slots, and write down when each batch begins and ends."""
    if greedy:
        Cursors.wanted = _all_of_them  # type: ignore[method-assign]
    told = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    chance = Random(who)
    ends: list[int] = []

    def note(events: Sequence[StoredEvent]) -> None:
        positions = " ".join(str(event.global_position) for event in events)
        os.write(told, f"+ {who} {positions}\n".encode())
        time.sleep(chance.uniform(0, LONGEST))
        os.write(told, f"- {who} {positions}\n".encode())

    with connect(url) as store:
        consumer = store.consumer(NAME, categories=["Work"], member=member)

        def end(number: int, _: object) -> None:
            ends.append(number)
            consumer.stop()

        signal.signal(signal.SIGTERM, end)
        while not ends:
            try:
                consumer.run(note, BATCH)
            except ConsumerHeldError:
                time.sleep(PAUSE)  # all its slots are those of others


def _all_of_them(self: Cursors, events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """The events of a member that does not honour slots."""
    return [each for each in events if each.global_position > self.lowest]
