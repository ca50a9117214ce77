"""The audits of a SQLite store: whole statements, and the reading of their rows.

Each is one short read, with a page's worth of rows. INDEXED BY says in which index something must be found: what
is missing there is missing for every reader.
"""

from __future__ import annotations

import json
from contextlib import closing
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.paging import enough
from evstore.adapters.sql import correlation_hash
from evstore.adapters.sqlite.definitions import OBJECTS, differences, made
from evstore.adapters.sqlite.kinds import AGREED, NAMES_AND_NUMBERS, are_of, kept
from evstore.adapters.sqlite.reading import ids_from_blobs
from evstore.adapters.sqlite.statements import EVENT
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.versions import MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from evstore.model.findings import What

# The table itself, joined with all that leads to an event: faster than AUDIT_EVENTS, but what is found twice comes
# twice, and so without LIMIT, which could hide the second.
AUDIT_AGREED: Final = f"""
SELECT
  {EVENT},
  events.category_key, streams.category_key,
  by_id.global_position, by_stream.global_position, before.global_position,
  events.category_number,
  events.correlation_hash, events.content_hash, events.chain_hash,
  by_type.global_position IS NOT NULL AND by_timestamp.global_position IS NOT NULL
    AND (events.correlation_hash IS NULL OR by_correlation.global_position IS NOT NULL)
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN events AS by_id INDEXED BY events_by_id ON by_id.id = events.id
LEFT JOIN events AS by_stream INDEXED BY events_by_stream
  ON by_stream.stream_key = events.stream_key AND by_stream.version = events.version
LEFT JOIN events AS before INDEXED BY events_by_stream
  ON before.stream_key = events.stream_key AND before.version = events.version - 1
LEFT JOIN events AS by_type INDEXED BY events_by_type
  ON by_type.type_key = events.type_key AND by_type.global_position = events.global_position
LEFT JOIN events AS by_timestamp INDEXED BY events_by_timestamp
  ON by_timestamp.timestamp = events.timestamp AND by_timestamp.global_position = events.global_position
LEFT JOIN events AS by_correlation INDEXED BY events_by_correlation
  ON by_correlation.correlation_hash = events.correlation_hash
  AND by_correlation.global_position = events.global_position
WHERE events.global_position >= :low AND events.global_position <= :high
ORDER BY events.global_position
"""

# For each category of a page: its name, the number of its last event before the page, and all of its events there
# that its index holds.
AUDIT_NUMBERS: Final = """
SELECT
  given.value,
  (SELECT name FROM categories WHERE categories.key = given.value),
  (SELECT before.category_number FROM events AS before INDEXED BY events_by_category
   WHERE before.category_key = given.value AND before.global_position < :low
   ORDER BY before.global_position DESC LIMIT 1),
  (SELECT group_concat(held.global_position) FROM events AS held INDEXED BY events_by_category
   WHERE held.category_key = given.value AND held.global_position >= :low AND held.global_position <= :high)
FROM json_each(:categories) AS given
"""

# For each of these tags, its events among the positions of a page. Index tags_by_name, then the key of event_tags.
AUDIT_TAGGED: Final = """
SELECT
  given.value,
  (SELECT group_concat(held.global_position) FROM event_tags AS held
   WHERE held.tag_key = tags.key AND held.global_position >= :low AND held.global_position <= :high)
FROM json_each(:tags) AS given
CROSS JOIN tags INDEXED BY tags_by_name ON tags.name = given.value
"""

# The whole key of event_tags.
COUNT_TAGS: Final = """
SELECT count(*) FROM event_tags WHERE global_position <= :high
"""

# The table itself; what belongs to an event is looked up by its keys, what must lead to it by its indexes.
AUDIT_EVENTS: Final = f"""
SELECT
  {EVENT},
  categories.name,
  (SELECT its.name FROM categories AS its WHERE its.key = streams.category_key),
  (SELECT min(same.global_position) FROM events AS same INDEXED BY events_by_id
   WHERE same.id = events.id),
  (SELECT min(same.global_position) FROM events AS same INDEXED BY events_by_stream
   WHERE same.stream_key = events.stream_key AND same.version = events.version),
  (SELECT min(before.global_position) FROM events AS before INDEXED BY events_by_stream
   WHERE before.stream_key = events.stream_key AND before.version = events.version - 1),
  events.category_number,
  (SELECT before.category_number FROM events AS before INDEXED BY events_by_category
   WHERE before.category_key = events.category_key AND before.global_position < events.global_position
   ORDER BY before.global_position DESC LIMIT 1),
  events.correlation_hash, events.content_hash, events.chain_hash,
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_category
    WHERE same.category_key = events.category_key AND same.global_position = events.global_position),
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_type
    WHERE same.type_key = events.type_key AND same.global_position = events.global_position),
  EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_timestamp
    WHERE same.timestamp = events.timestamp AND same.global_position = events.global_position),
  events.correlation_hash IS NULL OR EXISTS (SELECT 1 FROM events AS same INDEXED BY events_by_correlation
    WHERE same.correlation_hash = events.correlation_hash AND same.global_position = events.global_position)
FROM events
LEFT JOIN streams ON streams.key = events.stream_key
LEFT JOIN types ON types.key = events.type_key
LEFT JOIN categories ON categories.key = events.category_key
WHERE events.global_position >= :low AND events.global_position <= :high
ORDER BY events.global_position
LIMIT :limit
"""

