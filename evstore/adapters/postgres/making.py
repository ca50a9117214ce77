"""The making of a store, and the examination of its location."""

from __future__ import annotations

from pkgutil import get_data
from typing import TYPE_CHECKING

from psycopg import IsolationLevel

from evstore.adapters.postgres import statements as sql
from evstore.errors import NotAStoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from psycopg import Connection

    from evstore.adapters.postgres.location import Location

    Admission: TypeAlias = Callable[[Connection], object]


def initialize(connection: Connection, location: Location, admission: Admission, *, tamper_evident: bool) -> None:
    """Make a store unless one exists; of several processes at once, one makes it."""
    if is_made(connection, location, admission):
        return
    connection.isolation_level = IsolationLevel.READ_COMMITTED  # what the lock waited for must be seen
    try:
        with connection.transaction():
            connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(sql.INITIALIZE_LOCK, {"schema": location.schema})
            there, _, _ = _occupied(connection, location)
            if is_made(connection, location, admission):
                return
            if not there:
                connection.execute(sql.in_schema(sql.CREATE_SCHEMA, location.schema))
            text = get_data(__package__, "schema.sql")
            assert text is not None
            connection.execute(sql.in_schema(text.decode(), location.schema))
            if tamper_evident:
                connection.execute(sql.in_schema(sql.MAKE_TAMPER_EVIDENT, location.schema))
    finally:
        if not connection.closed:
            connection.isolation_level = None


def is_made(connection: Connection, location: Location, admission: Admission) -> bool:
    """True if a store exists. Raises if the location holds something else."""
    there, objects, encoding = _occupied(connection, location)
    if encoding != "UTF8":
        raise NotAStoreError(location.shown, f"the database is encoded in {encoding}; evstore needs UTF8")
    if not there or not objects:
        return False
    if admission(connection) is None:
        raise NotAStoreError(location.shown, f'schema "{location.schema}" holds something else')
    return True


def _occupied(connection: Connection, location: Location) -> tuple[bool, bool, str]:
    """True if there is a schema of that name, True if it holds objects, and the encoding of the database."""
    row = connection.execute(sql.OCCUPIED, {"schema": location.schema}).fetchone()
    assert row is not None
    return row
