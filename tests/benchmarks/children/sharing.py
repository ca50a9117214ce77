"""One process whose threads, or tasks, append to one store at the same time."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from threading import Barrier, Thread
from typing import Final
from uuid import uuid4

import evstore.aio
from evstore import EventData, connect
from tests.benchmarks.children.application import DATA, STREAMS

WARM: Final = 3
"""Appends of each before the clock runs, so that all connections are there."""


def _streams() -> list[str]:
    return [f"Order-{uuid4()}" for _ in range(STREAMS)]


def threads(url: str, writers: str, seconds: str) -> float:
    """The seconds of an append, all threads taken together."""
    counts: list[int] = []
    start = Barrier(int(writers))

    def write(store: evstore.EventStore) -> None:
        streams = _streams()
        for stream in streams[:WARM]:
            store.append(stream, [EventData("OrderPlaced", DATA)])
        start.wait(60)
        count, end = 0, time.monotonic() + float(seconds)
        while time.monotonic() < end:
            store.append(streams[count % STREAMS], [EventData("OrderPlaced", DATA)])
            count += 1
        counts.append(count)

    with closing(connect(url)) as store:
        running = [Thread(target=write, args=(store,)) for _ in range(int(writers))]
        for each in running:
            each.start()
        for each in running:
            each.join()
    return float(seconds) / sum(counts)


def tasks(url: str, writers: str, seconds: str) -> float:
    """The seconds of an append, all tasks taken together."""

    async def write(store: evstore.aio.EventStore, start: asyncio.Event) -> int:
        streams = _streams()
        for stream in streams[:WARM]:
            await store.append(stream, [EventData("OrderPlaced", DATA)])
        ready.append(stream)
        if len(ready) == int(writers):
            start.set()
        await start.wait()
        count, end = 0, time.monotonic() + float(seconds)
        while time.monotonic() < end:
            await store.append(streams[count % STREAMS], [EventData("OrderPlaced", DATA)])
            count += 1
        return count

    async def main() -> int:
        start = asyncio.Event()
        async with evstore.aio.connect(url) as store:
            return sum(await asyncio.gather(*(write(store, start) for _ in range(int(writers)))))

    ready: list[str] = []
    return float(seconds) / asyncio.run(main())
