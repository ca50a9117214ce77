"""Waiting for a later head: notifications as a hint, backed by a poll.

A hint saves waiting and nothing else. It may be lost, doubled or late: what a waiter returns is always what it
has read. Hints are listened to only where one comes back that was sent on another connection: not through a
transaction pooler, which gives the listening session away, and not from a standby, which passes none on.

A session listens only while somebody waits: what it does not hear stays in the queue, which is one for the whole
server, and once it is full nobody's notifications can be sent. The connection is kept, so it is proved once.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import connect
from evstore.blocking import Semaphore, sleep
from evstore.errors import EvstoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Location

SHORTEST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.4
"""Between polls: short after something came, growing while nothing does."""
HINT_SECONDS: Final = 0.01
"""No more than one hint in so long: whoever it wakes reads all there is."""
PROOF_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 60.0


class Hints:
    """Sends hints after appends, and waits for those of others."""

    def __init__(self, location: Location, connections: Connections) -> None:
        self._location = location
        self._connections = connections
        self._lock = Semaphore()  # one caller listens; others poll
        self._listener: Any = None
        self._listens = False
        self._not_before = 0.0
        self._sent = 0.0
        self._pending = False
        self._closed = False

    def send(self) -> None:
        if time.monotonic() - self._sent < HINT_SECONDS:
            self._pending = True
            return
        self._notify(self._location.schema)
        self._sent = time.monotonic()
        self._pending = False

    def _notify(self, payload: str) -> None:
        try:
            with self._connections.connection(patience=HINT_SECONDS) as connection:
                connection.execute(sql.NOTIFY, {"payload": payload})
        except (psycopg.Error, EvstoreError):
            pass  # the append is done, whatever becomes of the hint

    def wait(self, seconds: float) -> None:
        """Return after a hint or after that many seconds; at once where listening begins, because earlier hints
        are lost. A caller that stops waiting calls `rest`."""
        if not self._lock.acquire(timeout=0):
            sleep(min(seconds, LONGEST_PAUSE / 4))
            return
        try:
            self._wait(seconds)
        finally:
            self._lock.release()

    def _wait(self, seconds: float) -> None:
        if self._closed:
            return
        if self._listener is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + RETRY_SECONDS
            self._listener = self._proven()
            return
        if self._listener is None:
            sleep(seconds)
            return
        try:
            if self._listens:
                self._hear(self._listener, seconds, lambda payload: payload == self._location.schema)
            else:
                self._listener.execute(sql.LISTEN)
                self._listens = True
        except psycopg.Error:
            self._lost()

    def rest(self) -> None:
        """Stop listening. Another waiting thread will call `rest` as well."""
        if self._listens and self._lock.acquire(timeout=0):
            try:
                if self._listens:
                    self._listens = False
                    self._listener.execute(sql.UNLISTEN)
            except psycopg.Error:
                self._lost()
            finally:
                self._lock.release()

    def _lost(self) -> None:
        self._drop()
        self._not_before = time.monotonic() + 1.0

    def _proven(self) -> Any:
        """A connection that receives notifications of another connection, or None."""
        proof = f"{self._location.schema} {time.monotonic_ns()}"
        with suppress(psycopg.Error, EvstoreError), ExitStack() as stack:
            listener = stack.enter_context(closing(connect(self._location, PROOF_SECONDS)))
            # A pooler reports a number of its own; the listening session would belong to another client.
            (session,) = listener.execute("SELECT pg_catalog.pg_backend_pid()").fetchone() or (0,)
            if session != listener.info.backend_pid:
                return None
            listener.execute(sql.LISTEN)
            self._notify(proof)
            if self._hear(listener, PROOF_SECONDS, lambda payload: payload == proof):
                stack.pop_all()
                self._listens = True
                return listener
        return None

    def _hear(self, listener: Any, seconds: float, wanted: Callable[[str], bool]) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for heard in listener.notifies(timeout=left, stop_after=1):
                if wanted(heard.payload):
                    return True
        return False

    def _drop(self) -> None:
        listener, self._listener, self._listens = self._listener, None, False
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """End all waiting; send a hint that was held back, which also wakes a listener here."""
        self._closed = True
        if self._pending or self._lock.is_full:
            self._notify(self._location.schema)
        with self._lock:  # a connection is not closed under the thread that reads from it
            self._drop()
