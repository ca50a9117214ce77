"""The library of evstore, as an application calls it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from evstore import AppendCondition, EventData, Query, connect

DATA: Final = {"orderId": "order-1", "customer": "cust-1", "items": [{"sku": "SKU-1", "quantity": 2}] * 4}
STREAMS: Final = 20
LENGTH: Final = 100
EARLIER: Final = 3
"""Events between what an append is decided on and its own."""


def objects(url: str) -> float:
    """The seconds of reading the log as objects, and the data's text of each."""
    with closing(connect(url)) as store:
        start = time.perf_counter()
        for event in store.replay():
            event.data_json  # noqa: B018 - what is measured
        return time.perf_counter() - start


def reads(url: str, count: str) -> float:
    """The seconds of reading 100 events, each time from another place of the log."""
    with closing(connect(url)) as store:
        head = store.head()
        places = [7919 * number % max(1, head - LENGTH) for number in range(int(count))]
        start = time.perf_counter()
        for place in places:
            for _ in store.replay(after=place, limit=LENGTH):
                pass
        return (time.perf_counter() - start) / int(count)


def durable_appends(url: str, count: str) -> float:
    """The seconds of an append of one event, in turn to a few streams."""
    streams = [f"Order-bench-{number}" for number in range(STREAMS)]
    with closing(connect(url)) as store:
        for stream in streams:
            store.append(stream, [EventData("OrderPlaced", DATA)])
        start = time.perf_counter()
        for number in range(int(count)):
            store.append(streams[number % STREAMS], [EventData("OrderPlaced", DATA)])
        return (time.perf_counter() - start) / int(count)


def tagged_appends(url: str, count: str, under: str) -> float:
    """The seconds of an append of one event with a tag, in turn to a few streams, each with a tag of its own.

    With `under` "condition", no event of this tag may stand after the position three before the head.
    """
    streams = [f"Order-bench-{number}" for number in range(STREAMS)]
    start, head = 0.0, 0
    with closing(connect(url)) as store:
        for number in range(STREAMS + int(count)):
            if number == STREAMS:
                start = time.perf_counter()
            tag = f"order:{number % STREAMS}"
            condition = AppendCondition(Query(tags=[tag]), head - EARLIER) if number >= STREAMS else None
            event = EventData("OrderPlaced", DATA, tags=[tag])
            unless = condition if under == "condition" else None
            head = store.append(streams[number % STREAMS], [event], unless=unless)[-1].global_position
        return (time.perf_counter() - start) / int(count)
