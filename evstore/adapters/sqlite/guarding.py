"""The guards of an append, beside the versions of its own streams: sources, requirements and conditions.

Runs inside a write transaction, under the side lock.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from evstore.adapters.sqlite import statements as sql
from evstore.model.versions import check_version

if TYPE_CHECKING:
    from evstore.model.sources import Source
    from evstore.port import Append


def last_of(connection: Any, source: Source | None) -> int | None:
    """The last position of the source, None if there is none."""
    if source is None:
        return None
    (last,) = connection.execute(sql.LAST_OF_SOURCE, {"name": source.name}).fetchone()
    return None if last is None else int(last)


def record_source(connection: Any, source: Source | None, head: int) -> None:
    """Record how far the source is taken, with the last event of the unit at this head."""
    if source is not None:
        connection.execute(sql.ADD_SOURCE, (*source, head))


def required_versions(connection: Any, unit: Append) -> list[int]:
    """Of each stream that the unit requires something of, the version before the unit."""
    rows = [
        connection.execute(sql.VERSION, {"stream_id": each.stream_id}).fetchone() for each in unit.requirements
    ]
    return [version or 0 for (version,) in rows]


def check_guards(connection: Any, unit: Append, required: list[int], head: int) -> None:
    """Raise the refusal by requirements, whose streams had these versions before, or by conditions."""
    for (stream_id, expected), version in zip(unit.requirements, required, strict=True):
        check_version(stream_id, expected, version)
    if not unit.conditions:
        return
    from evstore.adapters.sqlite.matching import first_match
    from evstore.model.conditions import violation_of

    violation = violation_of(unit.conditions, partial(first_match, connection, head=head))
    if violation is not None:
        raise violation
