"""Appends of several threads or tasks that share a batch: those that come while others are stored make the next.

Nothing waits for company: while there is a place, an append goes at once. What fails together is tried again
apart, beside the next batches: whatever hinders one append must not hinder the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from evstore.port import Append, Outcome

    Once = Callable[[Sequence[Append]], Awaitable[Sequence[Outcome]]]
    Apart = Callable[[Append, Exception], Awaitable[Outcome]]
    Start = Callable[[Coroutine[None, None, None]], asyncio.Task[None]]

PLACES: Final = 2
"""Batches on their way at a time: while one is synced, the next is judged."""
MOST_EVENTS: Final = 200
MOST_CHARACTERS: Final = 512 * 1024
"""The limits of a shared batch. A unit beyond them goes alone."""


class _Waiting:
    """A unit that waits for its outcome."""

    __slots__ = ("apart", "is_unwanted", "outcome", "size", "unit")

    def __init__(self, unit: Append, size: tuple[int, int]) -> None:
        self.unit = unit
        self.size = size
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        """Cancelled where nobody finds it out any more."""
        self.apart: asyncio.Task[None] | None = None
        """The task that tries it again apart."""
        self.is_unwanted = False
        """The caller was cancelled."""


class Sharing:
    """The shared batches of an adapter."""

    def __init__(self, once: Once, apart: Apart, start: Start) -> None:
        """`once` tries to store units, `apart` tries one again, after it failed; both may raise. `start` runs what
        nobody waits for."""
        self._once = once
        self._apart = apart
        self._start = start
        self._waiting: deque[_Waiting] = deque()
        self._taken = 0

    async def outcome(self, unit: Append, size: tuple[int, int]) -> Outcome:
        """The outcome of a unit of this size.

        If the caller is cancelled, a unit that waits is taken back, and one that is on its way comes to its end.
        """
        waiting = _Waiting(unit, size)
        self._waiting.append(waiting)
        if self._taken < PLACES:
            self._taken += 1
            self._start(self._go())
        try:
            return await asyncio.shield(waiting.outcome)
        except asyncio.CancelledError:
            waiting.is_unwanted = True
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.apart is not None:
                waiting.apart.cancel()
            else:
                await asyncio.wait([waiting.outcome])
            raise

    async def _go(self) -> None:
        """Store what waits, batch after batch, until nothing does."""
        try:
            while self._waiting:
                await self._store(self._together())
        finally:
            self._taken -= 1

    async def _store(self, together: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._once([each.unit for each in together])
        except Exception as error:  # noqa: BLE001 - perhaps about one of them, which will see it
            for each in together:
                if each.is_unwanted:
                    each.outcome.cancel()
                else:
                    each.apart = self._start(self._go_apart(each, error))
        except BaseException:
            for each in together:
                each.outcome.cancel()
            raise
        else:
            for each, outcome in zip(together, outcomes, strict=True):
                each.outcome.set_result(outcome)

    async def _go_apart(self, waiting: _Waiting, failed: Exception) -> None:
        try:
            waiting.outcome.set_result(await self._apart(waiting.unit, failed))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            waiting.outcome.set_exception(error)
        except BaseException:
            waiting.outcome.cancel()
            raise

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
            together.append(self._waiting.popleft())
        return together


def size_of(unit: Append) -> tuple[int, int] | None:
    """The events of a unit and their characters, None if they are too many to share a batch."""
    events = characters = 0
    for write in unit.writes:
        events += len(write.events)
        if events > MOST_EVENTS:
            return None
        for event in write.events:
            characters += len(event.data_json) + len(event.metadata_json)
    return None if characters > MOST_CHARACTERS else (events, characters)
