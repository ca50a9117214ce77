"""Connections: a single one for a command, psycopg's pool for an application with threads."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

from evstore.adapters.patience import Patience
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.errors import not_connected
from evstore.adapters.postgres.watching import WatchedConnection
from evstore.blocking import Semaphore, block_of, call, is_within
from evstore.errors import (
    InvalidUrlError,
    MissingDependencyError,
    StoreClosedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    from psycopg import Connection

    from evstore.adapters.postgres.location import Location

    class Connections(Protocol):
        patience: Patience
        made: int
        """The number of connections that were made so far, each perhaps to another server."""

        def connection(self, patience: float | None = None) -> AbstractContextManager[Connection]: ...
        def renew(self) -> None: ...
        def close(self) -> None: ...


OLDEST_SERVER: Final = 130000

# psycopg logs a lost connection, which evstore reports as an error or mends. An application with a log keeps the
# record; without a handler, logging would print it into the output of a command.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

# Every statement is its own transaction. Nothing is prepared on the server: behind a pooler the next statement may
# meet another session, which knows nothing of it.
OPTIONS: Final[dict[str, Any]] = {"autocommit": True, "prepare_threshold": None}
ON_DEMAND: Final = 2**31
"""The same of a session that is ours alone: what asks to be prepared is, and nothing by being repeated. A read is
planned for its values."""


def connect(location: Location, timeout: float) -> WatchedConnection:
    """A connection of its own, settled. Raises what an application can understand."""
    return call(lambda: _settled(location, timeout), WatchedConnection.close)


def _settled(location: Location, timeout: float) -> WatchedConnection:
    connection = _connected(location)
    try:
        settle(connection, timeout)
    except psycopg.Error as error:
        connection.close()
        raise not_connected(error, location) from error
    return connection


def _connected(location: Location) -> WatchedConnection:
    connection = None
    try:
        connection = WatchedConnection.connect(**location.conninfo, **OPTIONS)
    except UnicodeError:
        pass  # reported below; Python's message would repeat the host
    except psycopg.Error as error:
        failed = not_connected(error, location)
        # Both hold the password, the driver's frames in their variables, and collectors of errors show all.
        error._pgconn = None  # noqa: SLF001
        raise failed from error.with_traceback(None)
    if connection is None:
        raise InvalidUrlError(f"{location.shown} names an invalid host")
    if connection.info.server_version < OLDEST_SERVER:
        version = connection.info.server_version // 10000
        connection.close()
        raise MissingDependencyError(f"evstore needs PostgreSQL 13 or newer, at {location.shown} is {version}")
    return connection


def watched(connection: WatchedConnection, location: Location, patience: Patience) -> Connection:
    """The connection, which notes what its statements wait for."""
    connection.watch(patience, lambda: connect(location, patience.timeout))
    return connection


def settle(connection: Connection, timeout: float) -> None:
    """Take JSON and ids as the text they are, wait for nobody longer than that, and trust no default of a role."""
    for name in ("json", "uuid"):
        connection.adapters.register_loader(name, TextLoader)
    given = {"session": connection.info.backend_pid, "wait_ms": milliseconds(timeout)}
    with suppress(psycopg.errors.FeatureNotSupported):  # on a standby, to a role that is serializable by default
        if connection.execute(sql.SETTLE, given).fetchone():
            connection.prepare_threshold = ON_DEMAND


def is_ours(connection: Connection) -> bool:
    """True if no pooler lends the session of this settled connection to others."""
    return connection.prepare_threshold is not None


def milliseconds(timeout: float) -> int:
    """As the server counts how long to wait for a lock; 0 would be for ever."""
    return max(1, round(min(timeout * 1000, 2**31 - 1)))


def unharmed(connection: Connection) -> AbstractContextManager[Any]:
    """A block whose failure does not end the transaction around it."""
    alone = connection.info.transaction_status == TransactionStatus.IDLE
    return nullcontext() if alone else connection.transaction()


def is_standby(connection: Connection) -> bool:
    return connection.execute(sql.IS_STANDBY).fetchone() == (True,)


class OneConnection:
    """One connection, for a process that does one thing. Threads take turns.

    A thread, or a task, that asks while it has the connection, as within a step of a consumer, gets another: it
    must neither see nor end what is not committed there.
    """

    def __init__(self, location: Location, timeout: float) -> None:
        self.patience = Patience(location.shown, timeout)
        self.made = 0
        self._location = location
        self._timeout = timeout
        self._turn = Semaphore()
        self._free: list[Connection] = []
        self._closed = False

    @contextmanager
    def connection(self, patience: float | None = None) -> Iterator[Connection]:  # noqa: ARG002 - there is a single connection
        with nullcontext() if is_within(self) else self._turn, block_of(self):
            if self._closed:
                raise StoreClosedError
            lent = self._free.pop() if self._free else self._connected()
            try:
                yield lent
            finally:
                if self._closed:
                    lent.close()
                elif not lent.closed:
                    self._free.append(lent)

    def _connected(self) -> Connection:
        connection = connect(self._location, self._timeout)
        self.made += 1
        return watched(connection, self._location, self.patience)

    def renew(self) -> None:
        """Forget what is broken."""

    def close(self) -> None:
        with nullcontext() if is_within(self) else self._turn:  # a running statement ends first
            self._closed = True
            free, self._free = self._free, []
        for connection in free:
            connection.close()
