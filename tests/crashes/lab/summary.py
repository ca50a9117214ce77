"""What a run did to a store, and what is wrong with what it left, in figures."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evstore import category_of, connect
from tests.crashes.lab.checker import RULES
from tests.crashes.lab.history import Followed, Stored
from tests.crashes.lab.recorded import AGAIN
from tests.crashes.lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import StoredEvent
    from tests.crashes.lab.history import Attempt

FOLLOWER: Final = "follower"


@dataclass(kw_only=True)
class Summary(Verdict):
    title: str
    killed: int
    slowest_settling: float

    @property
    def again(self) -> list[Attempt]:
        return [each for each in self.history.attempts if each.invoked.op.endswith(AGAIN)]

    def __str__(self) -> str:
        first = [f"rule {each.rule}: {each.sentence}" for each in self.findings[:20]]
        return "\n".join([*self._done(), *self._unknowns(), *self._left(), *first])

    def _done(self) -> Iterator[str]:
        seen = sum(len(read.seen) for read in self.history.reads)
        told = self.history.followers[FOLLOWER]
        positions = [each.seen.position for each in told if isinstance(each, Followed)]
        yield self.title
        yield f"processes killed {self.killed}, slowest settling after it {self.slowest_settling:.3f} s"
        yield (
            f"appends acknowledged {len(self.acknowledged)} ({self.acknowledged_events} events), "
            f"refused {len(self.refused)}"
        )
        yield f"reads {len(self.history.reads)} ({seen} events)"
        yield f"follower started {len(told) - len(positions)} times, handed {len(positions)} events"

    def _unknowns(self) -> Iterator[str]:
        words = Counter(map(_came_of, self.again))
        stored_later = {_first_id(each) for each in self.again if _came_of(each) == "stored now"}
        stored = sum(self.held(each)[0] > 0 and _first_id(each) not in stored_later for each in self.unknown)
        answers = ", ".join(f"{words[word]} {word}" for word in ("stored before", "stored now", "refused"))
        yield f"unknown outcomes {len(self.unknown)}, of which {stored} were stored"
        yield f"tried again {len(self.again)} of them: {answers}"

    def _left(self) -> Iterator[str]:
        streams = len({event.stream_id for event in self.log})
        rules = Counter(each.rule for each in self.findings)
        yield f"log {len(self.log)} events in {streams} streams"
        yield f"integrity {'; '.join(self.damage) or 'ok'}"
        yield "findings " + ", ".join(f"rule {number}: {rules[number]}" for number in range(1, len(RULES) + 1))
        yield f"lost {self.lost}, partial {self.partial}"


def _came_of(attempt: Attempt) -> str:
    if isinstance(attempt.answer, Stored):
        return "stored before" if attempt.answer.duplicate else "stored now"
    return "refused"


def _first_id(attempt: Attempt) -> str:
    return attempt.invoked.parts[0].events[0].id


def damage_of(path: Path, log: list[StoredEvent]) -> list[str]:
    """What SQLite, and the store's own counts, say against the file."""
    with closing(sqlite3.connect(path)) as connection:
        found = [str(row) for (row,) in connection.execute("PRAGMA integrity_check") if row != "ok"]
        found += [f"dangling reference {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    events = Counter(event.category for event in log)
    streams = Counter(map(category_of, {event.stream_id for event in log}))
    true = {name: (events[name], streams[name]) for name in events}
    with connect(f"sqlite:{path}") as store:
        counted = {each.category: (each.events, each.streams) for each in store.categories()}
    return found if counted == true else [*found, f"categories are {true}, but counted as {counted}"]
