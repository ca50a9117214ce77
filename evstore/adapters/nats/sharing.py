"""Appends of several threads or tasks that share a batch: those that come while others are stored make the next.

A lone append goes at once. What fails together is tried again apart, beside the next batches: whatever hinders one
append must not hinder the others. A thread is woken by its outcome itself, without a task that waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.errors import EndedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from evstore.port import Append, Outcome

    Once = Callable[[Sequence[Append]], Awaitable[Sequence[Outcome]]]
    Apart = Callable[[Append, Exception], Awaitable[Outcome]]
    Start = Callable[[Coroutine[None, None, None]], asyncio.Task[None]]

COMPANY_SECONDS: Final = 0.001
"""The longest wait for those whose appends have just been stored together: they mostly come again at once."""
MOST_EVENTS: Final = 200
MOST_CHARACTERS: Final = 512 * 1024
"""The limits of a shared batch. A unit beyond them goes alone."""


class _Waiting:
    """A unit that waits for its outcome."""

    def __init__(self, unit: Append, size: tuple[int, int]) -> None:
        self.unit = unit
        self.size = size
        self.is_unwanted = False
        """Whoever waited was interrupted."""
        self.apart: asyncio.Task[None] | None = None
        """The task that tries it again apart."""
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None

    def end(self, outcome: Outcome | None, error: BaseException | None = None) -> None:
        """Give the outcome to whoever waits, or the error in its place."""
        self._outcome, self._error = outcome, error

    def _given(self) -> Outcome:
        if self._error is not None:
            raise self._error
        assert self._outcome is not None
        return self._outcome


class _OfThread(_Waiting):
    """A thread waits for it."""

    def __init__(self, unit: Append, size: tuple[int, int]) -> None:
        super().__init__(unit, size)
        self._waits = threading.Lock()
        self._waits.acquire()

    def end(self, outcome: Outcome | None, error: BaseException | None = None) -> None:
        super().end(outcome, error)
        self._waits.release()

    def given(self) -> Outcome:
        self._waits.acquire()
        return self._given()


class _OfTask(_Waiting):
    """A task waits for it."""

    def __init__(self, unit: Append, size: tuple[int, int]) -> None:
        super().__init__(unit, size)
        self.has_ended = asyncio.get_running_loop().create_future()

    def end(self, outcome: Outcome | None, error: BaseException | None = None) -> None:
        super().end(outcome, error)
        _done(self.has_ended)

    async def given(self) -> Outcome:
        await asyncio.shield(self.has_ended)
        return self._given()


class Sharing:
    """The shared batches of a loop: one is on its way at a time."""

    def __init__(self, once: Once, apart: Apart, start: Start) -> None:
        """`once` tries to store units, `apart` tries one again, after it failed; both may raise. `start` runs what
        nobody waits for."""
        self._once = once
        self._apart = apart
        self._start = start
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._is_going = False
        self._has_ended = False
        self._company: asyncio.Future[None] | None = None
        self._wanted = 0

    def outcome(self, unit: Append, size: tuple[int, int]) -> Outcome:
        """The outcome of a unit of this size, for code of another thread. Raises EndedError."""
        waiting = _OfThread(unit, size)
        self._waiting.append(waiting)
        if self._has_ended:
            raise EndedError
        # The loop looks at what waits after it has said that it does not go on: one of both sees the other.
        if not self._is_going or self._is_company():
            self._loop.call_soon_threadsafe(self._go_on)
        try:
            return waiting.given()
        except BaseException:
            waiting.is_unwanted = True
            raise

    async def outcome_for_task(self, unit: Append, size: tuple[int, int]) -> Outcome:
        """The same for a task of the loop.

        If it is cancelled, a unit that waits is taken back, and one that is on its way comes to its end.
        """
        waiting = _OfTask(unit, size)
        self._waiting.append(waiting)
        self._go_on()
        try:
            return await waiting.given()
        except asyncio.CancelledError:
            waiting.is_unwanted = True
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.apart is not None:
                waiting.apart.cancel()
            else:
                await asyncio.wait([waiting.has_ended])
            raise

    def end(self) -> None:
        """End whatever waits."""
        self._has_ended = True
        while self._waiting:
            self._waiting.popleft().end(None, EndedError())

    # --- in the loop ---

    def _go_on(self) -> None:
        """Begin to store what waits, unless that has begun."""
        if self._is_company():
            assert self._company is not None
            _done(self._company)
        elif self._waiting and not self._is_going:
            self._is_going = True
            self._start(self._go())

    def _is_company(self) -> bool:
        return self._company is not None and len(self._waiting) >= self._wanted

    async def _go(self) -> None:
        """Store what waits, batch after batch, until nothing does."""
        try:
            while together := self._together():
                await self._store(together)
                if 1 < len(together) > len(self._waiting):
                    await self._wait_for_company(len(together))
        finally:
            self._is_going = False
            if not self._has_ended:
                self._go_on()

    async def _wait_for_company(self, count: int) -> None:
        self._wanted = count
        self._company = self._loop.create_future()
        timer = self._loop.call_later(COMPANY_SECONDS, _done, self._company)
        try:
            await self._company
        finally:
            timer.cancel()
            self._company = None

    def _together(self) -> list[_Waiting]:
        """The first of those that wait, as many as a batch takes."""
        together: list[_Waiting] = []
        events = characters = 0
        while self._waiting:
            more_events, more_characters = self._waiting[0].size
            events += more_events
            characters += more_characters
            if together and (events > MOST_EVENTS or characters > MOST_CHARACTERS):
                break
            first = self._waiting.popleft()
            if not first.is_unwanted:
                together.append(first)
        return together

    async def _store(self, together: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._once([each.unit for each in together])
        except Exception as error:  # noqa: BLE001 - perhaps about one of them, which will see it
            for each in together:
                if each.is_unwanted:
                    each.end(None, EndedError())
                else:
                    each.apart = self._start(self._go_apart(each, error))
        except BaseException:
            for each in together:
                each.end(None, EndedError())
            raise
        else:
            for each, outcome in zip(together, outcomes, strict=True):
                each.end(outcome)

    async def _go_apart(self, waiting: _Waiting, failed: Exception) -> None:
        try:
            waiting.end(await self._apart(waiting.unit, failed))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            waiting.end(None, error)
        except BaseException:
            waiting.end(None, EndedError())
            raise


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
