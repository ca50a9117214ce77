"""A history to plant faults into, and the means to do it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec.structs import replace

from evstore import ANY_VERSION, NO_STREAM, STREAM_EXISTS, connect
from tests.crashes.lab import recorded
from tests.crashes.lab.checker import Finding, check
from tests.crashes.lab.history import History, Invoked, Part, Record, Sent, Withdrawn

if TYPE_CHECKING:
    from evstore import StoredEvent


@dataclass
class Case:
    records: list[Record]
    log: list[StoredEvent]

    def findings(self) -> list[Finding]:
        return check(History.of(self.records), self.log)

    def all(self, kind: type[Record]) -> list[Any]:
        return [each for each in self.records if isinstance(each, kind)]

    def named(self, kind: type[Record], op: str) -> Any:
        return next(each for each in self.all(kind) if each.op == op)

    def change(self, kind: type[Record], nth: int | str, **changes: Any) -> None:
        """Change the nth record of a kind, or the one of a named append."""
        one = self.named(kind, nth) if isinstance(nth, str) else self.all(kind)[nth]
        self.records[self.records.index(one)] = replace(one, **changes)

    def renumber(self) -> None:
        """Number the log anew, so that a fault shows in what it holds and not as a gap."""
        versions = Counter[str]()
        for index, event in enumerate(self.log):
            versions[event.stream_id] += 1
            self.log[index] = event._replace(global_position=index + 1, version=versions[event.stream_id])


def part(stream_id: str, expected: int = ANY_VERSION, events: int = 1) -> Part:
    return Part(stream_id, expected, tuple(Sent(str(uuid4()), "Paid", '{"sum":1.10}') for _ in range(events)))


def clean() -> Case:
    """Every kind of operation, done to a real store: what it left, and what was told of it."""
    records: list[Record] = []
    tell = records.append
    with connect("memory:") as store:
        recorded.append(store, tell, "first", (part("A-1", NO_STREAM),))  # position 1
        recorded.append(store, tell, "batch", (part("B-1", events=3),))  # 2 to 4
        recorded.follow(store, tell, "follower", to=4)
        recorded.append(store, tell, "refused", (part("A-1", NO_STREAM),))
        recorded.append(store, tell, "several", (part("A-1", 1, 2), part("B-1", 3)))  # 5 to 7
        recorded.read(store, tell)
        unknown = (part("C-1", events=2),)
        recorded.append(store, tell, "unknown", unknown)  # 8 and 9
        records.pop()
        recorded.append(store, tell, "again", unknown)
        tell(Invoked("never", records[-1].at, (part("D-1"),)))
        recorded.read(store, tell, after=4, limit=3)
        recorded.append(store, tell, "exists", (part("A-1", STREAM_EXISTS),))  # 10
        recorded.follow(store, tell, "follower", after=3, to=10)
        last = (part("D-1"),)
        recorded.append(store, tell, "last", last)  # 11
        tell(Invoked("last-repeated", monotonic_ns(), last))
        tell(Withdrawn("last-repeated", monotonic_ns()))
        recorded.read(store, tell, after=8)
        recorded.show(tell, store.read("A-1", backward=True, limit=2))  # 10 and 6
        recorded.say(tell, [("", store.head()), ("A", 4), ("D-1", store.stream_info("D-1").version)])
        tell(Invoked("withdrawn", monotonic_ns(), (part("E-1"),)))
        tell(Withdrawn("withdrawn", monotonic_ns()))
        log = list(store.replay())
    return Case(records, log)