# The table itself.
AUDIT_STREAMS: Final = """
SELECT
  streams.key, streams.stream_id,
  (SELECT min(same.key) FROM streams AS same INDEXED BY streams_by_id WHERE same.stream_id = streams.stream_id),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_stream WHERE events.stream_key = streams.key),
  categories.name,
  streams.category_number,
  (SELECT max(before.category_number) FROM streams AS before INDEXED BY streams_by_number
   WHERE before.category_key = streams.category_key AND before.category_number < streams.category_number),
  (SELECT min(same.key) FROM streams AS same INDEXED BY streams_by_number
   WHERE same.category_key = streams.category_key AND same.category_number = streams.category_number),
  EXISTS (SELECT 1 FROM streams AS same INDEXED BY streams_by_category
    WHERE same.category_key = streams.category_key AND same.stream_id = streams.stream_id)
FROM streams
LEFT JOIN categories ON categories.key = streams.category_key
WHERE streams.key > :after
ORDER BY streams.key
LIMIT :limit
"""

# The table itself.
AUDIT_CATEGORIES: Final = """
SELECT
  categories.key, categories.name,
  (SELECT min(same.key) FROM categories AS same INDEXED BY categories_by_name WHERE same.name = categories.name),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_category WHERE events.category_key = categories.key)
FROM categories
WHERE categories.key > :after
ORDER BY categories.key
LIMIT :limit
"""

# The table itself.
AUDIT_TYPES: Final = """
SELECT
  types.key, types.name,
  (SELECT min(same.key) FROM types AS same INDEXED BY types_by_name WHERE same.name = types.name),
  EXISTS (SELECT 1 FROM events INDEXED BY events_by_type WHERE events.type_key = types.key)
FROM types
WHERE types.key > :after
ORDER BY types.key
LIMIT :limit
"""

# The table itself.
AUDIT_TAGS: Final = """
SELECT
  tags.key, tags.name,
  (SELECT min(same.key) FROM tags AS same INDEXED BY tags_by_name WHERE same.name = tags.name),
  EXISTS (SELECT 1 FROM event_tags WHERE event_tags.tag_key = tags.key)
FROM tags
WHERE tags.key > :after
ORDER BY tags.key
LIMIT :limit
"""

# Searches for ids and hashes lead all over their indexes; in SQLite's own 2 MB, most pages would be read again.
CACHE: Final = """
PRAGMA cache_size = -16384
"""

INTEGRITY: Final = """
PRAGMA integrity_check
"""

_NAMES: Final[dict[What, str]] = {
    "category": AUDIT_CATEGORIES,
    "type": AUDIT_TYPES,
    "tag": AUDIT_TAGS,
    "stream": AUDIT_STREAMS,
}
# Text that is not UTF-8 must be reported, not fail the read. It is rare, and a function of Python costs each text.
_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")
_audited: Final[Callable[..., AuditedEvent]] = partial(tuple.__new__, AuditedEvent)
_POSITION: Final = AuditedEvent._fields.index("global_position")
_LAST: Final = -4
"""The last columns of AUDIT_AGREED: three hashes, and if all searches find the event."""
_SEARCHES: Final = sum(field.startswith("in_") for field in AuditedEvent._fields)


