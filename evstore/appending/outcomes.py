"""The outcome of an append: its events as they are stored now, or as they were first stored if the store holds
its ids already. The stored events decide, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from evstore.errors import EventIdConflictError, EvstoreError, IncompleteLogError, UnavailableError
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.port import (
    MOST_IN_PAGE,
    PAGE_CHARACTERS,
    AlreadyStored,
    Page,
    Receipt,
    SourceTaken,
    outcome_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.port import Adapter, Append, Joined, Outcome, PreparedEvent, PreparedWrite

    Lookup = Adapter | Joined
    """Whatever tells the stored events of ids."""
    LookedUp = tuple[PreparedWrite, PreparedEvent, StoredEvent | None]
    """An event, its write, and the stored event of the same id."""


class Duplicate(NamedTuple):
    """The outcome of an append whose events are stored already."""

    first: StoredEvent
    last: StoredEvent
    size: int
    by_earlier_append: bool
    """True if an earlier append stored them; False if a try of this append did, whose answer was lost."""


Done: TypeAlias = Receipt | Duplicate | SourceTaken
"""The outcome of an append that succeeded, also if there was nothing to store."""


def stored_events(adapter: Adapter, unit: Append, receipt: Receipt) -> Iterator[StoredEvent]:
    """The unit's events with the numbers of its receipt, or from the log if the receipt lacks some."""
    if len(receipt.first_versions) < len(unit.writes):
        yield from _of_log(adapter, receipt)
        return
    position = receipt.first_position
    for (stream_id, events, _), first in zip(unit.writes, receipt.first_versions, strict=True):
        for version, event in enumerate(events, first):
            yield StoredEvent(
                event.id,
                stream_id,
                event.type,
                event.data_json,
                event.metadata_json,
                version,
                position,
                receipt.timestamp_us,
                event.joined_tags,
                event.redacted,
            )
            position += 1


def _of_log(adapter: Adapter, receipt: Receipt) -> Iterator[StoredEvent]:
    after, last = receipt.first_position - 1, receipt.first_position + receipt.size - 1
    while after < last:
        page = adapter.read_all(Page(MOST_IN_PAGE, after=after, high=last), Filter())
        if not page:
            raise IncompleteLogError(adapter.location, after + 1, "event")
        yield from page
        after = page[-1].global_position


def look_up(adapter: Lookup, writes: Iterable[PreparedWrite]) -> Iterator[LookedUp]:
    """Each event of the writes, with the stored event of the same id."""
    for some in _in_pages((write, event) for write in writes for event in write.events):
        by_id = {each.id: each for each in adapter.get([event.id for _, event in some])}
        yield from ((write, event, by_id.get(event.id)) for write, event in some)


def _in_pages(
    events: Iterator[tuple[PreparedWrite, PreparedEvent]],
) -> Iterator[list[tuple[PreparedWrite, PreparedEvent]]]:
    """Groups that may be looked up at once: the stored events are about as long as these."""
    some, characters = [], 0
    for pair in events:
        some.append(pair)
        characters += len(pair[1].data_json)
        if len(some) == MOST_IN_PAGE or characters > PAGE_CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some


def first_stored(adapter: Lookup, unit: Append, stored_id: str) -> Iterator[StoredEvent]:
    """The unit's events as first stored. `stored_id` is one of its ids. Raises EventIdConflictError."""
    return check_retry(stored_id, look_up(adapter, unit.writes))


def judge(adapter: Lookup, unit: Append, outcome: Outcome) -> Done | EvstoreError:
    """The meaning of an adapter's answer.

    If the lookup of stored events fails, the outcome is unknown: a lost try of this unit may have stored them.
    """
    if not isinstance(outcome, AlreadyStored):
        return outcome
    try:
        return _duplicate(unit, first_stored(adapter, unit, outcome.ids[0]), outcome.after_lost_answer)
    except EventIdConflictError as error:
        return error
    except UnavailableError as error:
        unknown = outcome_unknown([unit])
        unknown.__cause__ = error
        return unknown


