"""Measure appends to a store on MongoDB beside the floor: bare inserts of the same document.

    python -m tests.benchmarks.on_mongodb --rounds 5 --streams 1

The floor inserts the document of an append, with the same write concern and over one connection, and looks at nothing.
Both take turns; the medians of their rates are printed. `EVSTORE_TEST_MONGODB_URL` names the server, else it is
FerretDB; `--postgres URL` gives that a database of PostgreSQL in place of SQLite. `--processes 1 4 16` measures so
many that append at once instead, each to a stream of its own: all of them together, the least and the most of one, and
the longest wait of one.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import closing
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from evstore import EventData, connect
from tests.support.mongo_servers import FerretServer, a_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

    from tests.support.mongo_servers import MongoServer

DATA: Final = {"sku": "A-1", "quantity": 3, "note": "x" * 90}
PATIENCE: Final = 60.0
_CONTEXT: Final = get_context("spawn")


def rate(work: Callable[[], object], seconds: float) -> float:
    """So many times a second."""
    begin = time.perf_counter()
    count = 0
    while (now := time.perf_counter()) < begin + seconds:
        work()
        count += 1
    return count / (now - begin)


def _write(url: str, number: int, seconds: float, all_are_ready: Barrier, told: Any) -> None:
    """Append for so long, and tell how often, and the longest wait."""
    with connect(url, timeout=PATIENCE) as store:
        store.append(f"Bench-{number}", [EventData("Added", DATA)])
        all_are_ready.wait(PATIENCE)
        last = time.monotonic()
        end, count, longest = last + seconds, 0, 0.0
        while last < end:
            store.append(f"Bench-{number}", [EventData("Added", DATA)])
            now = time.monotonic()
            count, longest, last = count + 1, max(longest, now - last), now
    told.put((count, longest))


def at_once(server: MongoServer, processes: int, seconds: float) -> str:
    """The figures of so many processes, in words."""
    url = server.place()
    with connect(url) as store:
        store.initialize()
    ready, told = _CONTEXT.Barrier(processes), _CONTEXT.Queue()
    writers = [
        _CONTEXT.Process(target=_write, args=(url, number, seconds, ready, told), daemon=True)
        for number in range(processes)
    ]
    for each in writers:
        each.start()
    counts, waits = zip(*(told.get(timeout=2 * PATIENCE) for _ in writers), strict=True)
    for each in writers:
        each.join()
    rate_of_all = f"{sum(counts) / seconds:.1f} appends a second"
    return (
        f"{processes} at once: {rate_of_all}, {min(counts)} to {max(counts)} each, longest wait {max(waits):.2f} s"
    )


def main() -> int:
    parser = ArgumentParser("python -m tests.benchmarks.on_mongodb", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--streams", type=int, default=1, help="appends go round so many streams; 0: each a new one"
    )
    parser.add_argument("--postgres", default="", metavar="URL")
    parser.add_argument("--processes", type=int, nargs="+", default=[])
    asked = parser.parse_args()
    if asked.processes:
        with closing(FerretServer(asked.postgres) if asked.postgres else a_server()) as server:
            for processes in asked.processes * asked.rounds:
                print(at_once(server, processes, asked.seconds), flush=True)
            server.drop_places()
        return 0
    with closing(FerretServer(asked.postgres) if asked.postgres else a_server()) as server:
        url = server.place()
        with connect(url) as store, MongoClient(server.url) as client:
            store.initialize()
            store.append("Bench-0", [EventData("Added", DATA)])
            document = client[url.rpartition("/")[2]]["units"].find_one()
            durably = WriteConcern(w="majority", j=True)
            bare = client[f"T{uuid4().hex}"].get_collection("bare", write_concern=durably)
            count = 0

            def insert() -> None:
                bare.insert_one({**document, "_id": f"{time.perf_counter_ns():020d}"})

            def append() -> None:
                nonlocal count
                count += 1
                name = count % asked.streams if asked.streams else uuid4()
                store.append(f"Bench-{name}", [EventData("Added", DATA)])

            rates: dict[str, list[float]] = {"bare inserts": [], "evstore": []}
            for _ in range(asked.rounds):
                rates["bare inserts"].append(rate(insert, asked.seconds))
                rates["evstore"].append(rate(append, asked.seconds))
            client.drop_database(bare.database.name)
            print(_line("server", client.server_info()))
        server.drop_places()
    for what, found in rates.items():
        print(f"{what}: {median(found):.0f} a second, median of {', '.join(f'{each:.0f}' for each in found)}")
    print(f"evstore / bare: {median(rates['evstore']) / median(rates['bare inserts']):.2f}")
    return 0


def _line(what: str, info: dict[str, Any]) -> str:
    return f"{what}: {info.get('ferretdbVersion') or info.get('ferretdb') or info['version']}"


if __name__ == "__main__":
    sys.exit(main())
