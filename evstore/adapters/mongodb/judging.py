"""Units that are judged by what was folded of the store. The insert of the next unit shows whether that is all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.errors import EvstoreError, PositionConflictError
from evstore.model.conditions import violation_of
from evstore.port import AlreadyStored, check_version, source_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evstore.adapters.mongodb.index import Index
    from evstore.model.conditions import Query
    from evstore.port import Append, Outcome


class Accepted(NamedTuple):
    """The place of a unit against which nothing speaks."""

    number: int
    first: int
    """The position of its first event."""
    size: int
    first_versions: Sequence[int]
    bases: Mapping[str, int]
    """The versions before it of streams that are there."""


def judge(unit: Append, index: Index, first_match: Callable[[Query, int], int | None]) -> Accepted | Outcome:
    """The place of the unit after all that the index has folded, or the answer that refuses it."""
    held = index.held(unit.ids())
    if held:
        return AlreadyStored(held)
    first = index.head + 1
    if unit.first_position not in (None, first):
        return PositionConflictError(unit.first_position, first)
    if unit.source is not None:
        last = index.source(unit.source.name)
        taken = source_taken(unit.source, last.position if last else None)
        if taken is not None:
            return taken
    try:
        accepted = _numbered(unit, index, first)
        for stream_id, expected in unit.requirements:
            check_version(stream_id, expected, index.version(stream_id))
    except EvstoreError as refused:
        return refused
    violation = violation_of(unit.conditions, first_match) if unit.conditions else None
    return violation or accepted


def _numbered(unit: Append, index: Index, first: int) -> Accepted:
    """The numbers of the unit. Raises where an expected version is not met."""
    bases: dict[str, int] = {}
    versions: dict[str, int] = {}
    first_versions = []
    for stream_id, events, expected in unit.writes:
        if stream_id not in versions:
            bases[stream_id] = versions[stream_id] = index.version(stream_id)
        check_version(stream_id, expected, versions[stream_id])
        first_versions.append(versions[stream_id] + 1)
        versions[stream_id] += len(events)
    size = sum(versions[each] - bases[each] for each in versions)
    there = {stream_id: version for stream_id, version in bases.items() if version}
    return Accepted(index.number + 1, first, size, first_versions, there)
