"""Measure appends to a store on NATS JetStream beside the floor: bare batches of the same two messages.

    python -m tests.benchmarks.on_nats --rounds 5 --writers 8

Three nodes on this machine keep three replicas and sync every message. The floor sends each batch with the guards that
evstore sends, over one connection, and looks at nothing. Both take turns; the medians of their rates are printed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import ArgumentParser
from contextlib import closing
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import nats

from evstore import NO_STREAM, EventData, connect
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from evstore import EventStore

DATA: Final = {"sku": "A-1", "quantity": 3, "note": "x" * 90}
BODY: Final = json.dumps(DATA).encode()


def of_evstore(store: EventStore, writers: int, seconds: float) -> float:
    """Appends a second of threads that share a store, each on a stream of its own."""
    end = time.monotonic() + seconds
    counts = [0] * writers

    def work(number: int) -> None:
        stream_id, version = f"Bench-{uuid4()}", NO_STREAM
        while time.monotonic() < end:
            store.append(stream_id, [EventData("Added", DATA)], version)
            version += 1
        counts[number] = version

    threads = [Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


async def _batches(url: str, name: str, writers: int, seconds: float) -> int:
    connection = await nats.connect(url)
    end = time.monotonic() + seconds

    async def work() -> int:
        subject, last, count = f"{name}.e.Bench.{uuid4()}", 0, 0
        while time.monotonic() < end:
            batch, guard = {"Nats-Batch-Id": uuid4().hex}, "Nats-Expected-Last-Subject-Sequence"
            first = batch | {"Nats-Batch-Sequence": "1", guard: str(last)}
            await connection.publish(subject, BODY, headers=first)
            commit = batch | {"Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1", guard: "0"}
            answer = await connection.request(f"{name}.i.{uuid4()}", b"", timeout=5, headers=commit)
            last = json.loads(answer.data)["seq"] - 1
            count += 1
        return count

    done = await asyncio.gather(*(work() for _ in range(writers)))
    await connection.close()
    return sum(done)


def main() -> int:
    parser = ArgumentParser("python -m tests.benchmarks.on_nats", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    with closing(NatsCluster()) as cluster:
        url = cluster.place()
        with connect(url) as store:
            store.initialize()
            name, leader = url.rpartition("/")[2], cluster.leader_of(url)
            rates: dict[str, list[float]] = {"bare batches": [], "evstore": []}
            for _ in range(asked.rounds):
                bare = asyncio.run(_batches(leader.url, name, asked.writers, asked.seconds))
                rates["bare batches"].append(bare / asked.seconds)
                rates["evstore"].append(of_evstore(store, asked.writers, asked.seconds))
    for what, found in rates.items():
        print(f"{what}: {median(found):.0f} a second, median of {', '.join(f'{each:.0f}' for each in found)}")
    print(f"evstore / bare: {median(rates['evstore']) / median(rates['bare batches']):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
