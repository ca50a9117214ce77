"""Until what was read is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg.errors import InsufficientPrivilege

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import unharmed
from evstore.blocking import sleep

if TYPE_CHECKING:
    from psycopg import Connection

FLUSH_PAUSES: Final = (0.0005, 0.001, 0.002)
"""Seconds in which a writer should have flushed what it committed; then the reader does it.

Few of them: the last commit in the log is often that of a hint, which its sender does not wait for.
"""


def wait_for_flush(connection: Connection, schema: str) -> None:
    """Return when all that was committed before is durable; in a transaction, when that has ended as well."""
    written, flushed = connection.execute(sql.WRITTEN).fetchone() or (None, True)
    for pause in FLUSH_PAUSES:
        if flushed:
            return
        sleep(pause)
        (flushed,) = connection.execute(sql.FLUSHED, {"written": written}).fetchone() or (True,)
    if flushed:
        return
    try:
        with unharmed(connection):
            connection.execute(sql.FLUSH)
    except InsufficientPrivilege:
        connection.execute(sql.in_schema(sql.MAKE_DURABLE, schema))
