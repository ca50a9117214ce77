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
from inspect import isawaitable, iscoroutine
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from greenlet import getcurrent, greenlet

from evstore import blocking
from evstore.errors import UnsupportedError

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable, Coroutine
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


_BY_ITSELF: Final = object()
"""The answer of a call that waits for a socket: the loop lets it go on, and wakes no task for that."""


class _Call(greenlet):
    """A call of synchronous code."""

    runner: LoopRunner
    woken: Future[None]
    """Of the task, while the call waits by itself."""
    wanted: Any = None
    """The awaitable for the task; at the end the result."""
    failed: BaseException | None = None
    was_cancelled: bool = False
    is_abandoned: bool = False
    """The task is gone, and nothing can be awaited any more."""

    async def further(self, wanted: Any) -> Any:
        """Await what the code wants, let it go on, and return what it wants then."""
        try:
            if wanted is _BY_ITSELF:
                self.woken = asyncio.get_running_loop().create_future()
                await self.woken
            else:
                value = await wanted
        except BaseException as error:  # noqa: BLE001 - the code gets it
            return self._stopped(error, by_itself=wanted is _BY_ITSELF)
        return self._came() if wanted is _BY_ITSELF else self.switch(value)

    def go_on(self, state: int) -> None:
        """Let the code go on with the state of its socket; called by the loop."""
        if self.woken.done():  # the task was cancelled, and comes to that
            return
        try:
            self.wanted = self.switch(state)
        except BaseException as error:  # noqa: BLE001 - the task raises it
            self.failed = error
        if self.dead or self.wanted is not _BY_ITSELF:
            self.woken.set_result(None)

    def _came(self) -> Any:
        if self.failed is not None:
            raise self.failed
        return self.wanted

    def _stopped(self, error: BaseException, *, by_itself: bool) -> Any:
        """Raise in the code what the task got instead of an answer."""
        self.was_cancelled = self.was_cancelled or isinstance(error, CancelledError)
        self.is_abandoned = isinstance(error, GeneratorExit)
        if by_itself and self.woken.done() and not self.woken.cancelled():  # it has come at the same time
            if self.dead:
                return self._came()
            if iscoroutine(self.wanted):
                self.wanted.close()
        return self.throw(error)


def _current() -> blocking.Runner | None:
    call = getcurrent()
    return call.runner if isinstance(call, _Call) else None


blocking.enlist(_current)


def _awaited(awaitable: Awaitable[T]) -> T:
    """The result of an awaitable, for the code of a call."""
    call = getcurrent()
    assert isinstance(call, _Call)
    return cast("T", _switched(call, awaitable))


def _switched(call: _Call, wanted: Any) -> Any:
    """The answer of the task, or of the loop, to what the code of a call wants."""
    if call.is_abandoned:
        raise GeneratorExit
    assert call.parent is not None
    return call.parent.switch(wanted)


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
            wanted = call.switch()
            while not call.dead:
                wanted = await call.further(wanted)
        except Exception as error:
            if call.was_cancelled:
                raise CancelledError from error
            raise
        if call.was_cancelled:
            raise CancelledError
        return cast("T", wanted)

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

    def result_of(self, work: Coroutine[Any, Any, T]) -> T:
        self._gave_way = monotonic()
        try:
            return _awaited(work)
        finally:
            work.close()  # which a task that is gone has never begun

    def ready(self, fileno: int, wanted: int, seconds: float | None) -> int:
        if fileno < 0:
            raise OSError(EBADF, "the socket is closed")
        call = getcurrent()
        assert isinstance(call, _Call)
        loop = asyncio.get_running_loop()
        timer = None if seconds is None else loop.call_later(seconds, call.go_on, 0)
        self._gave_way = monotonic()
        try:
            if wanted & READ:
                loop.add_reader(fileno, call.go_on, READ)
            if wanted & WRITE:
                loop.add_writer(fileno, call.go_on, WRITE)
            return cast("int", _switched(call, _BY_ITSELF))
        finally:
            if timer is not None:
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
