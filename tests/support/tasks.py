"""What several tests of the store for asyncio do."""

from __future__ import annotations

import asyncio

import evstore.aio
from evstore import EventData
from tests.support.waiting import PATIENCE

EVENT = EventData("Counted", {"n": 1})


async def append(store, stream_id, count):
    for _ in range(count):
        await store.append(stream_id, [EVENT])


async def until(what):
    """Return once it is true; for what nobody announces."""
    while not what():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def with_store(url, main, **options):
    """The result of a coroutine function that gets an empty store."""
    async with evstore.aio.connect(url, **options) as store:
        await store.initialize()
        return await main(store)


def in_loop(coroutine):
    """The result of a coroutine, in a loop of its own."""
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))
