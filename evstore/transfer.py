"""Lossless import of a log that another store printed.

Each batch is one unit: stored whole, at the positions and versions that its events had, or not at all.
Events that are stored already are skipped, so that an interrupted import is simply run again.
"""

from __future__ import annotations

from itertools import count, groupby, pairwise, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.appending.outcomes import check_same
from evstore.appending.plain import plain_stored
from evstore.errors import (
    ConcurrencyError,
    ConflictError,
    EventIdConflictError,
    EvstoreError,
    InvalidInputError,
    PositionConflictError,
)
from evstore.jsontext.judging import same_json
from evstore.model.columns import rows_of
from evstore.model.events import StoredEvent, Write
from evstore.model.versions import ANY_VERSION, MAX_VERSION
from evstore.port import Append, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evstore.appending.preparing import Preparing
    from evstore.port import PreparedEvent
    from evstore.store import EventStore

BATCH_EVENTS: Final = 4000
"""A batch writes each page of an index once that its events reach: of few batches, far less is written."""
BATCH_CHARACTERS: Final = 4 * 1024 * 1024


class Arrival(NamedTuple):
    """An event stored elsewhere, checked, with its source, such as `events.ndjson:3`."""

    source: str
    stored: StoredEvent
    event: PreparedEvent


class Imported(NamedTuple):
    """The counts of a batch."""

    stored: int
    skipped: int
    """Events that were stored already."""
    differing: int = 0
    """Those of them whose time or metadata is stored otherwise; the store keeps its own."""
    first_differing: str | None = None
    """The source of the first of those."""

    def plus(self, later: Imported) -> Imported:
        """The counts of both."""
        return Imported(
            self.stored + later.stored,
            self.skipped + later.skipped,
            self.differing + later.differing,
            self.first_differing or later.first_differing,
        )


def arrival(preparing: Preparing, source: str, stored: StoredEvent) -> Arrival:
    """The event after every check of an append. Raises InvalidInputError."""
    try:
        if not (0 < stored.version <= MAX_VERSION and 0 < stored.global_position <= MAX_VERSION):
            raise InvalidInputError(f"a version and a global position are numbers from 1 to {MAX_VERSION}")
        return Arrival(source, stored, preparing.stored(stored))
    except InvalidInputError as error:
        error.source = source
        raise


def plain_arrivals(preparing: Preparing, name: str, first: int, lines: bytes) -> list[Arrival] | None:
    """The events of lines that `first` begins, if each is as evstore prints it and valid; else None."""
    found = plain_stored(lines)
    if found is None:
        return None
    events = found.envelopes
    numbers = (*found.versions, *found.global_positions)
    try:
        if not 0 < min(numbers) <= max(numbers) <= MAX_VERSION:
            return None
        prepared = [*preparing.kept_each(events)]
    except InvalidInputError:
        return None
    ids = [event.id for event in prepared]
    columns = (events.stream_ids, events.types, events.data, events.metadata, *found[1:])
    stored = rows_of(StoredEvent, ids, *columns, events.tags, repeat(False))
    sources = map("{}:{}".format, repeat(name), count(first))
    return [*rows_of(Arrival, sources, stored, prepared)]


def import_events(store: EventStore, arrivals: Iterable[Arrival], *, renumber: bool = False) -> Iterator[Imported]:
    """Store the events in their order, keeping ids, times, positions and versions; yield the counts of each batch.

    Raises what an append raises, PositionConflictError and ConcurrencyError where positions or versions would not
    come out as they were, as those of a log with gaps; the batches before are stored then. With `renumber` the
    events get the next positions and versions.
    """
    are_new = True  # as long as it is true, nobody looks for them in advance
    for batch in _batches(arrivals, store.appender.most_at_once(BATCH_EVENTS)):
        done = _stored_if_new(store, batch, renumber) if are_new else None
        done = done or _stored(store, batch, renumber)
        are_new = not done.skipped
        yield done


def _batches(arrivals: Iterable[Arrival], most: int) -> Iterator[list[Arrival]]:
    batch: list[Arrival] = []
    ids: set[str] = set()
    characters = 0
    for found in arrivals:
        # An id that comes again must find its first event stored.
        if len(batch) == most or characters > BATCH_CHARACTERS or found.stored.id in ids:
            yield batch
            batch, characters = [], 0
            ids.clear()
        batch.append(found)
        ids.add(found.stored.id)
        characters += len(found.stored.data_json) + len(found.stored.metadata_json)
    if batch:
        yield batch


