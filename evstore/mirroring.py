"""Mirrors: another store that is kept equal to this one, by what is in both.

A mirror has no memory of its own. Whatever it finds in the target must be in the log, and the rest is appended.
Each page is a unit that names its first position: a foreign event in its place is found.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from evstore.appending.redaction import REDACTED
from evstore.comparing import ALL, difference_of, differing_parts, pairs
from evstore.errors import (
    ConflictError,
    DeniedError,
    EvstoreError,
    LogsDifferError,
    PositionConflictError,
    UnsupportedError,
)
from evstore.model.events import Write
from evstore.model.ids import is_id
from evstore.model.names import REDACTIONS
from evstore.port import MOST_IN_PAGE, Append, Page, Receipt
from evstore.reading.following import follow_log, reached
from evstore.reading.pages import BY_POSITION, BY_VERSION, events_of, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.appending.appender import Appender
    from evstore.appending.outcomes import Duplicate
    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, SourceTaken
    from evstore.reading.following import Patience

T = TypeVar("T")

MOST_LOOKED_UP: Final = 16
"""Events that may be long, and that are looked up at once before they are redacted."""


class Mirrored(NamedTuple):
    """The state of a mirror."""

    events: int
    """Events that this run stored."""
    redacted: int
    """Events that this run redacted."""
    position: int
    """The position up to which the target is equal."""
    head: int
    """The head of the log, as it was last seen."""


class Mirroring:
    """A mirror at work. Iterate it: each value says how far it is, the first once the target was compared."""

    def __init__(
        self,
        source: Adapter,
        target: Adapter,
        appender: Appender,
        patience: Patience,
        *,
        once: bool,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._source = source
        self._target = target
        self._appender = appender
        self._preparing = appender.preparing()
        self._patience = patience
        self._once = once
        self._on_progress = on_progress
        self._events = 0
        self._redacted = 0
        self._position = 0
        self._told: set[str] = set()
        """Ids of events that the log tells to redact after the position of the target."""
        self._is_vague = False
        """An event that tells of a redaction was redacted itself, so that it names nothing any more."""

    def __iter__(self) -> Iterator[Mirrored]:
        head = self._compare()
        yield self._at(head)
        for page in self._pages(head):
            self._copy(page)
            head = max(head, self._position)
            yield self._at(head)

    def _at(self, head: int) -> Mirrored:
        return Mirrored(self._events, self._redacted, self._position, head)

    def _pages(self, head: int) -> Iterator[list[StoredEvent]]:
        """Pages of the log that the target lacks: up to this head, or for ever."""
        if self._once:
            return pages_of(
                lambda p: self._source.read_all(p, ALL), Page(0, self._position, high=head), None, BY_POSITION
            )
        return (page for page, _ in follow_log(self._source, ALL, self._position, self._patience))

    # --- comparing ---

    def _compare(self) -> int:
        """Find how far the target is, and return the head of the log. Raises LogsDifferError."""
        self._position = self._target.head(-1, 0)  # asked first: it never is beyond a log that it mirrors
        head = self._source.head(-1, 0)
        common = min(head, self._position)
        for low, high in differing_parts(self._source, self._target, common, self._on_progress):
            for pair in pairs(self._source, self._target, low, high):
                self._check_same(*pair)
        if self._position > head:
            ends = f"an event is there, and the log at {self._source.location} ends at position {head}"
            raise LogsDifferError(self._target.location, head + 1, ends)
        return head

    def _check_same(self, position: int, here: StoredEvent | None, there: StoredEvent | None) -> None:
        """Raise LogsDifferError unless the target has the event, or will have it once a later one was mirrored."""
        if here and there and there.redacted and not here.redacted:  # redacted since it was read
            here = next(iter(self._source.get([here.id])), None)
        found = difference_of(position, here, there)
        if found is not None and not (here and there and self._is_redacted_later(here, there)):
            raise LogsDifferError(self._target.location, position, found.message)

    def _is_redacted_later(self, here: StoredEvent, there: StoredEvent) -> bool:
        """True if the log alone redacted the event, and tells of it in an event that the target lacks."""
        if not _is_redacted_alone(here, there):
            return False
        if here.id not in self._told:
            self._told.update(self._told_later())
        return here.id in self._told or self._is_vague

    def _told_later(self) -> Iterator[str]:
        """The ids in events about redactions that the target lacks."""
        for event in events_of(
            lambda p: self._source.read_stream(REDACTIONS, p, ALL), Page(0, backward=True), None, BY_VERSION
        ):
            if event.global_position <= self._position:
                return
            self._is_vague = self._is_vague or event.redacted
            yield from _told_of(event)

    # --- copying ---

    def _copy(self, page: Sequence[StoredEvent]) -> None:
        """Store the events of a page, and redact what they tell to redact."""
        self._check_whole(page)
        waiting: list[StoredEvent] = []
        for event in page:
            ids: list[str] = []
            metadata = False
            if event.stream_id == REDACTIONS:  # what it redacts may be among the events that wait
                self._done(self._store, waiting)
                waiting = []
                ids, metadata = self._done(self._to_redact, event)
            if ids:
                self._done(self._redact, event, ids, metadata)
            else:
                waiting.append(event)
        self._done(self._store, waiting)

    def _check_whole(self, page: Sequence[StoredEvent]) -> None:
        """Raise LogsDifferError at a gap, as in a file with a part of a log: events would get other positions."""
        for position, event in enumerate(page, page[0].global_position):
            if event.global_position != position:
                raise self._no_event(position)

    def _no_event(self, position: int) -> LogsDifferError:
        lacks = f"the log at {self._source.location} has no event there"
        return LogsDifferError(self._target.location, position, lacks)

    def _done(self, work: Callable[..., T], *what: Any) -> T:
        """The result of work on the target, which is waited for unless the mirror stops at the end."""
        return work(*what) if self._once else reached(self._patience, work, *what)

    def _store(self, events: Sequence[StoredEvent]) -> None:
        most = self._appender.most_at_once(MOST_IN_PAGE)
        for at in range(0, len(events), most):
            self._store_whole(events[at : at + most])

    def _store_whole(self, events: Sequence[StoredEvent]) -> None:
        while events:
            (outcome,) = self._appender.submit([self._unit(events)])
            if isinstance(outcome, Receipt):
                self._events += len(events)
                self._position = events[-1].global_position
                return
            events = self._not_there(events, outcome)

    def _unit(self, events: Sequence[StoredEvent]) -> Append:
        writes = []
        for stream_id, run in groupby(events, key=attrgetter("stream_id")):
            part = [*run]
            writes.append(Write(stream_id, [*map(self._preparing.stored, part)], part[0].version - 1))
        return Append(writes, [event.timestamp_us for event in events], events[0].global_position)

    def _not_there(
        self, events: Sequence[StoredEvent], refusal: Duplicate | SourceTaken | EvstoreError
    ) -> list[StoredEvent]:
        """The events that the target lacks, after it refused these. Raises unless the others are in their places,
        as after a lost answer, or when two mirrors are at work."""
        if isinstance(refusal, EvstoreError) and not isinstance(refusal, ConflictError):
            raise refusal
        head = self._target.head(-1, 0)
        first, last = events[0].global_position, events[-1].global_position
        if isinstance(refusal, PositionConflictError) and head + 1 < first:
            raise self._no_event(head + 1)
        if isinstance(refusal, EvstoreError) and head < first:
            raise refusal
        for pair in pairs(self._source, self._target, first, min(head, last)):
            self._check_same(*pair)
        self._position = min(head, last)
        return [event for event in events if event.global_position > head]

    # --- redacting ---

    def _to_redact(self, told: StoredEvent) -> tuple[list[str], bool]:
        """The ids of the events that an event tells to redact, as far as the log alone has redacted them; true if
        their metadata goes as well."""
        self._is_vague = self._is_vague or told.redacted
        if self._is_vague:
            return self._redacted_alone(told.global_position - 1)
        ids: list[str] = []
        named = _told_of(told)
        for at in range(0, len(named), MOST_LOOKED_UP):
            there = self._target.get(named[at : at + MOST_LOOKED_UP])
            wanted = [each.id for each in there if not _is_done(each, told)]
            ids += [each.id for each in self._source.get(wanted) if each.redacted] if wanted else []
        return ids, _takes_metadata(told)

    def _redacted_alone(self, head: int) -> tuple[list[str], bool]:
        """The same of all events up to this head. Where some lose their metadata and others keep it, those that
        keep it are left to the next event that tells of a redaction."""
        whole: list[str] = []
        others: list[str] = []
        for low, high in differing_parts(self._source, self._target, head, lambda _done, _total: None):
            for _, here, there in pairs(self._source, self._target, low, high):
                if here and there and here != there and _is_redacted_alone(here, there):
                    (others if here.metadata_json == there.metadata_json else whole).append(here.id)
        self._is_vague = bool(whole and others)
        return whole or others, bool(whole)

    def _redact(self, told: StoredEvent, ids: Sequence[str], metadata: bool) -> None:
        """Redact events, and store the one that tells of it, in one step."""
        unit = self._unit([told])
        try:
            outcome = self._target.redact(ids, unit, metadata=metadata)
        except (DeniedError, UnsupportedError) as error:
            which = f"position {told.global_position} of the log redacts {len(ids)} of the events before it"
            error.add_note(f"{which}; mirror it as a role that may redact in {self._target.location}")
            raise
        judged = self._appender.judged(unit, outcome)
        if isinstance(judged, Receipt):
            self._events += 1
            self._redacted += len(ids)
            self._position = told.global_position
        else:
            self._not_there([told], judged)


def _is_redacted_alone(here: StoredEvent, there: StoredEvent) -> bool:
    """True if the events of two logs are one, of which the first log alone redacted something."""
    as_there = here._replace(data_json=there.data_json, metadata_json=there.metadata_json, redacted=there.redacted)
    return here.redacted and as_there == there


def _told_of(event: StoredEvent) -> list[str]:
    """The ids of the events that an event of the stream of redactions names."""
    data = event.data if event.type == REDACTED else None
    ids = data.get("ids") if isinstance(data, dict) else None
    return [each for each in ids if isinstance(each, str) and is_id(each)] if isinstance(ids, list) else []


def _takes_metadata(told: StoredEvent) -> bool:
    data = told.data
    return isinstance(data, dict) and data.get("metadata") is True


def _is_done(event: StoredEvent, told: StoredEvent) -> bool:
    """True if an event that is to be redacted is so already."""
    return event.redacted and (event.metadata_json == "{}" or not _takes_metadata(told))
