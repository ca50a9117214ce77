"""The event loops in which an adapter works: one in a thread of its own, and that of a program for `evstore.aio`.

Each has its own parts, and so its own connection. Code of any thread waits for the answers of the first; the task
of a program lets other tasks run meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evstore import blocking
from evstore.adapters.nats.errors import EndedError

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Coroutine

    from evstore.adapters.nats.parts import Parts

    Make = Callable[[], Parts]

T = TypeVar("T")

THREAD: Final = "evstore-nats"
LOST_SECONDS: Final = 0.5
"""After so long a cancellation is taken for lost."""
END_SECONDS: Final = 5
"""The longest wait for the end of calls and connections."""


class Loops:
    """The loops of an adapter, each begun with its first call."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._own = _Home(make)
        self._thread: _Thread | None = None
        self._starting = threading.Lock()
        self._present: _Home | None = None
        self._ended = False

    def call(self, work: Callable[[Parts], Awaitable[T]]) -> T:
        """The answer of the coroutine. Raises EndedError if the loops end before."""
        runner = blocking.on_loop()
        if runner is not None:
            return runner.result_of(self._here().run(work))
        with self._starting:
            if self._ended:
                raise EndedError
            self._thread = self._thread or _Thread()
            future = self._thread.start(self._own.run(work))
        try:
            return future.result()
        except BaseException:
            future.cancel()  # the caller was interrupted, so nobody waits for the answer
            raise

    def _here(self) -> _Home:
        """The home in the loop of the program. A program may run one loop after another."""
        if self._ended:
            raise EndedError
        if self._present is None or self._present.loop is not asyncio.get_running_loop():
            self._present = _Home(self._make, asyncio.get_running_loop())
        return self._present

    @property
    def of_threads(self) -> Parts | None:
        """The parts that serve threads, None before their first call."""
        return self._own.parts if blocking.on_loop() is None else None

    def end(self) -> None:
        """End all calls, and all connections."""
        with self._starting:
            self._ended = True
            thread = self._thread
        runner = blocking.on_loop()
        if runner is not None and self._present is not None:
            runner.result_of(self._present.end())
        if thread is not None:
            blocking.call(lambda: thread.end(self._own.end()))


class _Home:
    """The parts in one loop, and the calls that are at work there."""

    def __init__(self, make: Make, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop
        self._make = make
        self.parts: Parts | None = None
        self._at_work: set[asyncio.Task[Any]] = set()
        self._ended = False

    async def run(self, work: Callable[[Parts], Awaitable[T]]) -> T:
        if self._ended:
            raise EndedError
        if self.parts is None:
            self.parts = self._make()
        task = asyncio.ensure_future(work(self.parts))
        self._at_work.add(task)
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            await _ended(task)
            raise
        finally:
            self._at_work.discard(task)
        if task.cancelled() and self._ended:
            raise EndedError
        return task.result()

    async def end(self) -> None:
        self._ended = True
        if self.parts is not None:
            self.parts.writing.sharing.end()
        await asyncio.gather(*map(_ended, self._at_work))
        if self.parts is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self.parts.end()


async def _ended(task: asyncio.Future[Any]) -> None:
    """Cancel a task, and wait for its end. Python 3.11 and nats-py lose a cancellation now and then."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=LOST_SECONDS)


class _Thread:
    """A thread with an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=THREAD, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin to run a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def end(self, last: Coroutine[Any, Any, Any]) -> None:
        """Run a last coroutine, and end."""
        ending = self.start(_finish(last))
        with suppress(Exception):
            ending.result(2 * END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()


async def _finish(last: Coroutine[Any, Any, Any]) -> None:
    """Run the last coroutine, then end whatever still runs."""
    try:
        await last
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
