"""What several tests of the store for asyncio do."""

from __future__ import annotations

import asyncio

from evstore import EventData

EVENT = EventData("Counted", {"n": 1})


async def append(store, stream_id, count):
    for _ in range(count):
        await store.append(stream_id, [EVENT])


async def until(what):
    """Return once it is true; for what nobody announces."""
    while not what():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
