"""Synchronous code within a task of asyncio: a greenlet runs it, and gives way wherever it would block.

The code is that of the threads' world, to the line. Its waits come to `LoopRunner` by way of `evstore.blocking`,
which switches to the task, lets it await, and switches back with what came of it.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from concurrent.futures import ThreadPoolExecutor
from errno import EBADF
from functools import partial
from inspect import isawaitable
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from greenlet import getcurrent, greenlet

from evstore import blocking
from evstore.errors import UnsupportedError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from evstore.aio.threads import ThreadRunner
    from evstore.aio.ways import Inside

    T = TypeVar("T")

READ: Final = 1
WRITE: Final = 2
LONGEST_TURN: Final = 0.02
"""Seconds in which statements that need no waiting keep other tasks from their turn."""
THREADS: Final = 8
"""The most connections that are made at a time, each on a thread."""


class _Call(greenlet):
    """A call of synchronous code."""

    runner: LoopRunner
    was_cancelled: bool = False
    is_abandoned: bool = False
    """The task is gone, and nothing can be awaited any more."""


def _current() -> blocking.Runner | None:
    call = getcurrent()
    return call.runner if isinstance(call, _Call) else None


blocking.enlist(_current)


def _awaited(awaitable: Awaitable[T]) -> T:
    """The result of an awaitable, for the code of a call."""
    call = getcurrent()
    assert isinstance(call, _Call)
    if call.is_abandoned:
        raise GeneratorExit
    assert call.parent is not None
    return cast("T", call.parent.switch(awaitable))


class LoopRunner:
    """Runs calls as greenlets on the thread of the event loop."""

    has_loop = True

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._working: ThreadRunner | None = None
        self._gave_way = monotonic()

    async def run(self, function: Callable[[], T]) -> T:
        """The result of synchronous code. A cancelled task ends with CancelledError, once the code has ended."""
        task = getcurrent()
        call = _Call(function, task)
        call.runner = self
        call.gr_context = task.gr_context
        try:
            result: Any = call.switch()
            while not call.dead:
                try:
                    value = await result
                except BaseException as error:  # noqa: BLE001 - the code gets it
                    call.was_cancelled = call.was_cancelled or isinstance(error, CancelledError)
                    call.is_abandoned = isinstance(error, GeneratorExit)
                    result = call.throw(error)
                else:
                    result = call.switch(value)
        except Exception as error:
            if call.was_cancelled:
                raise CancelledError from error
            raise
        if call.was_cancelled:
            raise CancelledError
        return cast("T", result)

    async def run_long(self, function: Callable[[], T]) -> T:
        """The same of code that waits for long: a task costs nothing while it waits."""
        return await self.run(function)

    @property
    def threads(self) -> ThreadRunner:
        """The runner for what takes long, and would keep the loop from other tasks."""
        from evstore.aio.threads import ThreadRunner

        self._working = self._working or ThreadRunner()
        return self._working

    async def close(self, close: Callable[[], None]) -> None:
        """Close the store by this function, and let the threads end that have nothing to do any more."""
        try:
            await self.run(close)
        finally:
            if self._working is not None:
                await self._working.close(lambda: None)
            if self._threads is not None:
                self._threads.shutdown(wait=False)

    # --- as blocking.Runner, for the code of a call ---

    def pause(self) -> None:
        if monotonic() - self._gave_way > LONGEST_TURN:
            _awaited(asyncio.sleep(0))
            self._gave_way = monotonic()

    def check(self) -> None:
        call = getcurrent()
        if isinstance(call, _Call) and call.was_cancelled:
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass. Whatever tries again after a pause does not if the task was cancelled."""
        self.check()
        _awaited(asyncio.sleep(seconds))

    def waiter(self) -> blocking.Waiter:
        return _Waiter()

    def call(self, function: Callable[[], T], dropped: Callable[[T], object]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "evstore-aio")
        future = self._threads.submit(function)
        try:
            return _awaited(asyncio.wrap_future(future))
        except BaseException:
            if not future.cancel():
                future.add_done_callback(lambda done: done.exception() or dropped(done.result()))
            raise

    def ready(self, fileno: int, wanted: int, seconds: float) -> int:
        if fileno < 0:
            raise OSError(EBADF, "the socket is closed")
        loop = asyncio.get_running_loop()
        future: Future[int] = loop.create_future()
        timer = loop.call_later(seconds, _became, future, 0)
        self._gave_way = monotonic()
        try:
            if wanted & READ:
                loop.add_reader(fileno, _became, future, READ)
            if wanted & WRITE:
                loop.add_writer(fileno, _became, future, WRITE)
            return _awaited(future)
        finally:
            timer.cancel()
            if wanted & READ:
                loop.remove_reader(fileno)
            if wanted & WRITE:
                loop.remove_writer(fileno)

    def called(self, start: Callable[[Inside], Any]) -> Any:
        """The result of an application's function, awaited if it is awaitable."""
        inside = _Inside(self)
        try:
            result = start(inside)
            return _awaited(result) if isawaitable(result) else result
        finally:
            inside.end()


class _Inside:
    """The transaction of a handler, whose connection serves one call at a time."""

    def __init__(self, runner: LoopRunner) -> None:
        self._runner = runner
        self._turn = asyncio.Lock()
        self._has_ended = False

    def end(self) -> None:
        """Take note that the handler has ended."""
        self._has_ended = True

    async def run(self, function: Callable[[], T]) -> T:
        """The result of synchronous code within the transaction."""
        async with self._turn:
            if self._has_ended:
                raise UnsupportedError("the transaction has ended with its handler")
            return await self._runner.run(function)


def _became(future: Future[int], state: int) -> None:
    if not future.done():
        future.set_result(state)


class _Waiter:
    """A wait of the code of a call."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._future: Future[int] = self._loop.create_future()

    def wait(self, timeout: float | None) -> None:
        timer = None if timeout is None else self._loop.call_later(timeout, _became, self._future, 0)
        try:
            _awaited(self._future)
        finally:
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        wake = partial(_became, self._future, READ)
        if get_ident() == self._thread:
            wake()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)
