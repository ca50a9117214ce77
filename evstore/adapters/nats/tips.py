"""The ends of streams that this adapter wrote last, by which it judges without a look at the servers.

That is a guess: the guards of the batch refuse it if another has written meanwhile; then the servers are asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.judging import NEW
from evstore.model.versions import NO_STREAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

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
        self._busy: set[str] = set()
        self._left = asyncio.Event()
        """Set once, and then another one, when a turn is over."""

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

    def compare(self, tips: Mapping[str, Tip | None]) -> None:
        """Forget those that are no longer what the servers say: another has written to these streams."""
        for stream_id, tip in tips.items():
            if stream_id in self._tips and self._tips[stream_id] != tip:
                del self._tips[stream_id]
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
    async def turn(self, stream_ids: AbstractSet[str], seconds: float) -> AsyncIterator[None]:
        """Wait for what this adapter stores in the same streams: the batches would refuse each other.

        All of the streams are taken at once, so that no two wait for each other. Raises TimeoutError.
        """
        if not self._busy.isdisjoint(stream_ids):
            async with asyncio.timeout(seconds):
                while not self._busy.isdisjoint(stream_ids):
                    await self._left.wait()
        self._busy |= stream_ids
        try:
            yield
        finally:
            self._busy -= stream_ids
            self._left.set()
            self._left = asyncio.Event()


def _shorten(kept: OrderedDict[str, object] | OrderedDict[str, Tip] | OrderedDict[str, int]) -> None:
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
