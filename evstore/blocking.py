"""Waits: a thread blocks, and code that works for a task of asyncio lets other tasks run meanwhile.

The core and the adapters wait through this module. `evstore.aio` enlists a function that finds the `Runner` of the
code that asks; without it, there is none, and a thread waits as ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")

    class Waiter(Protocol):
        """A single wait of a runner."""

        def wait(self, timeout: float | None) -> None:
            """Return once it is woken, or after that many seconds."""

        def wake(self) -> None:
            """End the wait, from any thread."""

    class Runner(Protocol):
        """Runs synchronous code for a task. A cancelled task ends each of its waits with CancelledError."""

        has_loop: bool
        """It is `OnLoop`, and its thread must not block. Else the code has a thread of its own."""

        def pause(self) -> None:
            """Let other tasks run, if this code has kept them waiting for long."""

        def check(self) -> None:
            """Raise CancelledError if the task was cancelled."""

        def sleep(self, seconds: float) -> None:
            """Let that many seconds pass."""

        def waiter(self) -> Waiter:
            """A wait that another thread or task may end."""

    class OnLoop(Runner, Protocol):
        """A runner whose code is on the thread of the event loop."""

        def call(self, function: Callable[[], T], dropped: Callable[[T], object]) -> T:
            """The result of a function that blocks. `dropped` gets it if nobody waits for it any more."""

        def result_of(self, work: Coroutine[Any, Any, T]) -> T:
            """The result of a coroutine, which the task of this code runs."""

        def ready(self, fileno: int, wanted: int, seconds: float | None) -> int:
            """The state of a socket once it can be read (1) or written (2), as wanted; 0 after these seconds."""


LOOK_SECONDS = 0.05
"""Seconds between two looks whether a task was cancelled, where nothing else tells."""

_finders: tuple[Callable[[], Runner | None], ...] = ()


def enlist(find: Callable[[], Runner | None]) -> None:
    """Ask this function for the runner of the code that waits."""
    global _finders  # noqa: PLW0603 - a process has one list
    _finders = (*_finders, find)


def current() -> Runner | None:
    """The runner of this code, None in a thread that works for no task."""
    for find in _finders:
        found = find()
        if found is not None:
            return found
    return None


def on_loop() -> OnLoop | None:
    """The same, if this code runs on the thread of an event loop."""
    runner = current()
    return cast("OnLoop", runner) if runner is not None and runner.has_loop else None


def check() -> None:
    """End a task that was cancelled, between two waits of another kind."""
    runner = current()
    if runner is not None:
        runner.check()


def sleep(seconds: float) -> None:
    """Let that many seconds pass."""
    runner = current()
    if runner is None:
        time.sleep(seconds)
    else:
        runner.sleep(seconds)


def call(function: Callable[[], T], dropped: Callable[[T], object] = lambda _: None) -> T:
    """The result of a function that blocks without this module's help: on a loop, another thread runs it.

    `dropped` gets a result that comes after the task was cancelled.
    """
    runner = on_loop()
    return function() if runner is None else runner.call(function, dropped)


def wait_for(condition: threading.Condition, has_come: Callable[[], bool], timeout: float) -> None:
    """Wait within the condition until it has come, or so many seconds, or for the end of a task on its thread."""
    if current() is None:
        condition.wait_for(has_come, timeout)
        return
    until = time.monotonic() + timeout
    while not has_come() and (left := until - time.monotonic()) > 0:
        check()
        condition.wait(min(left, LOOK_SECONDS))


class Event(threading.Event):
    """An event that threads and tasks wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._waiters: list[Waiter] = []

    def set(self) -> None:
        super().set()
        for waiter in [*self._waiters]:
            waiter.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """True once it is set, False after `timeout` seconds."""
        runner = current()
        if runner is None or self.is_set():
            return super().wait(timeout)
        waiter = runner.waiter()
        self._waiters.append(waiter)
        try:
            if not self.is_set():
                waiter.wait(timeout)
        finally:
            self._waiters.remove(waiter)
        return self.is_set()


class Semaphore:
    """So many places for threads and tasks, which get them in the order in which they came."""

    def __init__(self, places: int = 1) -> None:
        self._free = places
        self._guard = threading.Lock()
        self._waiting: deque[Event] = deque()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def is_full(self) -> bool:
        """True if no place is free."""
        return not self._free

    def acquire(self, timeout: float | None = None) -> bool:
        """True once a place is taken, False if there was none for `timeout` seconds."""
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            if timeout is not None and timeout <= 0:
                return False
            turn = Event()
            self._waiting.append(turn)
        try:
            turn.wait(timeout)
        except BaseException:
            if self._came(turn):
                self.release()
            raise
        return self._came(turn)

    def _came(self, turn: Event) -> bool:
        """True if a place was given; else the wait for it ends."""
        with self._guard:
            if not turn.is_set():
                self._waiting.remove(turn)
            return turn.is_set()

    def release(self) -> None:
        """Give the place to whoever waits longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


_BLOCKS: ContextVar[tuple[list[object], ...]] = ContextVar("_BLOCKS", default=())
"""The blocks around this code: each holds its owner until it ends, also for tasks that were started in it."""


@contextmanager
def block_of(owner: object) -> Iterator[None]:
    """A block that `is_within` finds, in this thread or task, and in tasks that were started in it."""
    block = [owner]
    _BLOCKS.set((*(each for each in _BLOCKS.get() if each), block))
    try:
        yield
    finally:
        block.clear()


def is_within(owner: object) -> bool:
    """True within a block of this owner."""
    return any(each is owner for block in _BLOCKS.get() for each in block)
