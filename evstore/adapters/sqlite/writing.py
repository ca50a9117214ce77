"""The rows of a unit. Runs inside a write transaction, under the side lock."""

from __future__ import annotations

import time
from array import array
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.ids import ids_to_blobs
from evstore.adapters.sql import check_admits, correlation_hash, id_to_blob
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.inserting import insert
from evstore.adapters.sqlite.location import SCHEMA
from evstore.adapters.wholeness import check_agreed, incomplete
from evstore.errors import CorruptStoreError, EvstoreError, PositionConflictError
from evstore.jsontext.quoting import quote
from evstore.model.names import category_of, tags_of
from evstore.model.versions import check_version
from evstore.port import MOST_IN_PAGE, MOST_VERSIONS, PAGE_CHARACTERS, AlreadyStored, Append, Receipt, source_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType
    from typing import TypeAlias

    from evstore.port import Outcome, PreparedEvent, PreparedWrite, SourceTaken

    _Placed: TypeAlias = tuple[str, int | None, PreparedEvent]
    """An event with its stream, and the version that its write expects, if it is the first event of it."""


UNDO: Final = ("ROLLBACK TO unit", "RELEASE unit")
UNDO_ALONE: Final = ("ROLLBACK", "BEGIN")  # the ids are looked up in a transaction as well
MOST_KNOWN: Final = 16_384
"""Streams whose key and version are kept in memory."""


class _Category:
    __slots__ = ("events", "key", "streams")

    def __init__(self, key: int, streams: int, events: int) -> None:
        self.key = key
        self.streams = streams  # the last number given to a stream of it
        self.events = events  # and to an event


class _Stream:
    __slots__ = ("category", "key", "version")

    def __init__(self, key: int, version: int, category: _Category) -> None:
        self.key = key
        self.version = version
        self.category = category


