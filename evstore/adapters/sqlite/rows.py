"""Rows of events, and the events made of them."""

from __future__ import annotations

import json
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evstore.adapters.ids import ids_from_blobs
from evstore.adapters.paging import event_of
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.wholeness import check_named
from evstore.errors import CorruptStoreError
from evstore.model.events import StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evstore.port import Page

T = TypeVar("T")

MOST_KNOWN: Final = 16_384
"""Names of a kind that are kept in memory."""
_ID, STREAM, TYPE, _DATA, _METADATA, _VERSION, _POSITION, _TIME, _TAGS, _ = map(
    itemgetter, range(len(StoredEvent._fields))
)
_KINDS: Final = {
    "id": (_ID, (bytes,)),
    "version": (_VERSION, (int,)),
    "timestamp": (_TIME, (int,)),
    "tags": (_TAGS, (str, type(None))),
    "metadata": (_METADATA, (str,)),
    "data": (_DATA, (str,)),
}
"""The values that the columns of an event may have. A damaged page may hold anything."""


def events_of(rows: Sequence[tuple[Any, ...]], location: str) -> list[StoredEvent]:
    """The events of rows that have names."""
    check_named(rows, location)
    ids = _checked_ids(rows, location)
    return [
        event_of((event_id, *rest, redacted == 1))  # SQLite knows no boolean
        for event_id, (_, *rest, redacted) in zip(ids, rows, strict=True)
    ]


def _checked_ids(rows: Sequence[tuple[Any, ...]], location: str) -> list[str]:
    """The ids of rows that are whole. Raises CorruptStoreError if one holds a value that its column cannot."""
    try:
        for text in (_DATA, _METADATA):
            sum(map(str.isascii, map(text, rows)))  # refuses what is no text, and copies nothing
        sum(map(str.isascii, filter(None, map(_TAGS, rows))))
        if type(sum(map(_VERSION, rows)) + sum(map(_TIME, rows))) is int:
            return ids_from_blobs([*map(_ID, rows)])
    except (TypeError, AttributeError):
        pass
    strange, position = next(
        (name, _POSITION(row))
        for row in rows
        for name, (of, kinds) in _KINDS.items()
        if type(of(row)) not in kinds
    )
    raise CorruptStoreError(
        f"the event store at {location} is damaged: the {strange} at position {position} is of another kind"
    )


class Names:
    """Names by key, as a connection has read them: kept until another connection commits.

    A name never changes. But another program may take one away, and then it must be missed.
    """

    _form: Callable[[str], Any] = str
    """Makes of a name what is known of it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._seen: int | None = None  # the data version of what is known
        self._streams: dict[int, Any] = {}
        self._types: dict[int, Any] = {}
        self.is_outgrown = False
        """There are more names in the log than are kept: the rows of its pages have names from now on."""
        self.raw: Any = None  # the same names for `raw`, where they were asked for

    def statement(self, page: Page) -> str:
        """The statement for a page of the log without a filter, whose rows are for `events_of`."""
        if self.is_outgrown:
            return sql.READ_NAMED_LOG_BACKWARD if page.backward else sql.READ_NAMED_LOG_FORWARD
        return sql.READ_KEYED_LOG_BACKWARD if page.backward else sql.READ_KEYED_LOG_FORWARD

    def events_of(self, rows: Sequence[tuple[Any, ...]], location: str) -> list[StoredEvent]:
        """The events of rows that `statement` gives."""
        if self.is_outgrown:
            return events_of(rows, location)
        try:
            return self.known(rows, partial(_named, _checked_ids(rows, location), rows))
        except KeyError:
            streams, types = self._streams.get, self._types.get
            check_named(((None, streams(row[1]), types(row[2]), *row[3:]) for row in rows), location)
            raise

    def known(self, rows: Sequence[tuple[Any, ...]], use: Callable[[dict[int, Any], dict[int, Any]], T]) -> T:
        """The outcome of `use`, which gets the names of the streams and of the types of these rows. Raises its
        KeyError if a name is missing."""
        self._look()
        try:
            return use(self._streams, self._types)
        except KeyError:
            asked = self._connection.execute
            for known, key, statement in (
                (self._streams, STREAM, sql.NAMES_OF_STREAMS),
                (self._types, TYPE, sql.NAMES_OF_TYPES),
            ):
                self.is_outgrown |= learn(known, [*map(key, rows)], partial(asked, statement), self._form)
        return use(self._streams, self._types)

    def _look(self) -> None:
        """Forget what may be old. The rows were read earlier, and a name is there no later than its events."""
        (version,) = self._connection.execute(sql.DATA_VERSION).fetchone()
        if version != self._seen:
            self._streams.clear()
            self._types.clear()
            self._seen = version


def _named(
    ids: Sequence[str], rows: Sequence[tuple[Any, ...]], streams: dict[int, str], types: dict[int, str]
) -> list[StoredEvent]:
    """The events of rows that have keys. Raises KeyError."""
    new = tuple.__new__
    return [
        new(StoredEvent, (of, streams[stream], types[kind], data, metadata, version, here, us, tags, gone == 1))
        for of, (_, stream, kind, data, metadata, version, here, us, tags, gone) in zip(ids, rows, strict=True)
    ]


def learn(
    known: dict[int, Any],
    keys: Sequence[int],
    ask: Callable[..., Iterable[tuple[int, str]]],
    form: Callable[[str], Any] = str,
) -> bool:
    """Get to know the names of these keys, each in this form, as far as they have any. `ask`: the names of keys
    that are given. True if all others had to be forgotten, because they would be too many together."""
    unknown = {key for key in keys if key not in known}  # costs by the keys, not by all known
    if not unknown:
        return False
    are_too_many = len(known) + len(unknown) > MOST_KNOWN
    if are_too_many:
        known.clear()
        unknown = {*keys}
    listed = json.dumps([*unknown], default=str)  # a damaged row may hold anything
    known.update({key: form(name) for key, name in ask({"keys": listed}) if isinstance(name, str)})
    return are_too_many
