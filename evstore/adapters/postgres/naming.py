"""Names in the place of keys, in rows of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import is_ours

if TYPE_CHECKING:
    from psycopg import Connection

MOST_KEPT: Final = 2**15
"""Names of streams, and of types, that are kept for a session."""


class Names:
    """The names that sessions have met. A session sees no name that it could lose: it ends with its server. A
    store that is made again has another table of events."""

    def __init__(self, schema: str) -> None:
        self._streams = sql.in_schema(sql.NAME_STREAMS, schema)
        self._types = sql.in_schema(sql.NAME_TYPES, schema)
        self._kept: WeakKeyDictionary[Connection, Kept] = WeakKeyDictionary()

    def put_into(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        """Replace the keys of streams and types by names, None where a name is missing, and drop the last column,
        the number of the table."""
        if not rows:
            return
        table = rows[0][-1]
        kept = self._kept.get(connection)
        if kept is None or kept.table != table:
            kept = Kept(table)
            if is_ours(connection):
                self._kept[connection] = kept
        streams = kept.of(kept.streams, {row[1] for row in rows}, connection, self._streams)
        types = kept.of(kept.types, {row[2] for row in rows}, connection, self._types)
        rows[:] = [(row[0], streams.get(row[1]), types.get(row[2]), *row[3:-1]) for row in rows]


class Kept:
    """The names of one store by their keys."""

    def __init__(self, table: int) -> None:
        self.table = table
        self.streams: dict[int, str] = {}
        self.types: dict[int, str] = {}

    @staticmethod
    def of(known: dict[int, str], keys: set[int], connection: Connection, statement: bytes) -> dict[int, str]:
        """The known names, those of these keys among them."""
        missing = keys - known.keys()
        if missing and len(known) + len(missing) > MOST_KEPT:
            known.clear()
            missing = keys
        if missing:
            listed = ",".join(
                map(str, missing)
            )  # the driver takes longer to write a list than the server to answer
            known.update(connection.execute(statement, {"keys": f"{{{listed}}}"}).fetchall())
        return known
