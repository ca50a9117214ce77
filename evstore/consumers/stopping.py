"""The request to stop, which a signal handler may make at any moment."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from evstore.blocking import current

if TYPE_CHECKING:
    from evstore.blocking import Waiter


class Stopping:
    """An event that is set once.

    The lock of a `threading.Event` may be held by the thread that a signal interrupts, which would then wait for
    itself. A SimpleQueue can be put to at any moment.
    """

    def __init__(self) -> None:
        self._set = False
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._waiters: list[Waiter] = []

    def set(self) -> None:
        """Wake who waits."""
        self._set = True
        self._woken.put(None)
        for waiter in [*self._waiters]:
            waiter.wake()

    def is_set(self) -> bool:
        """True from the first `set` on."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """True if it is set within so many seconds. One thread, or task, waits at a time."""
        runner = current()
        if runner is None and not self._set:
            with suppress(Empty):
                self._woken.get(timeout=seconds)
        elif runner is not None and not self._set:
            waiter = runner.waiter()
            self._waiters.append(waiter)
            try:
                if not self._set:
                    waiter.wait(seconds)
            finally:
                self._waiters.remove(waiter)
        return self._set
