"""Tables of projections in a SQLite store, and the views that show them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from sqlite3 import Connection

# The names of SQLite are the same in upper and in lower case.
FIND: Final = """
SELECT type, sql FROM sqlite_schema WHERE name = ? COLLATE NOCASE
"""
_SHOWS: Final = re.compile(r'AS SELECT \* FROM "((?:[^"]|"")+)"$')


class SqliteTables:
    """`port.Tables`, in the transaction that the connection is in. There are no schemas."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def schema(self) -> str:
        return ""

    def shown(self, schema: str, view: str) -> str | None:  # noqa: ARG002 - there is one alone
        found: tuple[str, Any] | None = self._connection.execute(FIND, (view,)).fetchone()
        if found is None:
            return None
        shows = _SHOWS.search(found[1]) if found[0] == "view" else None
        if shows is None:
            raise InvalidInputError(f'the store has a {found[0]} "{view}", which is no view of a projection')
        return shows[1].replace('""', '"')

    def show(self, schema: str, view: str, table: str) -> None:
        self.hide(schema, view)
        its, source = quoted(view), quoted(table)
        self._connection.execute(f"CREATE VIEW {its} AS SELECT * FROM {source}")  # noqa: S608 - both quoted

    def hide(self, schema: str, view: str) -> None:
        if self.shown(schema, view) is not None:
            self._connection.execute(f"DROP VIEW {quoted(view)}")

    def drop(self, schema: str, table: str) -> None:  # noqa: ARG002 - there is one alone
        self._connection.execute(f"DROP TABLE IF EXISTS {quoted(table)}")


def quoted(name: str) -> str:
    """A name in a statement, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'
