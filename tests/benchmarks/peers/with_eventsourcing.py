"""The recorders of `eventsourcing`, which take events as ready bytes: `with_eventsourcing.py FUNCTION WORD...`."""

from __future__ import annotations

import sys
import time
from itertools import count
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_URL, uuid4, uuid5

from eventsourcing.persistence import StoredEvent  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

PAGE = 1000
STREAMS = 20
STATE = (
    b'{"orderId":"order-1","customer":"cust-1","items":['
    + b",".join([b'{"sku":"SKU-1","quantity":2}'] * 4)
    + b"]}"
)


def on_sqlite(path: str) -> Any:
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore  # type: ignore[import-not-found]

    recorder = SQLiteApplicationRecorder(SQLiteDatastore(path))
    recorder.create_table()
    return recorder


def on_postgres(url: str, table: str, *, create: bool = True) -> Any:
    from eventsourcing.postgres import PostgresApplicationRecorder  # type: ignore[import-not-found]

    recorder = PostgresApplicationRecorder(_datastore(url, originator_id_type="uuid"), events_table_name=table)
    if create:
        recorder.create_table()
    return recorder


def _datastore(url: str, **options: str) -> Any:
    from eventsourcing.postgres import PostgresDatastore

    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    return PostgresDatastore(
        dbname=parts.path[1:],
        host=asked.get("host", [parts.hostname or ""])[0],
        port=asked.get("port", [str(parts.port or 5432)])[0],
        user=parts.username or "",
        password=parts.password or "",
        pool_size=1,
        max_overflow=0,
        **options,
    )


def _events(path: str | Path) -> list[StoredEvent]:
    """The input as events of this library, whose state is the text of data and metadata."""
    import json

    versions: dict[str, int] = {}
    events = []
    with open(path, "rb") as file:
        for line in file:
            found = json.loads(line)
            stream = found["streamId"]
            versions[stream] = versions.get(stream, 0) + 1
            kept = {"data": found["data"], "metadata": found.get("metadata", {})}
            state = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
            events.append(StoredEvent(uuid5(NAMESPACE_URL, stream), versions[stream], found["type"], state))
    return events


def _insert_pages(recorder: Any, path: str) -> float:
    events = _events(path)
    pages = [events[at : at + PAGE] for at in range(0, len(events), PAGE)]
    start = time.perf_counter()
    for page in pages:
        recorder.insert_events(page)
    return time.perf_counter() - start


def many_sqlite(path: str, lines: str) -> float:
    return _insert_pages(on_sqlite(path), lines)


def many_postgres(url: str, table: str, lines: str) -> float:
    return _insert_pages(on_postgres(url, table), lines)


def _one_by_one(recorder: Any) -> Iterator[None]:
    """Insert an event each time, in turn to a few streams."""
    streams = [uuid4() for _ in range(STREAMS)]
    for version in count(1):
        for stream in streams:
            recorder.insert_events([StoredEvent(stream, version, "OrderPlaced", STATE)])
            yield


def _each(recorder: Any, appends: int) -> float:
    inserts = _one_by_one(recorder)
    for _ in range(STREAMS):
        next(inserts)
    start = time.perf_counter()
    for _ in range(appends):
        next(inserts)
    return (time.perf_counter() - start) / appends


def one_sqlite(path: str, appends: str) -> float:
    return _each(on_sqlite(path), int(appends))


def one_postgres(url: str, table: str, appends: str) -> float:
    return _each(on_postgres(url, table), int(appends))


def on_boundaries(url: str, table: str) -> Any:
    """The recorder for dynamic consistency boundaries."""
    from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT  # type: ignore[import-not-found]

    recorder = PostgresDCBRecorderTT(_datastore(url), events_table_name=table)
    recorder.create_table()
    return recorder


def fill_boundaries(url: str, table: str, lines: str) -> float:
    """Append the input, each event with its stream as a tag, and count its events."""
    from eventsourcing.dcb.api import DCBEvent  # type: ignore[import-not-found]

    recorder = on_boundaries(url, table)
    events = [
        DCBEvent(type=each.topic, data=each.state, tags=[str(each.originator_id)]) for each in _events(lines)
    ]
    for at in range(0, len(events), PAGE):
        recorder.append(events[at : at + PAGE])
    return len(events)


def conditional_postgres(url: str, table: str, appends: str) -> float:
    """The seconds of an append of one event, whose tag no event after the position three before the head may have."""
    from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem

    recorder = on_boundaries(url, table)
    start, last = 0.0, 0
    for number in range(STREAMS + int(appends)):
        if number == STREAMS:
            start = time.perf_counter()
        tag = f"order:{number % STREAMS}"
        query = DCBQuery(items=[DCBQueryItem(tags=[tag])])
        condition = DCBAppendCondition(fail_if_events_match=query, after=max(0, last - 3))
        last = recorder.append(
            [DCBEvent(type="OrderPlaced", data=STATE, tags=[tag])], condition if number >= STREAMS else None
        )
    return (time.perf_counter() - start) / int(appends)


def _write(url: str, table: str, seconds: float, start: Barrier, counted: Any) -> None:
    inserts = _one_by_one(on_postgres(url, table, create=False))
    for _ in range(STREAMS):
        next(inserts)
    start.wait(60)
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        next(inserts)
        done += 1
    counted.put(done)


def writers_postgres(url: str, table: str, writers: str, seconds: str) -> float:
    """The seconds of an insert, with so many processes at a time."""
    on_postgres(url, table)
    context = get_context("fork")
    start, counted = context.Barrier(int(writers)), context.Queue()
    given = (url, table, float(seconds), start, counted)
    processes = [context.Process(target=_write, args=given) for _ in range(int(writers))]
    for each in processes:
        each.start()
    total: int = sum(counted.get(timeout=float(seconds) + 120) for _ in processes)
    for each in processes:
        each.join()
    return float(seconds) / total


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
