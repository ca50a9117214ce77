"""The seven rules of an event log, judged over a history and over the log that is left at its end.

Because the log is one sequence without gaps, nothing has to be searched for, as a checker of linearizability
must: an append took effect where its events lie, and each rule is one pass over what was recorded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import ANY_VERSION, STREAM_EXISTS
from tests.crashes.lab.history import Refused, Started, Stored, Withdrawn, print_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore import StoredEvent
    from tests.crashes.lab.history import Attempt, Followed, History, Seen, Sent


class Finding(NamedTuple):
    """A broken rule, by its number, and how it shows."""

    rule: int
    sentence: str


@dataclass
class Unit:
    """One append, the attempts at it one after the other, and what the log holds of each of its events."""

    attempts: list[Attempt]
    found: list[StoredEvent | None]

    @property
    def name(self) -> str:
        return f"append {self.attempts[0].invoked.op}"

    @cached_property
    def sent(self) -> list[tuple[str, Sent]]:
        return [(part.stream_id, sent) for part in self.attempts[0].invoked.parts for sent in part.events]

    @cached_property
    def positions(self) -> list[int]:
        return [event.global_position for event in self.found if event]

    @property
    def acknowledged(self) -> list[Stored]:
        return [each.answer for each in self.attempts if isinstance(each.answer, Stored)]

    @property
    def refused(self) -> list[Refused]:
        return [each.answer for each in self.attempts if isinstance(each.answer, Refused)]


class Evidence:
    """A history beside a log, with what several rules look up in them."""

    def __init__(self, history: History, log: Sequence[StoredEvent]) -> None:
        self.history = history
        self.log = log
        self.prints = {event.global_position: print_of(event) for event in log}
        by_id = {event.id: event for event in log}
        attempts: dict[str, list[Attempt]] = {}
        for attempt in history.attempts:
            attempts.setdefault(attempt.invoked.parts[0].events[0].id, []).append(attempt)
        self.units = [
            Unit(each, [by_id.get(sent.id) for part in each[0].invoked.parts for sent in part.events])
            for each in attempts.values()
        ]
        acknowledged = sorted(
            (answer.at, max(unit.positions))
            for unit in self.units
            for answer in unit.acknowledged
            if unit.positions
        )
        self._times = [at for at, _ in acknowledged]
        self._heads = [0, *accumulate((last for _, last in acknowledged), max)]

    def head_before(self, at: int) -> int:
        """The highest position that had been acknowledged before this time."""
        return self._heads[bisect_left(self._times, at)]


def check(history: History, log: Sequence[StoredEvent]) -> list[Finding]:
    """What is wrong, in the order of the rules; nothing, if the store kept its promises."""
    evidence = Evidence(history, log)
    return [Finding(number, said) for number, rule in enumerate(RULES, 1) for said in rule(evidence)]


def order(evidence: Evidence) -> Iterator[str]:
    """1: positions and the versions of each stream count 1, 2, 3…; an append is whole and in one piece."""
    last, versions = 0, Counter[str]()
    for event in evidence.log:
        if event.global_position != last + 1:
            yield f"position {event.global_position} stands behind position {last}"
        if event.version != versions[event.stream_id] + 1:
            yield f"{event!r} stands behind version {versions[event.stream_id]} of its stream"
        last, versions[event.stream_id] = event.global_position, event.version
    for unit in evidence.units:
        if 0 < len(unit.positions) < len(unit.sent):
            yield f"{unit.name} is stored in part: {len(unit.positions)} of {len(unit.sent)} events"
        elif any(after != before + 1 for before, after in pairwise(unit.positions)):
            yield f"{unit.name} is not in one piece and in order, but at {unit.positions}"


def outcomes(evidence: Evidence) -> Iterator[str]:
    """2: what was acknowledged is there once, as it was given; what was refused is not; the rest may be."""
    for event_id, times in Counter(event.id for event in evidence.log).items():
        if times > 1:
            yield f"event {event_id} is stored {times} times"
    known = {sent.id for unit in evidence.units for _, sent in unit.sent}
    yield from (f"nobody appended {event!r}" for event in evidence.log if event.id not in known)
    for unit in evidence.units:
        if unit.acknowledged and None in unit.found:
            yield f"{unit.name} was acknowledged, and {unit.found.count(None)} of its events are lost"
        if isinstance(unit.attempts[-1].answer, Refused) and unit.positions:
            yield f"{unit.name} was refused, and is stored at {unit.positions}"
        # An append that was stored before may be repeated where nothing can be stored any more.
        if isinstance(unit.attempts[-1].answer, Withdrawn) and unit.positions and not unit.acknowledged:
            yield f"{unit.name} was taken back, and is stored at {unit.positions}"
        for (stream_id, sent), found in zip(unit.sent, unit.found, strict=True):
            if found and (found.stream_id, found.type, found.data_json) != (stream_id, sent.type, sent.data):
                yield f"{unit.name} sent another event than {found!r}"
        yield from _receipts(evidence, unit)


def _receipts(evidence: Evidence, unit: Unit) -> Iterator[str]:
    found = [event for event in unit.found if event]
    if len(found) < len(unit.found):
        return
    versions, at = [], 0
    for part in unit.attempts[0].invoked.parts:
        versions.append(found[at].version)
        at += len(part.events)
    has = (unit.positions[0], tuple(versions))
    for answer in unit.acknowledged:
        told = (answer.first, answer.versions or has[1])
        if told != has:
            yield f"{unit.name} was told position {told[0]}, versions {told[1]}, but has {has[0]}, {has[1]}"
        elif answer.prints and answer.prints != tuple(evidence.prints[at] for at in unit.positions):
            yield f"{unit.name} was told other events than the log's at {unit.positions}"


def real_time(evidence: Evidence) -> Iterator[str]:
    """3: what was acknowledged before an append began lies below it."""
    for unit in evidence.units:
        if unit.positions and (head := evidence.head_before(_began(unit))) >= min(unit.positions):
            yield f"{unit.name} is at {min(unit.positions)}, but began after {head} was acknowledged"


def _began(unit: Unit) -> int:
    """When the attempt that stored it began, as far as that is known, else the first one."""
    for attempt in unit.attempts:
        if isinstance(attempt.answer, Stored) and not attempt.answer.duplicate:
            return attempt.invoked.at
    return unit.attempts[0].invoked.at


def expectations(evidence: Evidence) -> Iterator[str]:
    """4: what an append expected of a stream was so where it took effect."""
    expected = {
        part.events[0].id: part.expected for unit in evidence.units for part in unit.attempts[0].invoked.parts
    }
    versions = Counter[str]()
    for event in evidence.log:
        wanted, actual = expected.get(event.id, ANY_VERSION), versions[event.stream_id]
        if wanted != ANY_VERSION and (actual == 0 if wanted == STREAM_EXISTS else actual != wanted):
            yield f"{event!r} expected version {wanted}, and took effect at {actual}"
        versions[event.stream_id] += 1
    for unit in evidence.units:
        if all(part.expected == ANY_VERSION for part in unit.attempts[0].invoked.parts):
            yield from (f"{unit.name} expected nothing, and was refused: {a.reason}" for a in unit.refused)


def reads(evidence: Evidence) -> Iterator[str]:
    """5: what was shown is in the log; a read of the log is a slice of it, and one to the end shows what was
    acknowledged before it began."""
    for seen in {each: True for shown in evidence.history.shown for each in shown.seen}:
        if not _is_in(evidence, seen):
            yield f"{seen} was shown, and is not in the log"
    for read in evidence.history.reads:
        name = f"the read after {read.after}"
        for position, seen in enumerate(read.seen, read.after + 1):
            if seen.position != position or not _is_in(evidence, seen):
                yield f"{name} showed {seen} where position {position} of the log belongs"
                break
        head, last = evidence.head_before(read.at), read.after + len(read.seen)
        to_the_end = read.limit is None or len(read.seen) < read.limit
        if to_the_end and last < head:
            yield f"{name} ended at {last}, when position {head} had been acknowledged"


def followers(evidence: Evidence) -> Iterator[str]:
    """6: a follower is handed 1, 2, 3…, again what it had only after it started again, and never skips."""
    for who, told in evidence.history.followers.items():
        furthest = last = 0
        for record in told:
            if isinstance(record, Started):
                last = record.after
                if last > furthest:
                    yield f"{who} started after {last}, but had come to {furthest}"
                continue
            yield from _next(evidence, record, last)
            last = record.seen.position
            furthest = max(furthest, last)


def _next(evidence: Evidence, record: Followed, last: int) -> Iterator[str]:
    position = record.seen.position
    if position > last + 1:
        yield f"{record.who} skipped from {last} to {position}"
    elif position <= last:
        yield f"{record.who} went back from {last} to {position} without a new start"
    if not _is_in(evidence, record.seen):
        yield f"{record.who} was handed another event than the log's at {position}"


def _is_in(evidence: Evidence, seen: Seen) -> bool:
    return evidence.prints.get(seen.position) == seen.print


def foundations(evidence: Evidence) -> Iterator[str]:
    """7: what an answer said to be there was there before the answer, and is for ever."""
    times: dict[tuple[str, int], int] = {}
    numbers = Counter[str]()
    for event in evidence.log:
        numbers[event.category] += 1
        for key in (
            ("", event.global_position),
            (event.category, numbers[event.category]),
            (event.stream_id, event.version),
        ):
            times[key] = event.timestamp_us
    for name, number, wall_us in {(each.name, each.number, each.wall_us) for each in evidence.history.levels}:
        stored_us = times.get((name, number))
        if number and stored_us is None:
            yield f"{name or 'the log'} was said to be at {number}, which is not there"
        elif number and stored_us > wall_us:
            yield f"{name or 'the log'} was said to be at {number} before that was stored"


RULES: Final = (order, outcomes, real_time, expectations, reads, followers, foundations)
