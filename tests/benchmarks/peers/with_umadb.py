"""The client of `umadb`, against a server that runs: `with_umadb.py FUNCTION WORD...`."""

from __future__ import annotations

import json
import sys
import time

import umadb  # type: ignore[import-not-found]

PAGE = 1000


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


def head(url: str) -> float:
    """The last position; fails until the server listens."""
    return float(umadb.Client(url).head() or 0)


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
