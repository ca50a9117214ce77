"""Measure a store on NATS JetStream beside its floor: what nats-py does with the same messages, and nothing else.

    python -m tests.benchmarks.on_nats --rounds 5

Three nodes on this machine keep three replicas and sync every message. Both take turns; the medians of their rates
are printed. The works, of which `--only NAME` picks one:

  writers  threads that share a store, each on a stream of its own; the floor is as many tasks over one connection,
           whose batches of two messages have the guards that evstore sends
  writer   one of them
  units    units of a thousand events, in a cluster whose option admits them; the floor is the same batches
  replay   the log, beside an ordered consumer that counts the messages of events
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
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import nats

from evstore import NO_STREAM, EventData, connect
from tests.support.nats_servers import WIDE, NatsCluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.msg import Msg

    from evstore import EventStore

DATA: Final = {"sku": "A-1", "quantity": 3, "note": "x" * 90}
BODY: Final = json.dumps(DATA).encode()
LINE: Final = b"x" * 150
"""As long as the line of an event, which comes before its data."""
SECONDS: Final = 3.0
UNIT: Final = 1000
UNITS: Final = 10
REPLAYED: Final = 20_000
SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"


class Place(NamedTuple):
    store: EventStore
    name: str
    """Of its stream."""
    leader: str
    """The URL of the server that leads it."""


def of_evstore(place: Place, writers: int) -> float:
    """Appends a second of threads that share a store, each on a stream of its own."""
    end = time.monotonic() + SECONDS
    counts = [0] * writers

    def work(number: int) -> None:
        stream_id, version = f"Bench-{uuid4()}", NO_STREAM
        while time.monotonic() < end:
            place.store.append(stream_id, [EventData("Added", DATA)], version)
            version += 1
        counts[number] = version

    threads = [Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


async def _batch(connection: nats.NATS, place: Place, subject: str, last: int, events: int) -> int:
    """Store so many events in one batch, and return the sequence of the last."""
    batch = {"Nats-Batch-Id": uuid4().hex}
    for number in range(events):
        guard = {SEQUENCE: str(last)} if number == 0 else {}
        headers = batch | {"Nats-Batch-Sequence": str(2 * number + 1)} | guard
        await connection.publish(subject, LINE + BODY, headers=headers)
        headers = batch | {"Nats-Batch-Sequence": str(2 * number + 2), SEQUENCE: "0"}
        if number < events - 1:
            await connection.publish(f"{place.name}.i.{uuid4()}", b"", headers=headers)
    commit = headers | {"Nats-Batch-Commit": "1"}
    answer = await connection.request(f"{place.name}.i.{uuid4()}", b"", timeout=10, headers=commit)
    return int(json.loads(answer.data)["seq"]) - 1


def of_batches(place: Place, writers: int) -> float:
    async def work(connection: nats.NATS) -> int:
        subject, last, count = f"{place.name}.e.Bench.{uuid4()}", 0, 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            last = await _batch(connection, place, subject, last, 1)
            count += 1
        return count

    async def works() -> int:
        connection = await nats.connect(place.leader)
        counts = await asyncio.gather(*(work(connection) for _ in range(writers)))
        await connection.close()
        return sum(counts)

    return asyncio.run(works()) / SECONDS


def units_of_evstore(place: Place) -> float:
    """Events a second."""
    begin = time.monotonic()
    for _ in range(UNITS):
        place.store.append(f"Bench-{uuid4()}", [EventData("Added", DATA) for _ in range(UNIT)], NO_STREAM)
    return UNIT * UNITS / (time.monotonic() - begin)


def units_of_batches(place: Place) -> float:
    async def work() -> float:
        connection = await nats.connect(place.leader)
        begin = time.monotonic()
        for _ in range(UNITS):
            await _batch(connection, place, f"{place.name}.e.Bench.{uuid4()}", 0, UNIT)
        seconds = time.monotonic() - begin
        await connection.close()
        return UNIT * UNITS / seconds

    return asyncio.run(work())


def replay_of_evstore(place: Place) -> float:
    begin = time.monotonic()
    count = sum(1 for _ in place.store.replay())
    return count / (time.monotonic() - begin)


def replay_of_consumer(place: Place) -> float:
    async def work() -> float:
        connection = await nats.connect(place.leader)
        count, done, all_of_them = 0, asyncio.Event(), place.store.head()

        async def take(_message: Msg) -> None:
            nonlocal count
            count += 1
            if count == all_of_them:
                done.set()

        begin = time.monotonic()
        await connection.jetstream().subscribe(f"{place.name}.e.>", ordered_consumer=True, cb=take)
        await done.wait()
        seconds = time.monotonic() - begin
        await connection.close()
        return count / seconds

    return asyncio.run(work())


WORKS: Final[dict[str, tuple[Callable[[Place], float], Callable[[Place], float]]]] = {
    "writers": (lambda place: of_batches(place, 8), lambda place: of_evstore(place, 8)),
    "writer": (lambda place: of_batches(place, 1), lambda place: of_evstore(place, 1)),
    "units": (units_of_batches, units_of_evstore),
    "replay": (replay_of_consumer, replay_of_evstore),
}


def measured(cluster: NatsCluster, work: str, rounds: int) -> tuple[list[float], list[float]]:
    """The rates of the floor and of evstore."""
    url = cluster.place()
    floor, ours = WORKS[work]
    rates: tuple[list[float], list[float]] = ([], [])
    with connect(url) as store:
        store.initialize()
        place = Place(store, url.rpartition("/")[2], cluster.leader_of(url).url)
        if work == "replay":
            for at in range(0, REPLAYED, UNIT):
                store.append(f"Bench-{at}", [EventData("Added", DATA) for _ in range(UNIT)])
        for _ in range(rounds):
            rates[0].append(floor(place))
            rates[1].append(ours(place))
    return rates


def main() -> int:
    assert __doc__
    parser = ArgumentParser("python -m tests.benchmarks.on_nats", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=WORKS)
    asked = parser.parse_args()
    with closing(NatsCluster(**WIDE)) as cluster:
        for work in [asked.only] if asked.only else WORKS:
            floor, ours = measured(cluster, work, asked.rounds)
            shown = [f"{median(each):.0f} ({', '.join(f'{n:.0f}' for n in each)})" for each in (floor, ours)]
            print(f"{work}: {median(ours) / median(floor):.2f}; floor {shown[0]}, evstore {shown[1]} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
