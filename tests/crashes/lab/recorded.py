"""Work on a store that tells what it does: the same in a process about to be killed and in a test."""

from __future__ import annotations

from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Final, TypeAlias

from evstore import (
    AppendOutcomeUnknownError,
    ConcurrencyError,
    ConflictError,
    EventData,
    NotFoundError,
    StoreReplacedError,
    UnavailableError,
    Write,
)
from tests.crashes.lab.history import (
    Followed,
    Invoked,
    Level,
    Part,
    Read,
    Record,
    Refused,
    Said,
    Sent,
    Shown,
    Started,
    Stored,
    Unsure,
    Withdrawn,
    print_of,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evstore import Appended, EventStore, EvstoreError, StoredEvent

    Tell: TypeAlias = Callable[[Record], object]

AGAIN: Final = "-again"
"""Stands behind the name of an append that is tried again because its outcome was unknown."""


def append(store: EventStore, tell: Tell, op: str, parts: tuple[Part, ...]) -> Appended | EvstoreError:
    """Append the parts as one. An error that does not promise that nothing was stored is raised, and must
    leave the outcome unknown."""
    tell(Invoked(op, monotonic_ns(), parts))
    writes = [
        Write(part.stream_id, [EventData.from_json(e.type, e.data, id=e.id) for e in part.events], part.expected)
        for part in parts
    ]
    try:
        stored = store.append(*writes[0]) if len(writes) == 1 else store.append_many(writes)
    except (ConflictError, NotFoundError) as error:
        tell(Refused(op, monotonic_ns(), str(error), _level(error, parts)))
        return error
    except StoreReplacedError:
        tell(Withdrawn(op, monotonic_ns()))
        raise
    versions, prints = _first_versions(stored, parts), tuple(map(print_of, stored))
    tell(Stored(op, monotonic_ns(), stored[0].global_position, versions, stored.duplicate, prints))
    return stored


def append_made(store: EventStore, tell: Tell, op: str, parts: tuple[Part, ...]) -> Appended | EvstoreError:
    """The same with ids that evstore makes instead of those of the parts, and told when they are known."""
    at = monotonic_ns()
    writes = [
        Write(part.stream_id, [EventData.from_json(e.type, e.data) for e in part.events], part.expected)
        for part in parts
    ]
    try:
        stored = store.append_many(writes)
    except AppendOutcomeUnknownError as error:
        tell(Invoked(op, at, with_ids(parts, error.ids)))
        raise
    except (ConflictError, NotFoundError) as error:
        return error
    tell(Invoked(op, at, with_ids(parts, [event.id for event in stored])))
    prints = tuple(map(print_of, stored))
    tell(Stored(op, monotonic_ns(), stored[0].global_position, (), stored.duplicate, prints))
    return stored


def with_ids(parts: tuple[Part, ...], ids: Iterable[str]) -> tuple[Part, ...]:
    left = iter(ids)
    return tuple(
        Part(part.stream_id, part.expected, tuple(Sent(next(left), e.type, e.data) for e in part.events))
        for part in parts
    )


def insist(
    store: EventStore, tell: Tell, op: str, parts: tuple[Part, ...], wait: Callable[[], object]
) -> Appended | EvstoreError:
    """Append until the outcome is known; `wait` for better times in between."""
    while True:
        try:
            return append(store, tell, op, parts)
        except UnavailableError as error:
            tell(Unsure(op, monotonic_ns(), type(error).__name__))
        op += AGAIN
        wait()


def _level(error: EvstoreError, parts: tuple[Part, ...]) -> Level | None:
    """Where a stream stood that was not where it was expected, if that is told: to a stream's second part, it is
    where the first one would have led."""
    if isinstance(error, ConcurrencyError) and [part.stream_id for part in parts].count(error.stream_id) == 1:
        return Level(error.stream_id, error.actual, wall_us())
    return None


def wall_us() -> int:
    return time_ns() // 1000


def _first_versions(stored: Appended, parts: tuple[Part, ...]) -> tuple[int, ...]:
    versions, at = [], 0
    for part in parts:
        versions.append(stored[at].version)
        at += len(part.events)
    return tuple(versions)


def read(store: EventStore, tell: Tell, after: int = 0, limit: int | None = None) -> int:
    """Read the log, and return the last position that it showed."""
    at = monotonic_ns()
    found = seen(store.replay(after=after, limit=limit))
    tell(Read(at, monotonic_ns(), after, limit, found))
    return found[-1].position if found else after


def show(tell: Tell, events: Iterable[StoredEvent]) -> None:
    """Look at events that came by another way than the log."""
    tell(Shown(seen(events)))


def say(tell: Tell, levels: Iterable[tuple[str, int]]) -> None:
    """Hear how far things have come."""
    found = list(levels)  # first all of them, then the time
    now = wall_us()
    tell(Said(tuple(Level(name, number, now) for name, number in found)))


def follow(
    store: EventStore,
    tell: Tell,
    who: str,
    after: int = 0,
    *,
    to: int | None = None,
    patience: float | None = None,
) -> None:
    """Follow the log to a position, or until `patience` seconds are quiet, or for ever."""
    tell(Started(who, after))
    for event in store.subscribe(after=after, timeout=patience):
        tell(Followed(who, *seen([event])))
        if to is not None and event.global_position >= to:
            return
