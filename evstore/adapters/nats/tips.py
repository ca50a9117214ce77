"""The ends of streams that this adapter wrote last, by which it judges without a look at the servers.

That is a guess: the guards of the batch refuse it if another has written meanwhile; then the servers are asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.judging import NEW
from evstore.model.versions import NO_STREAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from evstore.adapters.nats.judging import Tip
    from evstore.port import Append

MOST_KEPT: Final = 10_000
UNSURE_FOR: Final = 8
"""So many appends look at a stream to which another has written."""


class Tips:
    """The tips of streams, by stream id."""

    def __init__(self) -> None:
        self._tips: OrderedDict[str, Tip] = OrderedDict()
        self._unsure: OrderedDict[str, int] = OrderedDict()
        self._turns: dict[str, list[asyncio.Lock]] = {}

    def guessed(self, units: Sequence[Append]) -> dict[str, Tip]:
        """The tips of streams that are known, or that a unit expects not to be there."""
        found: dict[str, Tip] = {}
        for unit in units:
            for stream_id, _, expected in unit.writes:
                if stream_id in found or self._is_unsure(stream_id):
                    continue
                if stream_id in self._tips:
                    found[stream_id] = self._tips[stream_id]
                elif expected == NO_STREAM:
                    found[stream_id] = NEW
        return found

    def note(self, tips: Mapping[str, Tip]) -> None:
        """Keep the tips of a batch that was stored."""
        for stream_id, tip in tips.items():
            self._tips[stream_id] = tip
            self._tips.move_to_end(stream_id)
        _shorten(self._tips)

    def forget(self, stream_ids: Iterable[str]) -> None:
        """Another has written to one of these streams."""
        for stream_id in stream_ids:
            self._tips.pop(stream_id, None)
            self._unsure[stream_id] = UNSURE_FOR
        _shorten(self._unsure)

    def _is_unsure(self, stream_id: str) -> bool:
        left = self._unsure.get(stream_id, 0)
        if left > 1:
            self._unsure[stream_id] = left - 1
        else:
            self._unsure.pop(stream_id, None)
        return left > 0

    @asynccontextmanager
    async def turn(self, stream_ids: Iterable[str], seconds: float) -> AsyncIterator[None]:
        """Wait for threads of this adapter that write to the same streams: their batches would refuse each other.

        Streams are locked in the order of their names, so that no two wait for each other. Raises TimeoutError.
        """
        async with AsyncExitStack() as held:
            async with asyncio.timeout(seconds):
                for stream_id in sorted({*stream_ids}):
                    lock = self._turns.setdefault(stream_id, [asyncio.Lock()])[0]
                    self._turns[stream_id].append(lock)
                    held.callback(self._left, stream_id)
                    await held.enter_async_context(lock)
            yield

    def _left(self, stream_id: str) -> None:
        self._turns[stream_id].pop()
        if len(self._turns[stream_id]) == 1:
            del self._turns[stream_id]


def _shorten(kept: OrderedDict[str, object] | OrderedDict[str, Tip] | OrderedDict[str, int]) -> None:
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