class SqliteAudits:
    """`port.Audits` over connections that read."""

    def __init__(self, sqlite: ModuleType, reading: Callable[[], AbstractContextManager[Any]]) -> None:
        self._sqlite = sqlite
        self._reading = reading

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        return self._agreed(low, min(high, max(low, 1) + limit - 1)) or self._each(low, high, limit)

    def _agreed(self, low: int, high: int) -> list[AuditedEvent]:
        """The events at these positions, as many as fit in a page; none unless the indexes agree about them."""
        columns = [*zip(*self._rows(AUDIT_AGREED, {"low": low, "high": high}, _whole), strict=True)]
        if not columns or not are_of(AGREED, columns):
            return []
        *event, categories, owners, by_id, by_stream, predecessors, numbers = columns[:_LAST]
        *hashes, found = columns[_LAST:]
        known = self._of_categories(event[_POSITION], categories, numbers)
        if known is None or owners != categories or not all(found):
            return []
        names, before = known
        facts = (names, names, by_id, by_stream, predecessors, numbers, before, *hashes)
        searches = repeat([True] * len(found), _SEARCHES)
        return [*map(_audited, zip(ids_from_blobs(event[0]), *event[1:], *facts, *searches, repeat(())))]

    def _of_categories(
        self, positions: Sequence[int], keys: Sequence[int], numbers: Sequence[int]
    ) -> tuple[list[str], list[int | None]] | None:
        """Of each event, the name of its category and the number of the event before it there. None if the index
        of categories holds other events at these positions."""
        given = {"low": positions[0], "high": positions[-1], "categories": json.dumps([*{*keys}])}
        rows = self._rows(AUDIT_NUMBERS, given)
        names = {key: name for key, name, _, _ in rows}
        last = {key: number for key, _, number, _ in rows}
        if not are_of(NAMES_AND_NUMBERS, (names.values(), last.values())):
            return None
        here: dict[int, list[str]] = {key: [] for key in names}
        before = []
        for key, position, number in zip(keys, positions, numbers, strict=True):
            before.append(last[key])
            last[key] = number
            here[key].append(str(position))
        if any(",".join(here[key]) != held for key, _, _, held in rows):
            return None
        return [names[key] for key in keys], before

    def _each(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        """The events with whatever is wrong with them."""
        rows = self._rows(AUDIT_EVENTS, {"low": low, "high": high, "limit": limit}, enough)
        found = [*map(kept, rows)]
        ids = ids_from_blobs([row[0] for row, _ in found])
        return [
            AuditedEvent._make((event_id, *row[1:], strange))
            for event_id, (row, strange) in zip(ids, found, strict=True)
        ]

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        rows = self._rows(_NAMES[what], {"after": MIN_INTEGER if after is None else after, "limit": limit})
        return [AuditedName._make((*_completed(row), strange)) for row, strange in map(kept, rows)]

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        rows = self._rows(AUDIT_TAGGED, {"tags": json.dumps([*tags]), "low": low, "high": high})
        found: dict[str, list[int]] = {}
        for tag, held in rows:  # a name that is there twice has two rows
            found.setdefault(tag, []).extend(map(int, held.split(",")) if held else ())
        return found

    def count_tags(self, high: int) -> int:
        ((count,),) = self._rows(COUNT_TAGS, {"high": high})
        return int(count)

    def schema(self) -> list[Finding]:
        """Findings where the store differs from schema.sql."""
        return list(differences(made(self._sqlite), self._rows(OBJECTS)))

    def engine(self) -> list[Finding]:
        lines = (line for (text,) in self._rows(INTEGRITY) for line in text.splitlines())
        return [Finding("engine", f"integrity_check: {line}") for line in lines if line != "ok"]

    def correlation_hash(self, correlation_id: str) -> int:
        return correlation_hash(correlation_id)

    def _rows(
        self, statement: str, given: dict[str, Any] | None = None, taken: Callable[..., list[Any]] = list
    ) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            connection.execute(CACHE)
            try:
                return self._taken(connection, statement, given, taken)
            except self._sqlite.OperationalError:
                connection.text_factory = _text
                try:
                    return self._taken(connection, statement, given, taken)
                finally:
                    connection.text_factory = str

    def _taken(
        self, connection: Any, statement: str, given: dict[str, Any] | None, taken: Callable[..., list[Any]]
    ) -> list[tuple[Any, ...]]:
        with closing(connection.execute(statement, given or {})) as cursor:
            return taken(cursor)


def _whole(rows: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a page; none if the last event has further rows beyond it."""
    found = enough(rows)
    further = next(rows, None)
    return found if further is None or further[_POSITION] != found[-1][_POSITION] else []


def _completed(row: Sequence[Any]) -> tuple[Any, ...]:
    """SQLite knows no boolean; only streams have numbers."""
    key, name, found, has_events, *more = row
    return key, name, found, bool(has_events), *(more or (None, 1, None, None, 1))
