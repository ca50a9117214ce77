"""What others do on a PostgreSQL server: who they are, what they hold, and what they can see."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from tests.daemons import PATIENCE
from tests.kinds import KINDS
from tests.servers import NO_POSTGRES, needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import Server, Servers


def newest_of(servers: Servers) -> Server:
    """What the fixture `newest` is, for fixtures that last longer."""
    needs(NO_POSTGRES, KINDS)
    server = servers.of(KINDS[0])
    server.start()
    return server


def wait_for(what: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """What it returns, once that is true; for what a server tells only when asked."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return found


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


class Role(NamedTuple):
    server: Server
    name: str
    password: str

    def url(self, schema: str, **parts: Any) -> str:
        return self.server.url(schema, user=self.name, password=self.password, **parts)


@contextmanager
def a_role(server: Server, *words: str, **settings: object) -> Iterator[Role]:
    """A role that lasts for the block, with these attributes and these settings for its sessions."""
    role = Role(server, f"r_{uuid4().hex[:16]}", uuid4().hex)
    server.execute(f"CREATE ROLE {role.name} LOGIN PASSWORD '{role.password}' {' '.join(words)}")
    try:
        for name, value in settings.items():
            server.execute(f"ALTER ROLE {role.name} SET {name} = '{value}'")
        yield role
    finally:
        server.execute(f"DROP OWNED BY {role.name} CASCADE")
        server.execute(f"DROP ROLE {role.name}")
