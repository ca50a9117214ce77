"""Work on a store that tells what it does: the same in a process about to be killed and in a test."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, TypeAlias

from evstore import ConflictError, EventData, NotFoundError, Write
from tests.faults.history import (
    Followed,
    Invoked,
    Part,
    Read,
    Record,
    Refused,
    Seen,
    Started,
    Stored,
    print_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore import Appended, EventStore, EvstoreError

    Tell: TypeAlias = Callable[[Record], object]


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
        tell(Refused(op, monotonic_ns(), str(error)))
        return error
    tell(Stored(op, monotonic_ns(), stored[0].global_position, _first_versions(stored, parts), stored.duplicate))
    return stored


def _first_versions(stored: Appended, parts: tuple[Part, ...]) -> tuple[int, ...]:
    versions, at = [], 0
    for part in parts:
        versions.append(stored[at].version)
        at += len(part.events)
    return tuple(versions)


def read(store: EventStore, tell: Tell, after: int = 0, limit: int | None = None) -> int:
    """Read the log, and return the last position that it showed."""
    at = monotonic_ns()
    seen = tuple(Seen(e.global_position, print_of(e)) for e in store.replay(after=after, limit=limit))
    tell(Read(at, monotonic_ns(), after, limit, seen))
    return seen[-1].position if seen else after


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
        tell(Followed(who, Seen(event.global_position, print_of(event))))
        if to is not None and event.global_position >= to:
            return
