"""What became of an append: its events as they are stored now, or as they were first stored if its ids are there
already. That is judged on the stored events, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.adapters.base import PAGE_CHARACTERS, Held, Receipt
from evstore.errors import AppendOutcomeUnknownError, EventIdConflictError, EvstoreError, UnavailableError
from evstore.events import StoredEvent
from evstore.pages import MOST_IN_PAGE
from evstore.streams import check_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.adapters.base import Adapter, Append, Outcome
    from evstore.events import EventData, Write


class Known(NamedTuple):
    """The outcome of an append whose events are stored already."""

    first: StoredEvent
    last: StoredEvent
    size: int
    duplicate: bool
    """An earlier append stored them; else it was a try of this one, whose answer was lost."""


def stored_now(unit: Append, receipt: Receipt) -> Iterator[StoredEvent]:
    """The unit's events as its receipt says that they are stored."""
    position = receipt.first_position
    for (stream_id, events, _), first in zip(unit.writes, receipt.first_versions, strict=True):
        for version, event in enumerate(events, first):
            assert event.id is not None
            meta = event.metadata.to_json()
            yield StoredEvent(
                event.id,
                stream_id,
                event.type,
                event.data_json,
                meta,
                version,
                position,
                receipt.timestamp_us,
            )
            position += 1


def looked_up(adapter: Adapter, writes: Iterable[Write]) -> Iterator[tuple[Write, EventData, StoredEvent | None]]:
    """Each event of the writes, with the stored event of the same id."""
    for some in _in_pages((write, event) for write in writes for event in write.events):
        found = {each.id: each for each in adapter.get([event.id or "" for _, event in some])}
        yield from ((write, event, found.get(event.id or "")) for write, event in some)


def _in_pages(events: Iterator[tuple[Write, EventData]]) -> Iterator[list[tuple[Write, EventData]]]:
    """As many as may be looked up at once: what is stored under their ids is about as long as they are."""
    some, characters = [], 0
    for pair in events:
        some.append(pair)
        characters += len(pair[1].data_json)
        if len(some) == MOST_IN_PAGE or characters > PAGE_CHARACTERS:
            yield some
            some, characters = [], 0
    if some:
        yield some


def first_stored(adapter: Adapter, unit: Append, held: Held) -> Iterator[StoredEvent]:
    """The unit's events as first stored, else EventIdConflictError.

    Where they cannot be looked up, nobody knows whether they are this unit's, or a try of it that was lost.
    """
    try:
        yield from check_ids(held.ids[0], looked_up(adapter, unit.writes))
    except UnavailableError as error:
        raise _unknown([unit]) from error


def _unknown(units: Sequence[Append]) -> AppendOutcomeUnknownError:
    return AppendOutcomeUnknownError([each for unit in units for each in unit.ids()])


def judged(adapter: Adapter, unit: Append, outcome: Outcome) -> Receipt | Known | EvstoreError:
    """What an adapter's answer means."""
    if not isinstance(outcome, Held):
        return outcome
    try:
        return _known(unit, first_stored(adapter, unit, outcome), outcome.after_lost_answer)
    except (EventIdConflictError, AppendOutcomeUnknownError) as error:
        return error


def _known(unit: Append, stored: Iterator[StoredEvent], after_lost_answer: bool) -> Known:
    """What may have been stored by a try that was lost is no duplicate where nobody else can have its ids; but the
    same unit may also be submitted twice."""
    first = last = None
    size = 0
    for last in stored:
        first = first or last
        size += 1
    assert first is not None
    assert last is not None
    return Known(first, last, size, not (unit.ids_are_new and after_lost_answer))


def in_turn(adapter: Adapter, units: Sequence[Append]) -> Iterator[Receipt | Known]:
    """Append units one after the other, each as if alone, though they share commits; what is yielded is durable.

    The first that is refused is raised, and none behind it was made. Where one was stored before, the next
    probably were, too: those are looked up together instead of being tried one by one.
    """
    at = 0
    while at < len(units):
        held = None
        outcomes = adapter.append(units[at:], until_refused=True)
        for unit, outcome in zip(units[at:], outcomes, strict=False):
            result = judged(adapter, unit, outcome)
            if isinstance(result, EvstoreError):
                raise result
            held = outcome if isinstance(outcome, Held) else None
            at += 1
            yield result
        if held:  # those behind it were lost together with it, if it was
            for known in _leading(adapter, units[at:], held.after_lost_answer):
                at += 1
                yield known


def _leading(adapter: Adapter, units: Sequence[Append], after_lost_answer: bool) -> Iterator[Known]:
    """Those at the front, of one event each, that are stored already."""
    pairs = looked_up(adapter, (write for unit in units for write in unit.writes))
    done = 0
    try:
        for unit, (write, event, found) in zip(units, pairs, strict=True):
            if found is None:
                return
            yield _known(unit, check_ids(found.id, [(write, event, found)]), after_lost_answer)
            done += 1
    except UnavailableError as error:
        if not after_lost_answer:
            raise
        raise _unknown(units[done:]) from error


def split(adapter: Adapter, writes: Iterable[Write]) -> Iterator[tuple[Write, StoredEvent | None]]:
    """Each write of one event, with the event as first stored if it is stored and the same.

    Raises EventIdConflictError where an id holds something else.
    """
    for write, event, found in looked_up(adapter, writes):
        if found is not None:
            for _ in check_ids(found.id, [(write, event, found)]):
                continue
        yield write, found
