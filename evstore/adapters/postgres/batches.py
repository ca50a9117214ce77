"""Units as the server's procedures take them: lists of one call, or rows that are staged."""

from __future__ import annotations

import json
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sql import correlation_hash, id_to_blob
from evstore.model.names import category_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Copy

    from evstore.port import Append, PreparedEvent

MOST_EVENTS: Final = 1000
MOST_CHARACTERS: Final = 1024 * 1024
"""The limits of one call. A unit beyond them is staged; several units become several calls."""
MOST_IN_UNIT: Final = 200
"""A unit with more events is staged as well: making lists of them costs more than the round trips of a COPY."""
STAGED: Final = (
    "bytea", "int4", "text", "text", "int8", "bytea", "text", "int8", "text", "bool", "text", "text", "int8",
)  # fmt: skip
"""The types by which a staged row is sent. In the binary format a UUID is its bytes, and JSON is its text."""


class Batch:
    """Units of one call, as the lists that `append_v1` takes."""

    def __init__(self) -> None:
        self.units: list[Append] = []
        self._characters = 0
        self.given: dict[str, list[Any]] = {
            name: []
            for name in (
                "unit_writes", "unit_events", "unit_positions",
                "stream_ids", "categories", "expected", "sizes",
                "writes", "ids", "types", "hashes", "metadatas", "datas", "times", "tags", "redacted", "guards",
            )
        }  # fmt: skip

    def takes(self, unit: Append) -> bool:
        """True if the batch has room for the unit, which is then counted."""
        room, characters = min(MOST_IN_UNIT, MOST_EVENTS - len(self.given["ids"])), self._characters
        for write in unit.writes:  # of a large unit no more is read than the batch could take
            room -= len(write.events)
            if room < 0:
                return False
            for event in write.events:
                characters += _characters(event)
                if characters > MOST_CHARACTERS:
                    return False
        self._characters = characters
        return True

    def add(self, unit: Append) -> None:
        given = self.given
        self.units.append(unit)
        events = 0
        for number, (stream_id, its_events, expected) in enumerate(unit.writes, 1):
            given["stream_ids"].append(stream_id)
            given["categories"].append(category_of(stream_id))
            given["expected"].append(expected)
            given["sizes"].append(len(its_events))
            for event in its_events:
                given["writes"].append(number)
                given["ids"].append(event.id)
                given["types"].append(event.type)
                given["hashes"].append(hash_of(event))
                given["metadatas"].append(event.metadata_json)
                given["datas"].append(event.data_json)
                given["tags"].append(event.joined_tags)
                given["redacted"].append(event.redacted)
                events += 1
        given["unit_writes"].append(len(unit.writes))
        given["unit_events"].append(events)
        given["unit_positions"].append(unit.first_position)
        given["guards"].append(guards_of(unit))
        given["times"] += unit.times_us or [None] * events


def calls_of(units: Sequence[Append]) -> Iterator[Batch | Append]:
    """The units in as few calls as fit; a unit too large for a shared call gets its own."""
    batch = Batch()
    for unit in units:
        if not batch.takes(unit):
            if batch.units:
                yield batch
            batch = Batch()
            if not batch.takes(unit):
                yield unit
                continue
        batch.add(unit)
    if batch.units:
        yield batch


def stage(copy: Copy, staged_as: str, unit: Append) -> int:
    """Copy the unit's events, and return their number. The first event of a write has its expected version."""
    copy.set_types(STAGED)
    append_id = id_to_blob(staged_as)
    times = repeat(None) if unit.times_us is None else iter(unit.times_us)
    number = 0
    for stream_id, events, expected in unit.writes:
        category = category_of(stream_id)
        expectation: int | None = expected
        for event in events:
            number += 1
            copy.write_row((
                append_id, number, stream_id, category, expectation, id_to_blob(event.id), event.type,
                hash_of(event), event.joined_tags, event.redacted, event.metadata_json, event.data_json,
                next(times),
            ))  # fmt: skip
            expectation = None
    return number


def guards_of(unit: Append) -> str | None:
    """The requirements, conditions and source of a unit as the functions take them, None if there are none."""
    if not (unit.conditions or unit.requirements or unit.source):
        return None
    conditions = [{"query": query.members(), "after": after} for query, after in unit.conditions]
    source = {"source": unit.source} if unit.source else {}
    return json.dumps({"requirements": unit.requirements, "conditions": conditions, **source})


def _characters(event: PreparedEvent) -> int:
    return len(event.data_json) + len(event.metadata_json)


def hash_of(event: PreparedEvent) -> int | None:
    return correlation_hash(event.correlation_id) if event.correlation_id else None
