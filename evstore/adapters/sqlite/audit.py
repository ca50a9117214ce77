"""The audits of a SQLite store: whole statements, and the reading of their rows.

Each is one short read, with a page's worth of rows. INDEXED BY says in which index something must be found: what
is missing there is missing for every reader.
"""

from __future__ import annotations

import re
from contextlib import closing
from functools import cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.paging import enough
from evstore.adapters.sql import correlation_hash
from evstore.adapters.sqlite.reading import ids_from_blobs
from evstore.adapters.sqlite.statements import EVENT
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.versions import MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from evstore.model.findings import What

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
  events.correlation_hash,
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

OBJECTS: Final = """
SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid
"""

# Searches for ids and hashes lead all over their indexes; in SQLite's own 2 MB, most pages would be read again.
CACHE: Final = """
PRAGMA cache_size = -8192
"""

INTEGRITY: Final = """
PRAGMA integrity_check
"""

_NAMES: Final[dict[What, str]] = {
    "category": AUDIT_CATEGORIES,
    "type": AUDIT_TYPES,
    "stream": AUDIT_STREAMS,
}
# Text that is not UTF-8 must be reported, not fail the read. It is rare, and a function of Python costs each text.
_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")
_audited: Final[Callable[..., AuditedEvent]] = partial(tuple.__new__, AuditedEvent)
_RESTORE: Final = "restore a backup that has it"
_ABSENT: Final = type(None)
_EVENT: Final = (
    (bytes,), (str, _ABSENT), (str, _ABSENT), (str,), (str,), (int,), (int,), (int,), (str, _ABSENT),
    (str, _ABSENT), (int, _ABSENT), (int, _ABSENT), (int, _ABSENT), (int,), (int, _ABSENT), (int, _ABSENT),
    (int,), (int,), (int,), (int,),
)  # fmt: skip
_NAME: Final = (
    (int,), (str,), (int, _ABSENT), (int,), (str, _ABSENT), (int,), (int, _ABSENT), (int, _ABSENT),
    (int,),
)  # fmt: skip


class SqliteAudits:
    """`port.Audits` over connections that read."""

    def __init__(self, sqlite: ModuleType, reading: Callable[[], AbstractContextManager[Any]]) -> None:
        self._sqlite = sqlite
        self._reading = reading

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        rows = self._rows(AUDIT_EVENTS, {"low": low, "high": high, "limit": limit}, enough)
        columns = [*zip(*rows, strict=True)]
        if rows and all({*map(type, each)}.issubset(kinds) for each, kinds in zip(columns, _EVENT, strict=True)):
            return [*map(_audited, zip(ids_from_blobs(columns[0]), *columns[1:], repeat(())))]
        kept = [*map(_kept, rows)]
        ids = ids_from_blobs([row[0] for row, _ in kept])
        return [
            AuditedEvent._make((event_id, *row[1:], strange))
            for event_id, (row, strange) in zip(ids, kept, strict=True)
        ]

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        rows = self._rows(_NAMES[what], {"after": MIN_INTEGER if after is None else after, "limit": limit})
        return [AuditedName._make((*_completed(row), strange)) for row, strange in map(_kept, rows)]

    def schema(self) -> list[Finding]:
        """Findings where the store differs from schema.sql."""
        return list(_differences(self._made(), self._rows(OBJECTS)))

    def engine(self) -> list[Finding]:
        lines = (line for (text,) in self._rows(INTEGRITY) for line in text.splitlines())
        return [Finding("engine", f"integrity_check: {line}") for line in lines if line != "ok"]

    def correlation_hash(self, correlation_id: str) -> int:
        return correlation_hash(correlation_id)

    def _made(self) -> list[tuple[Any, ...]]:
        from pkgutil import get_data

        text = get_data(__package__, "schema.sql")
        assert text is not None
        connection = self._sqlite.connect(":memory:")
        try:
            connection.executescript(text.decode())
            made: list[tuple[Any, ...]] = connection.execute(OBJECTS).fetchall()
        finally:
            connection.close()
        return made

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


def _completed(row: Sequence[Any]) -> tuple[Any, ...]:
    """SQLite knows no boolean; only streams have numbers."""
    key, name, found, has_events, *more = row
    return key, name, found, bool(has_events), *(more or (None, 1, None, None, 1))


def _kept(row: tuple[Any, ...]) -> tuple[Sequence[Any], Sequence[str]]:
    """The row with placeholders for values of a wrong kind, and the names of their columns. A damaged page can
    hold anything."""
    strange = _strange(tuple(map(type, row)))
    if not strange:
        return row, ()
    kinds, fields = _columns(len(row))
    return (
        [kinds[at][0]() if at in strange else value for at, value in enumerate(row)],
        [fields[at].removesuffix("_json").removesuffix("_us").replace("_", " ") for at in strange],
    )


@cache
def _strange(found: tuple[type, ...]) -> list[int]:
    kinds, _ = _columns(len(found))
    return [at for at, each in enumerate(found) if each not in kinds[at]]


def _columns(width: int) -> tuple[Sequence[tuple[type, ...]], Sequence[str]]:
    return (_EVENT, AuditedEvent._fields) if width == len(_EVENT) else (_NAME, AuditedName._fields)


def _differences(made: list[tuple[Any, ...]], there: list[tuple[Any, ...]]) -> Iterator[Finding]:
    found = {(kind, name): text for kind, name, _, text in there}
    for kind, name, table, text in made:
        what = f'{kind} "{name}"'
        if kind != "table" and ("table", table) not in found:
            continue  # the table is missing, and all that belongs to it
        if (kind, name) not in found:
            # In an empty table, new names would get the keys of those that are lost, and their events.
            again = _RESTORE if kind == "table" else f"make it again: {_line(text)}"
            yield Finding(f"missing-{kind}", f"{what} is missing", advice=again)
        elif _line(found[kind, name]) != _line(text):
            advice = _RESTORE if kind == "table" else f"drop it and make it again: {_line(text)}"
            yield Finding(f"changed-{kind}", f"{what} is not what evstore makes", advice=advice)
    wanted = {(kind, name) for kind, name, *_ in made}
    for kind, name, table, _ in there:
        if kind == "trigger" and (kind, name) not in wanted and ("table", table) in wanted:
            yield Finding("unknown-trigger", f'{kind} "{name}" of table "{table}" is not evstore\'s')


def _line(text: str) -> str:
    """Without comments, which change nothing."""
    return " ".join(re.sub("--[^\n]*", "", text).split())