class Ledger:
    """Keys and last numbers of the store, known until another connection writes or this one rolls back."""

    def __init__(self, sqlite: ModuleType, connection: Any, location: str) -> None:
        self._sqlite = sqlite
        self._connection = connection
        self._location = location
        self._add = partial(insert, connection, location)
        self._seen: int | None = None  # the data version of what is known

    def look(self) -> None:
        """Read what is not known, in a transaction that just began."""
        (version,) = self._connection.execute(sql.DATA_VERSION).fetchone()
        if version != self._seen:
            self._read()
            self._seen = version

    def forget(self) -> None:
        """Know nothing, since the transaction was rolled back."""
        self._seen = None

    def _read(self) -> None:
        found = self._connection.execute(sql.LAST_KEYS).fetchone()
        self._head, self._last_stream, self._last_category, self._last_type, self._last_tag, *rest = found
        min_writer, is_chained, digest, missing = rest
        # Another process may have finished a migration since this one opened the store.
        check_admits(self._location, (SCHEMA, 0, min_writer), SCHEMA, to_write=True, oldest=SCHEMA)
        check_agreed(self._location, self._head, missing)
        self._digest = self._checked_digest(digest) if is_chained else None
        self._forget_names()
        self._new_streams: list[tuple[Any, ...]] = []
        self._new_tags: list[tuple[int, int]] = []
        self._has_redacted = False  # of the rows that are made

    def _checked_digest(self, digest: object) -> bytes:
        from evstore.adapters.sqlite.chaining import checked_digest

        return checked_digest(self._location, self._head, digest)

    def _forget_names(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._categories: dict[str, _Category] = {}
        self._types: dict[str, int] = {}
        self._tags: dict[str, int] = {}

    def append(self, unit: Append, *, alone: bool = False) -> Outcome:
        """Insert first and look for known ids only when something refused: new ids are the rule, and a lookup
        for each would cost as much as the insert. Ids still come before versions in what is answered.

        `alone`: the transaction is this unit's, and needs no savepoint within.
        """
        undo = UNDO_ALONE if alone else UNDO
        if undo is UNDO:
            self._connection.execute("SAVEPOINT unit")
        first = self._head + 1
        versions = array("q")
        now = unit.times_us[0] if unit.times_us else time.time_ns() // 1000
        refused: EvstoreError | SourceTaken | None
        try:
            if unit.first_position not in (None, first):
                raise PositionConflictError(unit.first_position, first)
            refused = self._store(unit, versions, now)
        except EvstoreError as error:
            refused = error
        except self._sqlite.IntegrityError as error:
            refused = CorruptStoreError(f"the event store at {self._location} refused an event: {error}")
            refused.__cause__ = error
        if refused is None:
            if undo is UNDO:
                self._connection.execute("RELEASE unit")
            return Receipt(first, self._head - first + 1, versions, now)
        for statement in undo:
            self._connection.execute(statement)
        self._read()
        held = [event_id for event_id in unit.ids() if self._holds(event_id)]
        if held:
            return AlreadyStored(held)
        if isinstance(refused, CorruptStoreError):
            raise refused
        return refused

    def _store(self, unit: Append, versions: array[int], now: int) -> SourceTaken | None:
        """Judge the unit and insert it. Raises its refusal, also after inserts."""
        if not (unit.source or unit.requirements or unit.conditions):
            self._insert(unit, versions, now)
            return None
        from evstore.adapters.sqlite.guarding import check_guards, last_of, record_source, required_versions

        taken = source_taken(unit.source, last_of(self._connection, unit.source))
        if taken is None:
            before, required = self._head, required_versions(self._connection, unit)
            self._insert(unit, versions, now)
            check_guards(self._connection, unit, required, before)
            record_source(self._connection, unit.source, self._head)
        return taken

    def _holds(self, event_id: str) -> bool:
        return self._connection.execute(sql.HOLDS_ID, (id_to_blob(event_id),)).fetchone() is not None

    def _insert(self, unit: Append, versions: array[int], now: int) -> None:
        """Insert the unit's events page by page, judging each write as its turn comes."""
        times = iter(unit.times_us) if unit.times_us else repeat(now)
        for page in _pages(unit.writes):
            self._look_up({stream_id for stream_id, _, _ in page})
            rows = [*self._rows(page, versions, times)]
            if self._new_streams:
                self._add(sql.ADD_STREAM, self._new_streams, len(self._new_streams))
                self._new_streams.clear()
            if self._digest is not None or self._has_redacted:
                self._add(sql.ADD_HASHED_EVENT, self._hashed(rows, page), len(rows))
                self._has_redacted = False
            else:
                self._add(sql.ADD_EVENT, rows, len(rows))
            if self._new_tags:
                self._add(sql.ADD_EVENT_TAG, self._new_tags, len(self._new_tags))
                self._new_tags.clear()

    def _rows(self, page: list[_Placed], versions: array[int], times: Iterator[int]) -> Iterator[tuple[Any, ...]]:
        ids = ids_to_blobs([event.id for _, _, event in page])
        for (stream_id, expected, event), event_id in zip(page, ids, strict=True):
            stream = self._streams.get(stream_id)
            if expected is not None:
                check_version(stream_id, expected, stream.version if stream else 0)
                if len(versions) < MOST_VERSIONS:
                    versions.append(stream.version + 1 if stream else 1)
            if stream is None:
                stream = self._add_stream(stream_id)
            category = stream.category
            self._head += 1
            stream.version += 1
            category.events += 1
            correlation_id = event.correlation_id
            if event.redacted:
                self._has_redacted = True
            if event.joined_tags:
                self._new_tags += [(self._tag(tag), self._head) for tag in tags_of(event.joined_tags)]
            yield (
                self._head,
                event_id,
                stream.key,
                stream.version,
                category.key,
                category.events,
                self._types.get(event.type) or self._type(event.type),
                next(times),
                correlation_hash(correlation_id) if correlation_id else None,
                event.joined_tags,
                event.metadata_json,
                event.data_json,
            )

    def _hashed(self, rows: Iterable[tuple[Any, ...]], page: list[_Placed]) -> Iterator[tuple[Any, ...]]:
        from evstore.adapters.sqlite.chaining import hashed

        self._digest = yield from hashed(rows, page, self._digest)

    def _look_up(self, stream_ids: set[str]) -> None:
        """Get to know those of the streams that the store has."""
        unknown = {each for each in stream_ids if each not in self._streams}  # costs by the ids, not by all known
        known = len(self._streams) + len(unknown), len(self._categories), len(self._types), len(self._tags)
        if max(known) > MOST_KNOWN:  # what was inserted so far can be read again
            self._forget_names()
            unknown = stream_ids
        if not unknown:
            return
        given = {"stream_ids": f"[{','.join(map(quote, unknown))}]"}
        for stream_id, key, version in self._connection.execute(sql.FIND_STREAMS, given).fetchall():
            if version is None:  # a stream that has a name has an event
                raise incomplete(self._location, self._head, "events")
            self._streams[stream_id] = _Stream(key, version, self._category(category_of(stream_id)))

    def _add_stream(self, stream_id: str) -> _Stream:
        category = self._category(category_of(stream_id))
        category.streams += 1
        self._last_stream += 1
        self._new_streams.append((self._last_stream, stream_id, category.key, category.streams))
        stream = self._streams[stream_id] = _Stream(self._last_stream, 0, category)
        return stream

    def _category(self, name: str) -> _Category:
        known = self._categories.get(name)
        if known:
            return known
        found = self._connection.execute(sql.FIND_CATEGORY, {"name": name}).fetchone()
        if found is None:
            self._last_category += 1
            self._add(sql.ADD_CATEGORY, [(self._last_category, name)], 1)
            found = (self._last_category, 0, 0)
        elif None in found:  # and so has a category
            raise incomplete(self._location, self._head, "events")
        category = self._categories[name] = _Category(*found)
        return category

    def _type(self, name: str) -> int:
        found = self._connection.execute(sql.FIND_TYPE, {"name": name}).fetchone()
        if found:
            self._types[name] = found[0]
        else:
            self._last_type += 1
            self._add(sql.ADD_TYPE, [(self._last_type, name)], 1)
            self._types[name] = self._last_type
        return self._types[name]

    def _tag(self, name: str) -> int:
        known = self._tags.get(name)
        if known:
            return known
        found = self._connection.execute(sql.FIND_TAG, {"name": name}).fetchone()
        if found is None:
            self._last_tag += 1
            found = (self._last_tag,)
            self._add(sql.ADD_TAG, [(self._last_tag, name)], 1)
        self._tags[name] = found[0]
        return self._tags[name]


def _pages(writes: Iterable[PreparedWrite]) -> Iterator[list[_Placed]]:
    """The events of the writes, in groups that are small in memory."""
    page: list[_Placed] = []
    characters = 0
    for stream_id, events, expected in writes:
        expects: int | None = expected
        for event in events:
            page.append((stream_id, expects, event))
            expects = None
            characters += len(event.data_json)
            if len(page) == MOST_IN_PAGE or characters > PAGE_CHARACTERS:
                yield page
                page, characters = [], 0
    if page:
        yield page
