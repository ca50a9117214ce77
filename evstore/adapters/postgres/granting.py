"""The rights of roles: those that reading and appending need, and no others.

The tables, views and routines are those that schema.sql makes. What is granted can be granted again, and takes no
other right away.
"""

from __future__ import annotations

from pkgutil import get_data
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg.sql import SQL, Identifier

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.definitions import made
from evstore.errors import DeniedError, RoleNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import LiteralString

    from psycopg import Connection
    from psycopg.errors import Diagnostic
    from psycopg.sql import Composed

    from evstore.adapters.postgres.location import Location


class Grants(NamedTuple):
    """The roles that are to get rights."""

    readers: Sequence[str] = ()
    appenders: Sequence[str] = ()
    """These may read as well."""

    def roles(self) -> list[str]:
        """Each role once."""
        return [*dict.fromkeys((*self.readers, *self.appenders))]


STAGED: Final = "staged"
"""The table that a large append is copied to: who appends writes there, and nobody needs to read there."""
CHANGING: Final = ("consumers", "checkpoints", "parked", "holds", "snapshots")
"""The tables that change: who appends may consume as well, and keep snapshots."""
FLUSHING: Final = "make_durable_v1"
APPENDING: Final = (
    "append_v1", "append_unit_v1", "append_staged_v1", "append_staged_unit_v1", "sweep_staged_v1", FLUSHING,
)  # fmt: skip
"""The routines that an append calls in its own name. What they call is called in the name of the store's owner."""
_NOT_GRANTED: Final = "01007"
"""The SQLSTATE of the warning that a right was not granted."""


def check_roles(connection: Connection, location: Location, grants: Grants) -> None:
    """Raise RoleNotFoundError if one of the roles does not exist. PUBLIC is none."""
    roles = grants.roles()
    askable = [role for role in roles if "\0" not in role]  # which no name holds
    there = {name for (name,) in connection.execute(sql.ROLES, {"roles": askable})}
    absent = [role for role in roles if role not in there]
    if absent:
        raise _absent(location, absent)


def grant(connection: Connection, location: Location, grants: Grants) -> None:
    """Give the roles their rights, in the caller's transaction. Raises DeniedError if this role may not."""
    refused: list[str] = []

    def heed(notice: Diagnostic) -> None:
        if notice.sqlstate == _NOT_GRANTED:
            refused.append(notice.message_primary or "")

    connection.execute("SET LOCAL client_min_messages = warning")  # or a refusal could not be heard
    connection.add_notice_handler(heed)
    try:
        for role in grants.roles():
            for right in _rights(connection, location, role, appends=role in grants.appenders):
                connection.execute(right)
                if refused:
                    raise _denied(location, role, refused[0])
    finally:
        connection.remove_notice_handler(heed)


def _rights(connection: Connection, location: Location, role: str, *, appends: bool) -> Iterator[Composed]:
    text = get_data(__package__, "schema.sql")
    assert text is not None
    to = Identifier(role)
    if _says_yes(connection, sql.WANTS_USAGE, {"schema": location.schema, "role": role}):
        yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(location.schema), to)
    for kind, name, *_ in made(text.decode()):
        if kind in ("table", "view") and name != STAGED:
            yield SQL("GRANT SELECT ON {} TO {}").format(Identifier(location.schema, name), to)
    # Everybody may make durable what was read without that, unless somebody takes it away.
    flushing = () if _says_yes(connection, sql.MAY_EMIT, {"role": role}) else (FLUSHING,)
    for name in APPENDING if appends else flushing:
        yield SQL("GRANT EXECUTE ON ROUTINE {} TO {}").format(Identifier(location.schema, name), to)
    if appends:
        yield SQL("GRANT INSERT ON {} TO {}").format(Identifier(location.schema, STAGED), to)
    for name in CHANGING if appends else ():
        yield SQL("GRANT INSERT, UPDATE, DELETE ON {} TO {}").format(Identifier(location.schema, name), to)


def _says_yes(connection: Connection, question: LiteralString, given: dict[str, str]) -> bool:
    return connection.execute(question, given).fetchone() == (True,)


def _absent(location: Location, roles: Sequence[str]) -> RoleNotFoundError:
    error = RoleNotFoundError(location.shown, roles)
    role = roles[0].replace('"', '""')
    error.add_note(f'make it first, as by CREATE ROLE "{role}" LOGIN')
    return error


def _denied(location: Location, role: str, message: str) -> DeniedError:
    error = DeniedError(
        f'the event store at {location.shown}: this role may not grant "{role}" its rights ({message})'
    )
    error.add_note("grant them as the role that owns the store, or as a superuser")
    return error
