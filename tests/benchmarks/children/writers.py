"""Several writers at the same time, each to streams of its own: processes with a store each, or threads of one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from evstore import EventData, connect
from tests.benchmarks.children.application import DATA, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

    from evstore import EventStore


class Written(NamedTuple):
    """The appends of a writer, and the seconds of the longest."""

    appends: int
    longest: float


def _write(url: str, seconds: float, start: Barrier, written: Any) -> None:
    with closing(connect(url)) as store:
        written.put(_appended(store, seconds, start.wait))


def _appended(store: EventStore, seconds: float, start: Callable[[float], object]) -> Written:
    streams = [f"Order-{uuid4()}" for _ in range(STREAMS)]
    for stream in streams:
        store.append(stream, [EventData("OrderPlaced", DATA)])
    start(60)
    count, longest, now = 0, 0.0, time.monotonic()
    end = now + seconds
    while now < end:
        began = now
        store.append(streams[count % STREAMS], [EventData("OrderPlaced", DATA)])
        now = time.monotonic()
        count, longest = count + 1, max(longest, now - began)
    return Written(count, longest)


def _written(url: str, writers: int, seconds: float) -> list[Written]:
    context = get_context("fork")
    start, written = context.Barrier(writers), context.Queue()
    processes = [context.Process(target=_write, args=(url, seconds, start, written)) for _ in range(writers)]
    for each in processes:
        each.start()
    found = [written.get(timeout=seconds + 120) for _ in processes]
    for each in processes:
        each.join()
    return found


def rate(url: str, writers: str, seconds: str) -> float:
    """The seconds of an append, all writers taken together."""
    return float(seconds) / sum(each.appends for each in _written(url, int(writers), float(seconds)))


def thread_rate(url: str, threads: str, seconds: str) -> float:
    """The seconds of an append, all threads of this process taken together."""
    start = threading.Barrier(int(threads))
    with closing(connect(url)) as store, ThreadPoolExecutor(int(threads)) as pool:
        written = [pool.submit(_appended, store, float(seconds), start.wait) for _ in range(int(threads))]
        return float(seconds) / sum(each.result().appends for each in written)


def longest_wait(url: str, writers: str, seconds: str) -> float:
    """The seconds of the longest append of any writer."""
    return max(each.longest for each in _written(url, int(writers), float(seconds)))
