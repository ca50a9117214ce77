"""What the log says against the records of racers: it is read by itself, without a query of the store."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evstore import ANY_VERSION, NO_STREAM, STREAM_EXISTS
from tests.crashes.lab.racer import Acknowledged, Asked, Refused, Unsure
from tests.crashes.lab.result import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore import StoredEvent
    from tests.crashes.lab.racer import Record

MOST_TOLD: Final = 20


class Log:
    """The events of a store, with their positions by tag, by type and by stream."""

    def __init__(self, events: Sequence[StoredEvent]) -> None:
        self.events = events
        self.at: dict[str, StoredEvent] = {event.id: event for event in events}
        self._tagged: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        self._typed: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        self._streams: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        for event in events:
            self._typed[event.type].append(event)
            self._streams[event.stream_id].append(event)
            for tag in event.tags:
                self._tagged[tag].append(event)

    def version(self, stream_id: str, before: int) -> int:
        """The version of a stream as of the last position before this one."""
        earlier = bisect_right(self._streams[stream_id], before - 1, key=_position)
        return self._streams[stream_id][earlier - 1].version if earlier else 0

    def matching(self, query: Iterable[dict[str, list[str]]], after: int, before: int) -> Iterator[StoredEvent]:
        """The events between two positions that match a query's wire form."""
        for item in query:
            types, tags = item.get("types", []), item.get("tags", [])
            lists = [self._tagged[tag] for tag in tags] or [self._typed[name] for name in types]
            shortest = [min(lists, key=len)] if tags else lists
            for events in shortest:
                for event in events[bisect_right(events, after, key=_position) :]:
                    if event.global_position >= before:
                        break
                    if (not types or event.type in types) and set(tags) <= set(event.tags):
                        yield event


def _position(event: StoredEvent) -> int:
    return event.global_position


@dataclass
class Judgement:
    """The counts of a run, and a sentence for each thing that must not be."""

    events: int
    acknowledged: int
    conditions: int
    """Of the appends that were acknowledged."""
    refused: int
    unsure: int
    unanswered: int
    """Appends that a kill interrupted."""
    stored_unanswered: int
    violations: list[str]

    @property
    def counts(self) -> Counts:
        return Counts(self.acknowledged, faults=tuple(self.violations))

    def __str__(self) -> str:
        counts = (
            f"log {self.events} events; appends acknowledged {self.acknowledged} under {self.conditions} conditions, "
            f"refused {self.refused}, not available {self.unsure}, interrupted {self.unanswered}; of those without an "
            f"answer {self.stored_unanswered} were stored; violations {len(self.violations)}"
        )
        return "\n".join([counts, *self.violations[:MOST_TOLD]])


def judge(records: Iterable[Record], events: Sequence[StoredEvent]) -> Judgement:
    """Hold every append that is acknowledged, or that the log has, against the log."""
    records = list(records)
    answers = {each.op: each for each in records if not isinstance(each, Asked)}
    asked = [each for each in records if isinstance(each, Asked)]
    log = Log(events)
    violations = [
        f"position {number} is {event.global_position} in the log"
        for number, event in enumerate(events, 1)
        if event.global_position != number
    ]
    known = {each for one in asked for each in one.ids}
    violations += [f"the event {event.id} was asked of nobody" for event in events if event.id not in known]
    unknown = [one for one in asked if not isinstance(answers.get(one.op), Acknowledged | Refused)]
    acknowledged = [one for one in asked if isinstance(answers.get(one.op), Acknowledged)]
    for one in asked:
        violations += _of_append(log, one, answers.get(one.op))
    return Judgement(
        len(events),
        len(acknowledged),
        sum(len(one.conditions) for one in acknowledged),
        sum(isinstance(each, Refused) for each in answers.values()),
        sum(isinstance(each, Unsure) for each in answers.values()),
        sum(one.op not in answers for one in asked),
        sum(one.ids[0] in log.at for one in unknown),
        violations,
    )


def _of_append(log: Log, asked: Asked, answer: Record | None) -> Iterator[str]:
    positions = [log.at[each].global_position for each in asked.ids if each in log.at]
    if isinstance(answer, Refused):
        if positions:
            yield f"{asked.op} was refused, but the log has it at {positions[0]}"
        return
    if isinstance(answer, Acknowledged) and positions != list(answer.positions):
        yield f"{asked.op} was acknowledged at {answer.positions}, but the log has it at {positions}"
    elif positions and positions != [*range(positions[0], positions[0] + len(asked.ids))]:
        yield f"{asked.op} has {len(asked.ids)} events, but the log has it at {positions}"
    if positions:
        yield from _of_stored(log, asked, positions[0])


def _of_stored(log: Log, asked: Asked, first: int) -> Iterator[str]:
    for query, after in asked.conditions:
        for event in log.matching(query, after, first):
            yield f"{asked.op} at {first} forbids {query} after {after}, which {event.global_position} matches"
    for stream_id, expected in asked.requirements:
        version = log.version(stream_id, first)
        if not _holds(expected, version):
            yield f"{asked.op} at {first} requires version {expected} of {stream_id}, which has {version}"
    at = first
    for stream_id, expected, ids in asked.writes:
        version = log.version(stream_id, at)
        if not _holds(expected, version):
            yield f"{asked.op} at {at} expects version {expected} of {stream_id}, which has {version}"
        at += len(ids)


def _holds(expected: int, version: int) -> bool:
    if expected == ANY_VERSION:
        return True
    return version > 0 if expected == STREAM_EXISTS else version == (0 if expected == NO_STREAM else expected)
