"""The audits of a SQLite store. Each is one short read, or a few, with a page's worth of rows."""

from __future__ import annotations

import json
from contextlib import closing
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.ids import ids_from_blobs
from evstore.adapters.paging import enough
from evstore.adapters.sql import correlation_hash, not_compared
from evstore.adapters.sqlite import audit_statements as sql
from evstore.adapters.sqlite.definitions import OBJECTS, differences, made
from evstore.adapters.sqlite.kinds import AGREED, NAMES_AND_NUMBERS, are_of, kept
from evstore.adapters.sqlite.location import SCHEMA
from evstore.adapters.sqlite.rows import learn
from evstore.adapters.sqlite.statements import ADMITS, NAMES_OF_STREAMS, NAMES_OF_TYPES
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.versions import MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from evstore.model.findings import What

_NAMES: Final[dict[What, str]] = {
    "category": sql.AUDIT_CATEGORIES,
    "type": sql.AUDIT_TYPES,
    "tag": sql.AUDIT_TAGS,
    "stream": sql.AUDIT_STREAMS,
}
# Text that is not UTF-8 must be reported, not fail the read. It is rare, and a function of Python costs each text.
_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")
_audited: Final[Callable[..., AuditedEvent]] = partial(tuple.__new__, AuditedEvent)
_POSITION: Final = AuditedEvent._fields.index("global_position")
_NAMED: Final = ((str,), (str,))
_HASHES: Final = -3
"""The last columns of AUDIT_PAGE."""
_SEARCHES: Final = sum(field.startswith("in_") for field in AuditedEvent._fields)


class SqliteAudits:
    """`port.Audits` over connections that read."""

    def __init__(self, sqlite: ModuleType, reading: Callable[[], AbstractContextManager[Any]]) -> None:
        self._sqlite = sqlite
        self._reading = reading
        self._streams: dict[int, str] = {}  # names by key
        self._types: dict[int, str] = {}

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        return self._agreed(low, min(high, max(low, 1) + limit - 1)) or self._each(low, high, limit)

    def _agreed(self, low: int, high: int) -> list[AuditedEvent]:
        """The events at these positions, as many as fit in a page; none unless the indexes agree about them."""
        rows = self._rows(sql.AUDIT_PAGE, {"low": low, "high": high}, enough)
        columns = [*zip(*rows, strict=True)]
        if not columns or not are_of(AGREED, columns):
            return []
        ids, streams, types, *own, categories, numbers = columns[:_HASHES]
        here = columns[_POSITION]
        ((found, agreed, before),) = self._rows(sql.AUDIT_AGREED, {"low": here[0], "high": here[-1]})
        names = [self._named(self._streams, streams), self._named(self._types, types)]
        known = self._of_categories(here, categories, numbers)
        if known is None or found != len(rows) or agreed != found or not are_of(_NAMED, names):
            return []
        predecessors = [int(each) if each else None for each in before.split(",")]
        facts = (known[0], known[0], here, here, predecessors, numbers, known[1], *columns[_HASHES:])
        searches = repeat([True] * len(rows), _SEARCHES)
        return [*map(_audited, zip(ids_from_blobs(ids), *names, *own, *facts, *searches, repeat(())))]

    def _named(self, known: dict[int, str], keys: Sequence[int]) -> list[str | None]:
        """The name of each key, None where it is missing."""
        if None in (found := [*map(known.get, keys)]):
            learn(known, keys, partial(self._rows, NAMES_OF_STREAMS if known is self._streams else NAMES_OF_TYPES))
            found = [*map(known.get, keys)]
        return found

    def _of_categories(
        self, positions: Sequence[int], keys: Sequence[int], numbers: Sequence[int]
    ) -> tuple[list[str], list[int | None]] | None:
        """Of each event, the name of its category and the number of the event before it there. None if the index
        of categories holds other events at these positions."""
        given = {"low": positions[0], "high": positions[-1], "categories": json.dumps([*{*keys}])}
        rows = self._rows(sql.AUDIT_NUMBERS, given)
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
        rows = self._rows(sql.AUDIT_EVENTS, {"low": low, "high": high, "limit": limit}, enough)
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
        rows = self._rows(sql.AUDIT_TAGGED, {"tags": json.dumps([*tags]), "low": low, "high": high})
        found: dict[str, list[int]] = {}
        for tag, held in rows:  # a name that is there twice has two rows
            found.setdefault(tag, []).extend(map(int, held.split(",")) if held else ())
        return found

    def count_tags(self, high: int) -> int:
        ((count,),) = self._rows(sql.COUNT_TAGS, {"high": high})
        return int(count)

    def schema(self) -> list[Finding]:
        """Findings where the store differs from schema.sql."""
        ((number, *_),) = self._rows(ADMITS)
        if number != SCHEMA:
            raise not_compared(number, SCHEMA)
        return list(differences(made(self._sqlite), self._rows(OBJECTS)))

    def engine(self) -> list[Finding]:
        lines = (line for (text,) in self._rows(sql.INTEGRITY) for line in text.splitlines())
        return [Finding("engine", f"integrity_check: {line}") for line in lines if line != "ok"]

    def correlation_hash(self, correlation_id: str) -> int:
        return correlation_hash(correlation_id)

    def _rows(
        self, statement: str, given: dict[str, Any] | None = None, taken: Callable[..., list[Any]] = list
    ) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            connection.execute(sql.CACHE)
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
