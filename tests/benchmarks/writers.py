"""How many appends a second PostgreSQL takes from 1, 8 and 16 writers, side by side with other ways to do it.

    python -m tests.benchmarks.writers --rounds 5 --seconds 4

Each writer is a process with one connection, and appends one event at a time to streams of its own. The ways take
turns, round after round, on one server with its usual durability; what counts is the ratio of their medians:

- evstore;
- evstore with the lock held until the append is on disk, as if the procedure had one transaction;
- the `eventsourcing` library, where it is installed.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from evstore import EventData, connect
from tests.support import changed_procedures, long_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

    from tests.support.servers import Server

DATA: Final = {"orderId": "order-1", "customer": "cust-1", "items": [{"sku": "SKU-1", "quantity": 2}] * 4}
STREAMS: Final = 20
"""Of each writer."""


def evstore(url: str) -> Callable[[], object]:
    store = connect(url, pool_size=1)
    streams = [f"Order-{uuid4()}" for _ in range(STREAMS)]
    turn = iter(range(sys.maxsize))
    return lambda: store.append(streams[next(turn) % STREAMS], [EventData("OrderPlaced", DATA)])


def recorder_of(url: str) -> Any:
    """What `eventsourcing` stores events with."""
    from eventsourcing.postgres import (  # type: ignore[import-not-found]
        PostgresApplicationRecorder,
        PostgresDatastore,
    )

    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    datastore = PostgresDatastore(
        dbname=parts.path[1:],
        host=asked.get("host", [parts.hostname or ""])[0],
        port=asked.get("port", [str(parts.port or 5432)])[0],
        user=parts.username or "",
        password=parts.password or "",
        pool_size=1,
        max_overflow=0,
        originator_id_type="uuid",
    )
    return PostgresApplicationRecorder(datastore, events_table_name="benchmark_events")


def eventsourcing(url: str) -> Callable[[], object]:
    from eventsourcing.persistence import StoredEvent  # type: ignore[import-not-found]

    recorder = recorder_of(url)
    streams = [[uuid4(), 0] for _ in range(STREAMS)]
    turn = iter(range(sys.maxsize))

    def append() -> None:
        stream = streams[next(turn) % STREAMS]
        stream[1] += 1
        state = json.dumps(DATA).encode()
        recorder.insert_events([StoredEvent(stream[0], stream[1], "OrderPlaced", state)])

    return append


WAYS: Final = {"evstore": evstore, "lock over the flush": evstore, "eventsourcing": eventsourcing}


def _write(way: str, url: str, seconds: float, start: Barrier, counted: list[int]) -> None:
    append = WAYS[way](url)
    for _ in range(20):
        append()
    start.wait(60)
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        append()
        count += 1
    counted.append(count)


def rate(way: str, url: str, writers: int, seconds: float) -> float:
    """Appends a second of so many writers together."""
    context = get_context("fork")
    with context.Manager() as manager:
        counted = manager.list()
        start = context.Barrier(writers)
        processes = [
            context.Process(target=_write, args=(way, url, seconds, start, counted)) for _ in range(writers)
        ]
        for each in processes:
            each.start()
        for each in processes:
            each.join()
            assert each.exitcode == 0
        return sum(counted) / seconds


def places(server: Server) -> dict[str, str]:
    """Where each way stores its events."""
    found = {}
    for way in ("evstore", "lock over the flush"):
        schema = server.schema()
        with closing(connect(server.url(schema))) as store:
            store.initialize()
        if way != "evstore":
            changed_procedures.with_the_lock_held_over_the_flush(server, schema)
        found[way] = server.url(schema)
    if find_spec("eventsourcing"):
        found["eventsourcing"] = server.url()
        recorder_of(server.url()).create_table()  # once: it does not stand several at a time
    return found


def main() -> int:
    asked = long_runs.arguments(__doc__, rounds=5, seconds=4.0)
    with long_runs.server_of(asked.on) as server:
        print(f"PostgreSQL {server.version}, {asked.rounds} rounds of {asked.seconds:g} s")
        urls = places(server)
        for writers in (1, 8, 16):
            rates: dict[str, list[float]] = {way: [] for way in urls}
            for _ in range(asked.rounds):
                for way, url in urls.items():
                    rates[way].append(rate(way, url, writers, asked.seconds))
            ours = median(rates["evstore"])
            for way, found in rates.items():
                spread = f"{min(found):,.0f} to {max(found):,.0f}"
                print(
                    f"{writers:3} writers  {way:20} {median(found):8,.0f}/s  ({spread})  evstore {ours / median(found):.2f} x"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
