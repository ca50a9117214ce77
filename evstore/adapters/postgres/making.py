"""The making of a store, and the examination of its location."""

from __future__ import annotations

from contextlib import contextmanager
from pkgutil import get_data
from typing import TYPE_CHECKING

from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.granting import Grants, check_roles, grant
from evstore.errors import NotAStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from psycopg import Connection

    from evstore.adapters.postgres.location import Location
    from evstore.port import Initialization

    Admission: TypeAlias = Callable[[Connection], object]


def initialize(connection: Connection, location: Location, admission: Admission, wanted: Initialization) -> None:
    """Make a store unless one exists, and give roles their rights; of several processes at once, one makes it."""
    grants = Grants(wanted.grant_read, wanted.grant_append)
    if is_made(connection, location, admission) and not grants.roles():
        return
    with _alone(connection, location):
        if grants.roles():
            check_roles(connection, location, grants)
        if not is_made(connection, location, admission):
            _make(connection, location, tamper_evident=wanted.tamper_evident)
        if grants.roles():
            grant(connection, location, grants)


@contextmanager
def _alone(connection: Connection, location: Location) -> Iterator[None]:
    """A transaction that sees what its lock waited for, and is durable."""
    begins = connection.info.transaction_status == TransactionStatus.IDLE  # else it has begun with this isolation
    if begins:
        connection.isolation_level = IsolationLevel.READ_COMMITTED
    try:
        with connection.transaction():
            connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(sql.INITIALIZE_LOCK, {"schema": location.schema})
            yield
    finally:
        if begins and not connection.closed:
            connection.isolation_level = None


def _make(connection: Connection, location: Location, *, tamper_evident: bool) -> None:
    there, _, _ = _occupied(connection, location)
    if not there:
        connection.execute(sql.in_schema(sql.CREATE_SCHEMA, location.schema))
    text = get_data(__package__, "schema.sql")
    assert text is not None
    connection.execute(sql.in_schema(text.decode(), location.schema))
    if tamper_evident:
        connection.execute(sql.in_schema(sql.MAKE_TAMPER_EVIDENT, location.schema))


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
