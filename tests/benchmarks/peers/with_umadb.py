"""The client of `umadb`, against a server that runs: `with_umadb.py FUNCTION WORD...`."""

from __future__ import annotations

import json
import sys
import time

import umadb  # type: ignore[import-not-found]

PAGE = 1000
STREAMS = 20
STATE = (
    b'{"orderId":"order-1","customer":"cust-1","items":['
    + b",".join([b'{"sku":"SKU-1","quantity":2}'] * 4)
    + b"]}"
)


def fill(url: str, path: str) -> float:
    """Append the input, and count its events."""
    client = umadb.Client(url)
    with open(path, "rb") as file:
        found = [json.loads(line) for line in file]
    events = [
        umadb.Event(
            event_type=each["type"],
            data=json.dumps([each["data"], each.get("metadata", {})], ensure_ascii=False).encode(),
            tags=[each["streamId"]],
        )
        for each in found
    ]
    for at in range(0, len(events), PAGE):
        client.append(events[at : at + PAGE])
    return len(events)


def read(url: str) -> float:
    """The seconds of reading the log as objects, and the data of each."""
    client = umadb.Client(url)
    start = time.perf_counter()
    for found in client.read():
        found.event.data  # noqa: B018 - what is measured
    return time.perf_counter() - start


def conditional(url: str, count: str) -> float:
    """The seconds of an append of one event, whose tag no event after the position three before the head may have."""
    client = umadb.Client(url)
    last = client.head() or 0
    start = 0.0
    for number in range(STREAMS + int(count)):
        if number == STREAMS:
            start = time.perf_counter()
        tag = f"order:{number % STREAMS}"
        query = umadb.Query(items=[umadb.QueryItem(tags=[tag])])
        condition = umadb.AppendCondition(query, after=max(0, last - 3))
        last = client.append(
            [umadb.Event(event_type="OrderPlaced", data=STATE, tags=[tag])],
            condition=condition if number >= STREAMS else None,
        )
    return (time.perf_counter() - start) / int(count)


def head(url: str) -> float:
    """The last position; fails until the server listens."""
    return float(umadb.Client(url).head() or 0)


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
