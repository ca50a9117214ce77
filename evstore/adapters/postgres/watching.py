"""Connections that note what their statements wait for, as soon as a wait for a lock is long."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from evstore.adapters.patience import SILENT_SECONDS
from evstore.adapters.postgres import statements as sql
from evstore.blocking import call, on_loop
from evstore.errors import EvstoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from evstore.adapters.patience import Patience
    from evstore.blocking import OnLoop

CANCEL_SECONDS: Final = 5.0
"""Seconds to wait until a cancelled statement ends, as psycopg does."""
LOOK_SECONDS: Final = 0.1
"""Seconds between two looks up from the socket, as in psycopg."""
NOT_READY: Final = 0
"""The state in which psycopg resumes a statement between two looks at the socket."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that asks, over another, who holds what a statement waits for.

    The driver looks up from the socket ten times a second, so that no thread is needed. A statement may also take
    long by itself, and then there is nothing to note. Behind a pooler no holder is found: the server's session is
    unknown.
    """

    _patience: Patience | None = None
    _another: Callable[[], psycopg.Connection]

    def watch(self, patience: Patience, another: Callable[[], psycopg.Connection]) -> None:
        """Note waits to `patience`; `another` makes a connection to ask over."""
        self._patience = patience
        self._another = another

    def wait(self, gen: Generator[Any, Any, Any], *given: Any, **named: Any) -> Any:
        """Run the steps of a statement, as psycopg does."""
        if self._patience is not None and self._patience.on_wait is not None:
            gen = self._watched(gen)
        loop = on_loop()
        return super().wait(gen, *given, **named) if loop is None else self._wait_on(loop, gen, *given, **named)

    def _wait_on(
        self,
        loop: OnLoop,
        gen: Generator[Any, Any, Any],
        interval: float = LOOK_SECONDS,
        timeout: float | None = None,
    ) -> Any:
        """The same while other tasks run. A task that is cancelled cancels its statement, as after Ctrl-C."""
        try:
            return self._driven(loop, gen, interval, timeout)
        except Exception:
            raise
        except GeneratorExit:  # the loop has ended, and nothing can be waited for
            self.pgconn.finish()
            raise
        except BaseException:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self._end(gen)
            raise

    def _driven(self, loop: OnLoop, gen: Generator[Any, Any, Any], interval: float, timeout: float | None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        is_watched = self._patience is not None and self._patience.on_wait is not None
        socket = self.pgconn.socket
        try:
            wanted = next(gen)
            while True:
                left = interval if is_watched else None
                if deadline is not None:
                    left = max(0.0, min(interval, deadline - time.monotonic()))
                ready = loop.ready(socket, wanted, left)
                wanted = gen.send(ready)
                if deadline is not None and time.monotonic() >= deadline:
                    raise psycopg.errors._WaitTimeout("wait timeout expired")  # noqa: SLF001 - as psycopg does
        except StopIteration as end:
            loop.pause()
            return end.value
        except OSError as error:
            raise psycopg.OperationalError("connection socket closed") from error

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        look = time.monotonic() + SILENT_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == NOT_READY and time.monotonic() >= look:
                    try:
                        noted = self._note()
                    except BaseException:
                        self._end(gen)
                        raise
                    look = float("inf") if noted else time.monotonic() + SILENT_SECONDS
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _end(self, gen: Generator[Any, Any, Any]) -> None:
        """Cancel the statement, whose note has raised, and read its answer: the connection can be used again.

        psycopg cannot, because the exception ends the generator that it knows. Where this fails, the connection
        is closed.
        """
        try:
            call(lambda: self.cancel_safe(timeout=CANCEL_SECONDS))
            loop = on_loop()
            if loop is None:
                super().wait(gen, timeout=CANCEL_SECONDS)
            else:
                self._driven(loop, gen, LOOK_SECONDS, CANCEL_SECONDS)
        except psycopg.errors.QueryCanceled:
            pass
        except BaseException as error:
            self.pgconn.finish()
            if not isinstance(error, Exception):  # a second interruption
                raise

    def _note(self) -> bool:
        """Note who is waited for, if somebody is."""
        blockers: list[tuple[Any, ...]] = []
        with suppress(EvstoreError, psycopg.Error), self._another() as another:
            given = {"session": self.info.backend_pid}
            blockers = another.execute(sql.BLOCKERS, given).fetchall()
        if not blockers or self._patience is None:
            return False
        (session, application, user), *others = blockers
        named = f"session {session} of {user}" + (f", {application}" if application else "")
        self._patience.note(f"{named}; {len(others)} more before this" if others else named)
        return True
