"""A new SQLite store: the schema goes into an empty file."""

from __future__ import annotations

from pkgutil import get_data
from typing import TYPE_CHECKING, Any

from evstore.adapters.sqlite import statements as sql

if TYPE_CHECKING:
    from collections.abc import Callable


def fill(connect: Callable[[str, str], Any], path: str, *, tamper_evident: bool) -> None:
    """Make the tables of a store in the database at this path."""
    from sqlite_utils import Database

    schema = get_data(__package__, "schema.sql")
    assert schema is not None
    connection = connect(path, "rw")
    try:
        # By itself each statement is a transaction, which waits for the disk.
        Database(connection).executescript(f"BEGIN;\n{schema.decode()}\nCOMMIT;")
        if tamper_evident:
            connection.execute(sql.MAKE_TAMPER_EVIDENT)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