def _stored_if_new(store: EventStore, batch: Sequence[Arrival], renumber: bool) -> Imported | None:
    """The counts of a batch that was stored as it is; None if it was not, and `_stored` must see why."""
    try:
        if not renumber:
            _check_positions(store, batch)
        (outcome,) = store.appender.submit([_unit(batch, renumber)])
    except ConflictError:
        return None
    if isinstance(outcome, EvstoreError) and not isinstance(outcome, ConflictError):
        raise outcome
    return Imported(len(batch), 0) if isinstance(outcome, Receipt) else None


def _stored(store: EventStore, batch: Sequence[Arrival], renumber: bool) -> Imported:
    while True:
        known = store.get_many(each.stored.id for each in batch)
        new = [each for each in batch if not _is_stored(each, known, renumber)]
        differing = [each.source for each in batch if _differs(each, known)]
        told = Imported(len(new), len(batch) - len(new), len(differing), next(iter(differing), None))
        if not new:
            return told
        if not renumber:
            _check_positions(store, new)
        (outcome,) = store.appender.submit([_unit(new, renumber)])
        if isinstance(outcome, Receipt):
            return told
        if isinstance(outcome, EvstoreError) and not isinstance(outcome, EventIdConflictError):
            raise _sourced(outcome, _refused(new, outcome)) if isinstance(outcome, ConflictError) else outcome
        # Another process imports the same events; the next round finds them.


def _is_stored(found: Arrival, known: Mapping[str, StoredEvent], renumber: bool) -> bool:
    """True if the store holds the event. Raises EventIdConflictError if its id belongs elsewhere."""
    there = known.get(found.stored.id)
    if there is None:
        return False
    try:
        check_same(found.stored.stream_id, found.event, there)
    except EventIdConflictError as error:
        raise _sourced(error, found) from None
    if not renumber and there.global_position != found.stored.global_position:
        elsewhere = PositionConflictError(found.stored.global_position, there.global_position, there.id)
        raise _sourced(elsewhere, found)
    if not renumber and there.version != found.stored.version:
        raise _sourced(ConcurrencyError(there.stream_id, found.stored.version, there.version), found)
    return True


def _differs(found: Arrival, known: Mapping[str, StoredEvent]) -> bool:
    """True if the event is stored with another time or other metadata."""
    there = known.get(found.stored.id)
    if there is None:
        return False
    return there.timestamp_us != found.stored.timestamp_us or not same_json(
        there.metadata_json, found.event.metadata_json
    )


def _check_positions(store: EventStore, new: Sequence[Arrival]) -> None:
    """Raise PositionConflictError at a gap. The append itself checks the end of the log."""
    for one, other in pairwise(new):
        if other.stored.global_position != one.stored.global_position + 1:
            following = store.head() + 1
            if new[0].stored.global_position != following:
                raise _sourced(PositionConflictError(new[0].stored.global_position, following), new[0])
            following = one.stored.global_position + 1
            raise _sourced(PositionConflictError(other.stored.global_position, following), other)


def _refused(new: Sequence[Arrival], refused: ConflictError) -> Arrival:
    """The arrival that caused the refusal."""
    if isinstance(refused, ConcurrencyError):
        for each in new:
            if (each.stored.stream_id, each.stored.version) == (refused.stream_id, refused.expected + 1):
                return each
    return new[0]


def _sourced(error: ConflictError, found: Arrival) -> ConflictError:
    error.source = found.source
    return error


def _unit(new: Sequence[Arrival], renumber: bool) -> Append:
    writes = []
    for stream_id, run in groupby(new, key=attrgetter("stored.stream_id")):
        part = [*run]
        first = part[0].stored.version
        for version, each in enumerate(part, first):
            if each.stored.version != version and not renumber:
                raise _sourced(ConcurrencyError(stream_id, each.stored.version - 1, version - 1), each)
        writes.append(Write(stream_id, [each.event for each in part], ANY_VERSION if renumber else first - 1))
    times_us = [each.stored.timestamp_us for each in new]
    return Append(writes, times_us, None if renumber else new[0].stored.global_position)
