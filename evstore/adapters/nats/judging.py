"""Units that are judged by what was read of the store, and the messages that store them.

Nothing here asks the servers: guards make sure that what was read is still so when the batch is stored.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from evstore.adapters.nats.batches import Message
from evstore.adapters.nats.lines import Place, body_of
from evstore.errors import EvstoreError, InvalidInputError, PositionConflictError
from evstore.model.conditions import violation_of
from evstore.port import AlreadyStored, Append, Outcome, Receipt, check_version, source_taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evstore.adapters.nats.subjects import Subjects
    from evstore.model.conditions import Query
    from evstore.port import PreparedEvent


class Tip(NamedTuple):
    """The last event of a stream."""

    sequence: int
    version: int
    created_us: int


NEW: Tip = Tip(0, 0, 0)


class Known(NamedTuple):
    """The facts of the store by which some units are judged."""

    held: frozenset[str]
    """Those of their ids that the store holds."""
    tips: Mapping[str, Tip]
    """The last events of the streams that they write or require."""
    end: int | None = None
    """The position of the last event, where a unit is judged by the whole log."""
    matches: Mapping[tuple[Query, int], int | None] = {}
    """For each condition the position of its first match."""
    source_position: int | None = None
    """The last position of the source of the unit."""


class Judged(NamedTuple):
    """The answers to units, and the messages that make them true."""

    outcomes: list[Outcome]
    """Receipts count positions from 0: the batch gives them."""
    messages: list[Message]
    tips: dict[str, Tip]
    """The last event of each stream, with its place among the messages instead of a sequence."""
    end: int | None = None
    """The sequence that the log must still end at, where the whole log was looked at."""

    @property
    def is_accepted(self) -> bool:
        """True if every unit that was judged is accepted."""
        return all(isinstance(each, Receipt) for each in self.outcomes)

    def tips_after(self, last_sequence: int) -> dict[str, Tip]:
        """The last event of each stream after the last message got this sequence."""
        first = last_sequence - len(self.messages) + 1
        return {each: tip._replace(sequence=first + tip.sequence) for each, tip in self.tips.items()}

    def placed(self, last_sequence: int) -> list[Outcome]:
        """The answers after the last message got this sequence."""
        first = (last_sequence - len(self.messages)) // 2 + 1
        return [
            each._replace(first_position=each.first_position + first) if isinstance(each, Receipt) else each
            for each in self.outcomes
        ]


def needs_end(unit: Append) -> bool:
    """True if the whole log must stay as it is until the unit is stored."""
    return bool(unit.conditions or unit.requirements or unit.source or unit.first_position is not None)


def judge(
    units: Sequence[Append], known: Known, subjects: Subjects, until_refused: bool, *, lost: bool, most_bytes: int
) -> Judged:
    """Judge the units in order, each by what was read and by those before it."""
    judging = _Judging(known, subjects, lost, most_bytes)
    for unit in units:
        outcome = judging.answer(unit)
        if until_refused and not isinstance(outcome, Receipt):
            break
    return judging.judged._replace(end=None if known.end is None else 2 * known.end)


class _Judging:
    def __init__(self, known: Known, subjects: Subjects, lost: bool, most_bytes: int) -> None:
        self._known = known
        self._subjects = subjects
        self._lost = lost
        self._most_bytes = most_bytes
        self._held: set[str] = {*known.held}
        self._tips: dict[str, Tip] = {**known.tips}
        self._written: set[str] = set()
        self.judged = Judged([], [], {})

    def answer(self, unit: Append) -> Outcome:
        outcome = self._refusal(unit) or self._accepted(unit)
        self.judged.outcomes.append(outcome)
        return outcome

    def _refusal(self, unit: Append) -> Outcome | None:
        held = [each for each in unit.ids() if each in self._held]
        if held:
            return AlreadyStored(held, self._lost and any(each in self._known.held for each in held))
        if unit.first_position is not None and self._known.end is not None:
            following = self._known.end + 1
            if unit.first_position != following:
                return PositionConflictError(unit.first_position, following)
        taken = source_taken(unit.source, self._known.source_position)
        if taken is not None:
            return taken
        try:
            self._check_versions(unit)
        except EvstoreError as refused:
            return refused
        found = self._known.matches
        return violation_of(unit.conditions, lambda query, after: found[query, after]) if unit.conditions else None

    def _check_versions(self, unit: Append) -> None:
        versions: dict[str, int] = {}
        for stream_id, events, expected in unit.writes:
            version = versions.get(stream_id, self._tips.get(stream_id, NEW).version)
            check_version(stream_id, expected, version)
            versions[stream_id] = version + len(events)
        for stream_id, expected in unit.requirements:
            check_version(stream_id, expected, self._tips.get(stream_id, NEW).version)

    def _accepted(self, unit: Append) -> Outcome:
        """The receipt of a unit, whose messages join those of the others; or an error if one is too long."""
        numbering = _Numbering(unit, self._tips, self._written, self._subjects)
        for event_id, message in numbering.messages():
            if len(message.body) > self._most_bytes:
                return InvalidInputError(
                    f"event {event_id} is a message of {len(message.body)} bytes, and the servers take "
                    f"{self._most_bytes}: see their option max_payload"
                )
        before = len(self.judged.messages)
        for stream_id, at in numbering.lasts.items():
            self.judged.tips[stream_id] = numbering.tips[stream_id]._replace(sequence=before + at)
        self._tips.update(numbering.tips)
        self._written |= numbering.written
        self._held.update(unit.ids())
        self.judged.messages.extend(numbering.made)
        return Receipt(before // 2, numbering.size, numbering.firsts, numbering.first_us)


class _Numbering:
    """The messages of a unit, with the numbers that its events get."""

    def __init__(self, unit: Append, tips: Mapping[str, Tip], written: set[str], subjects: Subjects) -> None:
        self._unit = unit
        self._before = written
        self._subjects = subjects
        self.size = sum(len(write.events) for write in unit.writes)
        now_us = time.time_ns() // 1000
        self._times_us = [now_us] * self.size if unit.times_us is None else unit.times_us
        self.first_us = self._times_us[0]
        self.tips = {write.stream_id: tips.get(write.stream_id, NEW) for write in unit.writes}
        self.written: set[str] = set()
        """The streams that have messages; only the first of each is guarded, as JetStream wants it."""
        self.firsts: list[int] = []
        self.lasts: dict[str, int] = {}
        """The place of the last message of each stream among those of the unit."""
        self.made: list[Message] = []

    def messages(self) -> Iterator[tuple[str, Message]]:
        """The message of each event, with its id. Each is followed by that of its id."""
        times = iter(self._times_us)
        for stream_id, events, _ in self._unit.writes:
            self.firsts.append(self.tips[stream_id].version + 1)
            subject = self._subjects.of_stream(stream_id)
            for event in events:
                message = Message(subject, self._body(stream_id, event, next(times)), self._guard(stream_id))
                self.lasts[stream_id] = len(self.made)
                self.made += (message, Message(self._subjects.of_id(event.id), b"", 0))
                yield event.id, message

    def _body(self, stream_id: str, event: PreparedEvent, time_us: int) -> bytes:
        tip = self.tips[stream_id]
        tip = self.tips[stream_id] = Tip(tip.sequence, tip.version + 1, tip.created_us if tip.version else time_us)
        number = len(self.made) // 2 + 1
        source = self._unit.source if number == 1 else None
        return body_of(event, Place(tip.version, time_us, number, self.size, tip.created_us, source))

    def _guard(self, stream_id: str) -> int | None:
        if stream_id in self.written or stream_id in self._before:
            return None
        self.written.add(stream_id)
        return self.tips[stream_id].sequence