def _duplicate(unit: Append, stored: Iterator[StoredEvent], after_lost_answer: bool) -> Duplicate:
    """The stored events as a Duplicate, not flagged if a lost try of this append stored them."""
    first = last = None
    size = 0
    for last in stored:
        first = first or last
        size += 1
    assert first is not None
    assert last is not None
    return Duplicate(first, last, size, not (unit.has_new_ids and after_lost_answer))


def append_in_order(adapter: Adapter, units: Sequence[Append]) -> Iterator[Done]:
    """Append units in order, each as if alone, though they share commits; yield the outcomes of durable units.

    The first refusal is raised, and no later unit is appended. After a unit that was stored before, the next
    are probably stored as well: they are looked up together instead of being tried singly.
    """
    at = 0
    while at < len(units):
        outcomes = adapter.append(units[at:], until_refused=True)
        for unit, outcome in zip(units[at:], outcomes, strict=False):
            result = judge(adapter, unit, outcome)
            if isinstance(result, EvstoreError):
                raise result
            at += 1
            yield result
        last = outcomes[-1]
        if isinstance(last, AlreadyStored):
            for known in _leading(adapter, units[at:], last.after_lost_answer):
                at += 1
                yield known


def _leading(adapter: Adapter, units: Sequence[Append], after_lost_answer: bool) -> Iterator[Duplicate]:
    """The first units, of one event each, that are stored already.

    If the answer to an earlier unit was lost, so was theirs: one call had sent them together.
    """
    looked_up = look_up(adapter, (write for unit in units for write in unit.writes))
    done = 0
    try:
        for unit, (write, event, found) in zip(units, looked_up, strict=True):
            if found is None:
                return
            check_same(write.stream_id, event, found)
            yield _duplicate(unit, iter([found]), after_lost_answer)
            done += 1
    except UnavailableError as error:
        if not after_lost_answer:
            raise
        raise outcome_unknown(units[done:]) from error


def split_stored(
    adapter: Adapter, writes: Iterable[PreparedWrite]
) -> Iterator[tuple[PreparedWrite, StoredEvent | None]]:
    """Each write of one event, with the event as first stored if it is stored and the same.

    Raises EventIdConflictError where an id belongs to another event.
    """
    for write, event, found in look_up(adapter, writes):
        if found is not None:
            check_same(write.stream_id, event, found)
        yield write, found


def check_retry(stored_id: str, looked_up: Iterable[LookedUp]) -> Iterator[StoredEvent]:
    """Yield the events as first stored if the append is a retry. Raises EventIdConflictError.

    `stored_id` is one of the append's ids that is stored; `looked_up` are all its events in order, each with its
    write and with the stored event of the same id. It is a retry if all ids are stored: each write's in its
    stream, at consecutive versions, in its order, with the same type and the same data.
    """
    reached: dict[str, int] = {}
    last_write: PreparedWrite | None = None
    for write, event, found in looked_up:
        if found is None:
            raise EventIdConflictError(stored_id, "is stored already, but other events of this append are not")
        check_same(write.stream_id, event, found)
        before = reached.get(write.stream_id, 0)
        consecutive = found.version == before + 1 if write is last_write else found.version > before
        if not consecutive:
            raise EventIdConflictError(found.id, "is stored at another place in its stream")
        reached[write.stream_id] = found.version
        last_write = write
        yield found


def check_same(stream_id: str, event: PreparedEvent, found: StoredEvent) -> None:
    """Raise EventIdConflictError unless the stored event is this event."""
    from evstore.jsontext.judging import same_json

    if found.stream_id != stream_id:
        raise EventIdConflictError(found.id, f'is already in stream "{found.stream_id}"')
    if found.type != event.type:
        raise EventIdConflictError(found.id, f'is already an event of type "{found.type}"')
    if not same_json(found.data_json, event.data_json):
        raise EventIdConflictError(found.id, "is already stored with other data")
