"""Until what was read is durable: on disk, and with the standbys that an acknowledged append waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from psycopg.errors import InsufficientPrivilege

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import unharmed
from evstore.blocking import sleep
from evstore.errors import UnavailableError

if TYPE_CHECKING:
    from psycopg import Connection

    from evstore.adapters.postgres.location import Location

FLUSH_PAUSES: Final = (0.0005, 0.001, 0.002)
"""Seconds in which a writer should have flushed what it committed; then the reader does it.

Few of them: the last commit in the log is often that of a hint, which its sender does not wait for.
"""
LONGEST_PAUSE: Final = 0.05
"""Seconds between two looks whether standbys have what was read; shorter ones come first."""


def wait_for_flush(connection: Connection, location: Location, seen: int, timeout: float) -> None:
    """Return when the events up to the position `seen` are durable; in a transaction, when that has ended as well.

    Raises UnavailableError if their writers wait longer than `timeout` seconds for a synchronous standby.
    """
    given = {"seen": seen}
    statement = sql.in_schema(sql.WRITTEN, location.schema)
    written, flushed, awaited = connection.execute(statement, given).fetchone() or (None, True, False)
    for pause in FLUSH_PAUSES:
        if flushed:
            break
        sleep(pause)
        (flushed,) = connection.execute(sql.FLUSHED, {"written": written}).fetchone() or (True,)
    if not flushed:
        _flush(connection, location.schema)
    if awaited:
        _wait_for_standbys(connection, location, seen, timeout)


def _flush(connection: Connection, schema: str) -> None:
    try:
        with unharmed(connection):
            connection.execute(sql.FLUSH)
    except InsufficientPrivilege:
        connection.execute(sql.in_schema(sql.MAKE_DURABLE, schema))


def _wait_for_standbys(connection: Connection, location: Location, seen: int, timeout: float) -> None:
    statement = sql.in_schema(sql.AWAITED, location.schema)
    deadline = time.monotonic() + timeout
    pause = FLUSH_PAUSES[0]
    while connection.execute(statement, {"seen": seen}).fetchone() == (True,):
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"the event store at {location.shown}: no synchronous standby has the events up to position "
                f"{seen} yet, and a failover would lose them"
            )
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
