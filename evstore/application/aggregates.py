"""Aggregates come from a store and go to it; what lost a race is done again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, TypeVar

from evstore.application.aggregate import Aggregate, appliers_of, check_aggregate, classes_of, kept_of
from evstore.application.converting import about
from evstore.blocking import sleep
from evstore.errors import (
    AppendConditionError,
    AppendOutcomeUnknownError,
    ConcurrencyError,
    InvalidInputError,
)
from evstore.model.filters import Filter
from evstore.model.names import check_stream_id
from evstore.model.versions import MAX_VERSION
from evstore.observing import logger
from evstore.port import Page
from evstore.reading.anchoring import steady
from evstore.reading.pages import BY_VERSION, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.application.converting import Converter
    from evstore.application.snapshots import SnapshotKeeper
    from evstore.model.events import EventData, StoredEvent
    from evstore.port import Adapter

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")
Stored = TypeVar("Stored", bound="Sequence[StoredEvent]")

PAUSE: Final = 0.002
"""Seconds, at most, before the second try; twice as many before each further one, up to LONGEST_PAUSE."""
LONGEST_PAUSE: Final = 0.5
ALL: Final = Filter()


class Aggregates:
    """Loads aggregates from a store, with a SnapshotKeeper from their snapshots on, and saves them."""

    def __init__(self, adapter: Adapter, converter: Converter, snapshots: SnapshotKeeper | None) -> None:
        self._adapter = adapter
        self._converter = converter
        self._snapshots = snapshots

    def load(self, cls: type[A], id: str, to: int | None = None) -> A:
        """The aggregate as its stream has it, or had it at version `to`; at version 0 if the stream is missing.

        Raises InvalidInputError, CodecError, and what a method raises, with a note about the event.
        """
        check_aggregate(cls)
        if to is not None and to < 0:
            raise InvalidInputError(f"a version to load is not negative: {to}")
        found = _made(cls, id)
        redactions = None
        if self._snapshots is not None and to is None:
            redactions = self._snapshots.redactions()
            if self._continued(found, self._snapshots):
                kept_of(found).redactions = redactions
                return found
            found = _made(cls, id)
        self._apply(found, self._read(found.stream_id, 0, to))
        kept_of(found).redactions = redactions
        return found

    def save(
        self, aggregate: Aggregate, append: Callable[[list[tuple[str, list[EventData], int]]], Stored]
    ) -> Iterator[Stored]:
        """Append what the aggregate recorded, after the version that it has. Yields what `append` returned.

        Events whose answer was lost are appended again in an append of their own, the same as before.
        """
        kept = kept_of(aggregate)
        if self._snapshots is not None and not kept.version:
            kept.redactions = self._snapshots.redactions()
        last = ""
        while kept.recorded:
            count = kept.unsure or len(kept.recorded)
            events = [self._converter.encode(each.event, each.id) for each in kept.recorded[:count]]
            before, kept.unsure = kept.unsure, count
            try:
                stored = append([(aggregate.stream_id, events, kept.version)])
            except AppendOutcomeUnknownError:
                raise
            except Exception:  # this time, nothing is stored
                kept.unsure = before
                raise
            kept.unsure = 0
            yield stored
            if not stored:  # its source was taken that far
                return
            kept.version += count
            del kept.recorded[:count]
            last = str(events[-1].id)
        if self._snapshots is not None:
            self._snapshots.keep(aggregate, last)

    def _continued(self, aggregate: Aggregate, snapshots: SnapshotKeeper) -> bool:
        """Restore a new aggregate from its snapshot, and apply what came since. False if there is none to use."""
        snapshot = snapshots.find(aggregate)
        if snapshot is None:
            return False
        events = self._read(aggregate.stream_id, snapshot.version - 1, None)
        first = next(events, None)  # the event that the snapshot was made at
        if first is None or (first.version, first.id) != (snapshot.version, snapshot.event_id):
            return False
        if not snapshots.restore(aggregate, snapshot):
            return False
        self._apply(aggregate, events)
        return True

    def _read(self, stream_id: str, after: int, to: int | None) -> Iterator[StoredEvent]:
        page = Page(0, after, high=MAX_VERSION if to is None else to)
        fetch = steady(self._adapter, lambda p: self._adapter.read_stream(stream_id, p, ALL), BY_VERSION)
        fetched = pages_of(fetch, page, None, BY_VERSION)
        return (event for events in fetched for event in events)

    def _apply(self, aggregate: Aggregate, events: Iterable[StoredEvent]) -> None:
        cls, kept = type(aggregate), kept_of(aggregate)
        classes = classes_of(cls)
        wanted = self._converter.sources_of(classes)
        decode = self._converter.decoding(classes)
        calls = {each: getattr(aggregate, name) for each, name in appliers_of(cls).items()}
        kept.is_applying = True
        for stored in events:
            if stored.type in wanted:
                try:
                    for event in decode(stored):
                        apply = calls.get(type(event))
                        if apply is not None:
                            apply(event)
                except Exception as error:
                    error.add_note(f"{cls.__qualname__} failed on {about(stored)}")
                    raise
            kept.version = stored.version
        kept.is_applying = False


def again(tries: int, attempt: Callable[[], Callable[[], T]]) -> T:
    """Store what an attempt decides, and return it. One that loses a race is made anew, up to so many tries.

    Raises ConcurrencyError or AppendConditionError, as the last try did.
    """
    if tries < 1:
        raise InvalidInputError(f"the tries of an update are {tries}, at least 1 is needed")
    pause = PAUSE
    for left in range(tries - 1, -1, -1):
        store = attempt()
        try:
            return store()
        except (ConcurrencyError, AppendConditionError) as error:
            if not left:
                error.add_note(f"the update lost {tries} races")
                raise
            logger().debug("an update lost a race, and is made anew: %s", error)
        sleep(random.uniform(0, pause))  # noqa: S311 - spreads tries, keeps no secret
        pause = min(2 * pause, LONGEST_PAUSE)
    raise AssertionError("the last try returns or raises")


def _made(cls: type[A], id: str) -> A:
    """A new aggregate. Raises InvalidStreamIdError for an id that no stream can have."""
    check_stream_id(f"{cls.category}-{id}" if isinstance(id, str) else id)
    made = cls(id)
    if getattr(made, "id", None) != id:
        raise InvalidInputError(f"{cls.__qualname__}(id) has not the id that it was given: super().__init__(id)")
    return made
