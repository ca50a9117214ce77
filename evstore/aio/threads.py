"""Synchronous code on worker threads, for adapters that have no asyncio of their own.

A cancelled task waits until the code on its thread has ended. That ends at once where it waits by way of
`evstore.blocking`; what it has begun otherwise is finished.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import CancelledError, Task
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from inspect import isawaitable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, cast

from evstore import blocking
from evstore.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from evstore.aio.ways import Inside

    T = TypeVar("T")


THREADS: Final = 16
"""The most calls at a time."""
MOST_WAITING: Final = 10_000
"""The most followers and consumers at a time: each has a thread of its own."""

_local = threading.local()


def _current() -> blocking.Runner | None:
    work: _Work | None = getattr(_local, "work", None)
    return work


blocking.enlist(_current)


class ThreadRunner:
    """Runs calls on threads of its own, and what waits for long on further ones."""

    def __init__(self) -> None:
        self._calls = ThreadPoolExecutor(THREADS, "evstore-aio")
        self._waiting = ThreadPoolExecutor(MOST_WAITING, "evstore-aio-waiting")
        self._is_closed = False
        self._pid = os.getpid()

    @property
    def threads(self) -> ThreadRunner:
        """The runner for what takes long: this one."""
        return self

    async def run(self, function: Callable[[], T]) -> T:
        """The result of synchronous code. A cancelled task ends with CancelledError, once the code has ended."""
        return await self._run(function, self._calls)

    async def run_long(self, function: Callable[[], T]) -> T:
        """The same of code that waits for long."""
        return await self._run(function, self._waiting)

    async def _run(self, function: Callable[[], T], threads: ThreadPoolExecutor) -> T:
        if self._is_closed or self._pid != os.getpid():  # the store reports that
            return function()
        work = _Work()
        started = threads.submit(copy_context().run, work.do, function)
        done = asyncio.wrap_future(started)
        try:
            return cast("T", await asyncio.shield(done))
        except CancelledError:
            if not started.cancel():
                work.cancel()
                while not done.done():
                    with suppress(CancelledError):
                        await asyncio.wait([done])
                if not done.cancelled():
                    done.exception()
            raise
        except GeneratorExit:
            work.cancel()
            raise

    async def close(self, close: Callable[[], None]) -> None:
        """Close the store by this function, and let the threads end."""
        try:
            await self.run_long(close)
        finally:
            self._is_closed = True
            self._calls.shutdown(wait=False)
            self._waiting.shutdown(wait=False)


class _Work:
    """One piece of code on a thread: `blocking.Runner`."""

    has_loop = False

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: _Waiter | None = None
        self._task: Task[Any] | None = None
        self._inside: _Inside | None = None
        self._is_cancelled = False
        self._is_told = False

    def do(self, function: Callable[[], T]) -> T:
        """The result of the code."""
        _local.work = self
        try:
            return function()
        finally:
            _local.work = None

    def cancel(self) -> None:
        """End the wait of the code, and the coroutine that it waits for."""
        self._is_cancelled = True
        if self._loop.is_closed():
            if self._inside is not None:
                self._inside.end(None)
        elif self._task is not None:
            self._task.cancel()
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()

    # --- for the code ---

    def pause(self) -> None:
        """Keep on: this thread keeps nobody waiting."""

    def check(self) -> None:
        if self._is_cancelled:
            self._is_told = True
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waiter().wait(seconds)

    def waiter(self) -> _Waiter:
        return _Waiter(self)

    def wait(self, waiter: _Waiter, woken: threading.Event, timeout: float | None) -> None:
        """Wait, unless the task is cancelled. What ends after that was told waits as it must."""
        self._waiter = waiter
        if not self._is_cancelled or self._is_told:
            woken.wait(timeout)
        self._waiter = None
        if self._is_cancelled and not self._is_told:
            self.check()

    def called(self, start: Callable[[Inside], Any]) -> Any:
        """The result of an application's function, which the loop runs. This thread does what that asks."""
        inside = self._inside = _Inside(self._loop)

        async def result() -> Any:
            found = start(inside)
            return await found if isawaitable(found) else found

        def begin() -> None:
            self._task = asyncio.create_task(result())
            self._task.add_done_callback(inside.end)
            if self._is_cancelled:
                self._task.cancel()

        self._loop.call_soon_threadsafe(begin)
        return inside.served()


class _Waiter:
    def __init__(self, work: _Work) -> None:
        self._work = work
        self._woken = threading.Event()

    def wait(self, timeout: float | None) -> None:
        self._work.wait(self, self._woken, timeout)

    def wake(self) -> None:
        self._woken.set()


class _Inside:
    """The thread that waits for a handler, for what must happen on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[Callable[[], None] | Task[Any] | None] = SimpleQueue()
        self._has_ended = False

    def end(self, task: Task[Any] | None) -> None:
        """Take note that the handler has ended, or that its loop has."""
        self._has_ended = True
        self._jobs.put(task)

    def served(self) -> Any:
        """The result of the handler. Does its jobs until it has ended."""
        while not isinstance(job := self._jobs.get(), Task):
            if job is None:
                raise CancelledError
            job()
        return job.result()

    async def run(self, function: Callable[[], T]) -> T:
        """The result of code on that thread."""
        if self._has_ended:
            raise UnsupportedError("the transaction has ended with its handler")
        found: asyncio.Future[T] = self._loop.create_future()
        context = copy_context()

        def job() -> None:
            try:
                result = context.run(function)
            except BaseException as error:  # noqa: BLE001 - the handler gets it
                self._answer(_failed, found, error)
            else:
                self._answer(_came, found, result)

        self._jobs.put(job)
        return await found

    def _answer(
        self, answer: Callable[[asyncio.Future[T], Any], None], future: asyncio.Future[T], found: Any
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended, and the handler with it
            self._loop.call_soon_threadsafe(answer, future, found)


def _came(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _failed(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
