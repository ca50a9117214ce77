"""Connections of an application with threads or tasks: psycopg's pool."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from psycopg.pq import TransactionStatus

from evstore.adapters.patience import Patience
from evstore.adapters.postgres.connections import OPTIONS, connect, settle, watched
from evstore.adapters.postgres.errors import all_taken
from evstore.adapters.postgres.watching import WatchedConnection
from evstore.blocking import Semaphore, call, on_loop
from evstore.errors import EvstoreError, StoreClosedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from evstore.adapters.postgres.location import Location

CONNECT_SECONDS: Final = 5.0
FIRST_LOOK_SECONDS: Final = 0.5
"""Seconds to wait for a pooled connection before the server is probed."""
AT_ONCE: Final = 0.001
"""Seconds to wait on the thread of an event loop; where the pool grows, another thread waits."""
SETTLED: Final = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
"""The states of a connection outside a transaction, and of one that is closed."""


class PooledConnections:
    """psycopg's pool. Its first connection is made outside: a pool does not report why it cannot connect."""

    def __init__(self, location: Location, size: int, timeout: float) -> None:
        self.patience = Patience(location.shown, timeout)
        self.made = 0
        self._location = location
        self._size = size
        self._timeout = timeout
        self._step = float(location.conninfo["connect_timeout"]) or CONNECT_SECONDS
        self._lock = Lock()
        self._opening = Semaphore()
        self._pool: Any = None
        self._first: list[WatchedConnection] = []
        """The first connection, until the pool takes it."""
        self._settled: WatchedConnection | None = None
        self._lent = 0
        self._turns = Semaphore(size)
        """For tasks, which must not wait in the pool: that would block the loop."""
        self._looking = Semaphore()
        self._looks = 0
        self._failed: EvstoreError | None = None
        """The outcome of the latest probe of the server."""
        self._closed = False

    @contextmanager
    def connection(self, patience: float | None = None) -> Iterator[Connection]:
        """`patience`: seconds to wait for one that is free, if that is less than other writers are waited for."""
        turns = self._turns if on_loop() is not None else None
        if turns is not None and not turns.acquire(self._timeout if patience is None else patience):
            raise self._all_in_use()
        try:
            pool = self._pool or self._made()
            lent = self._taken(pool, patience)
            with self._lock:
                self._lent += 1
            try:
                yield lent
            finally:
                with self._lock:
                    self._lent -= 1
                if turns is not None and lent.pgconn.transaction_status not in SETTLED:
                    lent.close()  # the pool would roll back, which may be interrupted
                pool.putconn(lent)
        finally:
            if turns is not None:
                turns.release()

    def _taken(self, pool: Any, patience: float | None) -> Connection:
        from psycopg_pool import PoolClosed, PoolTimeout

        deadline = time.monotonic() + self._timeout
        step = min(FIRST_LOOK_SECONDS, self._step) if patience is None else patience
        while True:
            try:
                return _taken(pool, step)
            except PoolClosed as error:  # while this thread waited
                raise StoreClosedError from error
            except PoolTimeout as error:
                step = min(step * 2, self._step)
                if patience is None and self._lent < self._size:
                    self._look()
                if patience is not None or time.monotonic() >= deadline:
                    raise self._all_in_use() from error

    def _all_in_use(self) -> UnavailableError:
        return UnavailableError(
            f"the event store at {self._location.shown}: all {self._size} connections are in use"
        )

    def _look(self) -> None:
        """Raise the reason why no connection can be made, if there is one. One thread asks for all that wait."""
        before = self._looks
        with self._looking:
            if self._looks == before:
                try:
                    connect(self._location, self._timeout).close()
                    self._failed = None
                except EvstoreError as error:
                    self._failed = None if all_taken(error) else error
                self._looks += 1
            failed = self._failed
        if failed is not None:
            raise failed

    def _made(self) -> Any:
        with self._opening:
            if self._closed:
                raise StoreClosedError
            if self._pool is None:
                self._pool = self._opened()
            return self._pool

    def _opened(self) -> Any:
        from psycopg_pool import ConnectionPool

        self._settled = connect(self._location, self._timeout)
        self._first.append(self._settled)
        return ConnectionPool(
            connection_class=_beginning_with(self._first),
            kwargs={**self._location.conninfo, **OPTIONS},
            min_size=0,
            max_size=self._size,
            reconnect_timeout=FIRST_LOOK_SECONDS,  # the pool would try ever less often; a new request makes it try
            configure=self._configure,
            open=True,
        )

    def _configure(self, connection: WatchedConnection) -> None:
        watched(connection, self._location, self.patience)
        if connection is self._settled:
            self._settled = None
        else:
            settle(connection, self._timeout)
        with self._lock:
            self.made += 1

    def renew(self) -> None:
        """After a connection was lost, others probably are, too."""
        pool = self._pool
        if pool is not None:
            call(pool.check)

    def close(self) -> None:
        with self._opening:
            self._closed = True
            pool, self._pool = self._pool, None
        for each in self._first:
            each.close()
        if pool is not None:
            call(pool.close)


def _beginning_with(first: list[WatchedConnection]) -> type[WatchedConnection]:
    """The class of the connections of a pool, to which those that are made already are given first."""

    class Pooled(WatchedConnection):
        @classmethod
        def connect(cls, *given: Any, **named: Any) -> WatchedConnection:  # type: ignore[override]
            with suppress(IndexError):  # the pool has several threads that connect
                return first.pop()
            return super().connect(*given, **named)

    return Pooled


def _taken(pool: Any, seconds: float) -> Connection:
    """A connection of the pool. Raises PoolTimeout."""
    from psycopg_pool import PoolTimeout

    taken: Connection
    if on_loop() is not None:
        with suppress(PoolTimeout):
            taken = pool.getconn(timeout=AT_ONCE)
            return taken
    taken = call(lambda: pool.getconn(timeout=seconds), pool.putconn)
    return taken
