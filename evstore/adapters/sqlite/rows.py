"""Rows of events, and the events made of them."""

from __future__ import annotations

import json
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.paging import event_of
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.ids import ids_from_blobs
from evstore.adapters.wholeness import check_named
from evstore.model.events import StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MOST_KNOWN: Final = 16_384
"""Names of a kind that are kept in memory."""
_ID: Final = itemgetter(StoredEvent._fields.index("id"))
_STREAM: Final = itemgetter(StoredEvent._fields.index("stream_id"))
_TYPE: Final = itemgetter(StoredEvent._fields.index("type"))


def events_of(rows: Sequence[tuple[Any, ...]], location: str) -> list[StoredEvent]:
    """The events of rows that have names."""
    check_named(rows, location)
    ids = ids_from_blobs([*map(_ID, rows)])
    return [
        event_of((event_id, *rest, redacted == 1))  # SQLite knows no boolean
        for event_id, (_, *rest, redacted) in zip(ids, rows, strict=True)
    ]


class Names:
    """Names by key, as a connection has read them: kept until another connection commits.

    A name never changes. But another program may take one away, and then it must be missed.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._seen: int | None = None  # the data version of what is known
        self._streams: dict[int, str] = {}
        self._types: dict[int, str] = {}

    def events_of(self, rows: Sequence[tuple[Any, ...]], location: str) -> list[StoredEvent]:
        """The events of rows that have keys in the place of names."""
        self._look()
        ids = ids_from_blobs([*map(_ID, rows)])
        try:
            return self._named(ids, rows)
        except KeyError:
            learn(self._streams, [*map(_STREAM, rows)], partial(self._connection.execute, sql.NAMES_OF_STREAMS))
            learn(self._types, [*map(_TYPE, rows)], partial(self._connection.execute, sql.NAMES_OF_TYPES))
        streams, types = self._streams.get, self._types.get
        check_named(((None, streams(row[1]), types(row[2]), *row[3:]) for row in rows), location)
        return self._named(ids, rows)

    def _named(self, ids: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[StoredEvent]:
        """The events, made from names that are known. Raises KeyError."""
        streams, types, new = self._streams, self._types, tuple.__new__
        return [
            new(
                StoredEvent, (of, streams[stream], types[kind], data, metadata, version, here, us, tags, gone == 1)
            )
            for of, (_, stream, kind, data, metadata, version, here, us, tags, gone) in zip(ids, rows, strict=True)
        ]

    def _look(self) -> None:
        """Forget what may be old. The rows were read earlier, and a name is there no later than its events."""
        (version,) = self._connection.execute(sql.DATA_VERSION).fetchone()
        if version != self._seen:
            self._streams.clear()
            self._types.clear()
            self._seen = version


def learn(known: dict[int, str], keys: Sequence[int], ask: Callable[..., Iterable[tuple[int, str]]]) -> None:
    """Get to know the names of these keys, as far as they have any. `ask`: the names of keys that are given."""
    unknown = {key for key in keys if key not in known}  # costs by the keys, not by all known
    if not unknown:
        return
    if len(known) + len(unknown) > MOST_KNOWN:
        known.clear()
        unknown = {*keys}
    listed = json.dumps([*unknown], default=str)  # a damaged row may hold anything
    known.update(ask({"keys": listed}))
