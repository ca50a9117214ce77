"""What others do on a PostgreSQL server: what they hold, and who waits for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server


@contextmanager
def writing(server: Server, schema: str) -> Iterator[None]:
    """Somebody else writes, and does not end: the lock of every writer, as schema.sql has it."""
    with server.connect() as connection:
        events = f"'{schema}.events'::regclass::oid::integer"
        connection.execute(f"SELECT pg_advisory_lock(1163285332, {events})".encode())
        yield


@contextmanager
def locked(server: Server, table: str) -> Iterator[None]:
    """Somebody rewrites a table, and does not end: nobody can even read it."""
    with server.connect() as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def waiting(server: Server, event: str, name: str) -> list[int]:
    """The sessions of the application of this name that wait for this."""
    asked = "SELECT pid FROM pg_stat_activity WHERE wait_event = %s AND application_name = %s ORDER BY query_start"
    return [pid for (pid,) in server.execute(asked, event, name)]
