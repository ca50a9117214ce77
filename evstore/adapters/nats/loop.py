"""One thread with an event loop, in which the client lives. Callers of any thread wait for its answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

THREAD: Final = "evstore-nats"


class EndedError(Exception):
    """The loop ended before the answer came."""


class Loop:
    """The loop of an adapter. It begins with its first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._at_work: set[concurrent.futures.Future[Any]] = set()
        self._ended = False

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The answer of the coroutine. Raises EndedError if the loop ends before."""
        with self._lock:
            if self._ended:
                work.close()
                raise EndedError
            future = asyncio.run_coroutine_threadsafe(work, self._running())
            self._at_work.add(future)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise EndedError from None
        except BaseException:
            future.cancel()  # the caller was interrupted, so nobody waits for the answer
            raise
        finally:
            self._at_work.discard(future)

    def end(self, last: Coroutine[Any, Any, Any]) -> None:
        """End all calls, run a last coroutine, and end."""
        with self._lock:
            self._ended = True
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                last.close()
                return
            for future in [*self._at_work]:
                future.cancel()
        ending = asyncio.run_coroutine_threadsafe(_finish(last), loop)
        with suppress(Exception):
            ending.result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        if not thread.is_alive():
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name=THREAD, daemon=True)
            self._thread.start()
        return self._loop


async def _finish(last: Coroutine[Any, Any, Any]) -> None:
    """Run the last coroutine, then end whatever still runs."""
    try:
        await asyncio.wait_for(last, 3)
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
