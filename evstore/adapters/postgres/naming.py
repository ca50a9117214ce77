"""Names in the place of keys, in rows of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from evstore.adapters.postgres import statements as sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from psycopg import Connection

T = TypeVar("T")

MOST_KNOWN: Final = 16_384
"""Names of a kind that are kept in memory."""


class Names(Generic[T]):
    """Names by key, as a server reported them: kept until a transaction ends there.

    A name never changes. But another program may take one away, and then it must be missed. Threads may share it.
    """

    def __init__(self, schema: str, form: Callable[[str], T]) -> None:
        self._statement = sql.in_schema(sql.NAMES, schema)
        self._form = form
        self._known: _Known[T] = _Known(None)

    def put_into(self, rows: list[Any], connection: Connection, server: object) -> list[Any]:
        """These rows of events, with names in the place of keys, and None in that of a name that is missing."""
        streams, types = self.of(connection, server, rows)
        rows[:] = [(row[0], streams.get(row[1]), types.get(row[2]), *row[3:]) for row in rows]
        return rows

    def of(
        self, connection: Connection, server: object, rows: Sequence[tuple[Any, ...]]
    ) -> tuple[dict[int, T], dict[int, T]]:
        """The names of the streams and of the types of rows that have keys, at least, by key, each in its form.

        `server`: another object if it may be another server.
        """
        if not rows:
            return {}, {}
        streams, types = {row[1] for row in rows}, {row[2] for row in rows}
        known = self._known
        if known.server != server or len(known.streams) + len(streams) > MOST_KNOWN:
            known = _Known(server)
        # To look up the keys of a page takes less than to take away all that are known.
        given = {
            "snapshot": known.snapshot,
            "streams": _listed(streams),
            "types": _listed(types),
            "new_streams": _listed(key for key in streams if key not in known.streams),
            "new_types": _listed(key for key in types if key not in known.types),
        }
        found = connection.execute(self._statement, given).fetchall()
        (snapshot,) = (text for of_type, _, text in found if of_type is None)
        if snapshot != known.snapshot:
            known = _Known(server, snapshot)
        for of_type, key, name in found:
            if of_type is not None:
                (known.types if of_type else known.streams)[key] = self._form(name)
        self._known = known
        return known.streams, known.types


class _Known(Generic[T]):
    """The names that are known, of a server in a state."""

    def __init__(self, server: object, snapshot: str | None = None) -> None:
        self.server = server
        self.snapshot = snapshot
        self.streams: dict[int, T] = {}
        self.types: dict[int, T] = {}


def _listed(keys: Iterable[int]) -> str:
    """The keys as an array in text: the driver takes longer to write a list than the server to answer."""
    return f"{{{','.join(map(str, keys))}}}"
