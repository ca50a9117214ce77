"""Measure the engines side by side, and print the table of the guide's page on them.

    python -m tests.benchmarks.engines --rounds 3

All servers run on this machine, and wait for their disks. In each round the engines take turns; a new process works on
a new store of each. The figures are medians of the rounds:

  one       appends a second of one thread, each of one event, to one stream
  eight     the same of eight threads that share a store, each to a stream of its own
  bulk      events a second, in units as large as the engine takes, 1000 at most
  replay    events a second of the whole log
  follower  milliseconds from before an append until a follower in another process has its event
  client    MiB of memory at the most, of the process that did all this but follow
  servers   MiB of memory of all processes of the servers, after the last round
"""

from __future__ import annotations

import os
import platform
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import ANY_VERSION, EventData, connect
from tests.benchmarks import latency
from tests.support.clusters import ANY_STANDBY, cluster
from tests.support.installed_postgres import KINDS
from tests.support.long_runs import server_of
from tests.support.mongo_servers import FerretServer, a_server
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from evstore import EventStore

DATA: Final = {"sku": "A-1", "quantity": 3, "note": "x" * 90}
THREADS: Final = 8
MOST_IN_UNIT: Final = 1000
IDLE: Final = 0.1
ROWS: Final = {
    "one": "one thread, appends a second",
    "eight": "eight threads, appends a second",
    "bulk": "bulk, events a second",
    "replay": "replay, events a second",
    "follower": "append until a follower has it, ms",
    "client": "memory of the process, MiB",
    "servers": "memory of all servers, MiB",
}
_CONTEXT: Final = get_context("spawn")


class Amounts(NamedTuple):
    """The work of a round."""

    seconds: float
    events: int
    """In bulk."""
    followed: int


class Engine(NamedTuple):
    """A kind of store."""

    name: str
    place: Callable[[], str]
    """The URL of a new place."""
    pids: Callable[[], list[int]]
    """The processes that lead those of its servers."""


# --- a process that works ---


def _appends(store: EventStore, seconds: float, streams: Sequence[str]) -> float:
    """Appends a second of as many threads as there are streams."""
    counts = [0] * len(streams)
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            store.append(streams[number], [EventData("Added", DATA)], ANY_VERSION)
            counts[number] += 1

    begin = time.perf_counter()
    threads = [Thread(target=work, args=(number,)) for number in range(len(streams))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin)


def _bulk(store: EventStore, events: int) -> float:
    size = store.appender.most_at_once(MOST_IN_UNIT)
    begin = time.perf_counter()
    for number, at in enumerate(range(0, events, size)):
        unit = [EventData("Added", DATA) for _ in range(min(size, events - at))]
        store.append(f"Bulk-{number}", unit, ANY_VERSION)
    return events / (time.perf_counter() - begin)


def _replay(store: EventStore) -> float:
    begin = time.perf_counter()
    count = sum(1 for _ in store.replay())
    return count / (time.perf_counter() - begin)


def _most_memory() -> float:
    """MiB that this process had at the most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("this system tells no peak of memory")


def work(url: str, amounts: Amounts, told: Connection) -> None:
    """Measure a new store at this place, and tell each figure by its name."""
    with connect(url) as store:
        store.initialize()
        store.append("Bench-0", [EventData("Added", DATA)])
        found = {
            "one": _appends(store, amounts.seconds, ["Bench-0"]),
            "eight": _appends(store, amounts.seconds, [f"Bench-{n}" for n in range(THREADS)]),
            "bulk": _bulk(store, amounts.events),
            "replay": _replay(store),
        }
    told.send(found | {"client": _most_memory()})


# --- the run ---


def measured(engine: Engine, amounts: Amounts) -> dict[str, list[float]]:
    """The samples of one round, of each figure."""
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=work, args=(engine.place(), amounts, there), daemon=True)
    process.start()
    there.close()
    found = {name: [figure] for name, figure in here.recv().items()}
    process.join()
    if engine.name != "memory":
        url = engine.place()
        with connect(url) as store:
            store.initialize()
        delays, _ = latency.measure(url, amounts.followed, IDLE)
        found["follower"] = [each * 1000 for each in delays]
    return found


def memory_of(pids: Sequence[int]) -> float:
    """MiB of these processes and their children; what several share is counted once."""
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    chosen = {*pids}
    while more := {pid for pid, parent in parents.items() if parent in chosen} - chosen:
        chosen |= more
    total = 0
    for pid in chosen:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@contextmanager
def engines() -> Iterator[list[Engine]]:
    """Those that can be had here."""
    with ExitStack() as ends:
        folder = ends.enter_context(TemporaryDirectory(prefix="evstore-engines-"))
        numbers = iter(range(10**6))
        server = ends.enter_context(server_of(KINDS[0].name))
        servers = ends.enter_context(cluster(server, synchronous_standby_names=ANY_STANDBY))
        nats = ends.enter_context(closing(NatsCluster()))
        found = [
            Engine("memory", lambda: "memory:", list),
            Engine("SQLite", lambda: f"sqlite:{folder}/{next(numbers)}.db", list),
            Engine("PostgreSQL", server.place, lambda: [server.daemon.pid]),
            Engine(
                "PostgreSQL with standbys",
                lambda: servers.url(server.new_schema()),
                lambda: [node.daemon.pid for node in servers.nodes],
            ),
            Engine("NATS, three nodes", nats.place, lambda: [node.pid for node in nats.nodes]),
        ]
        try:
            mongodb = ends.enter_context(closing(a_server()))
        except pytest.skip.Exception as reason:
            print(reason, file=sys.stderr)
        else:
            own = [mongodb.pid] if isinstance(mongodb, FerretServer) else []
            found.append(Engine("MongoDB by FerretDB" if own else "MongoDB", mongodb.place, lambda: own))
        yield found


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """The figures as a table of the guide."""
    rows = [["work", *found], ["---"] * (len(found) + 1)]
    rows += [[words, *(_shown(of.get(name, [])) for of in found.values())] for name, words in ROWS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("| --- ", "|---").replace("|--- |", "|---|")


def _shown(samples: Sequence[float]) -> str:
    if not samples:
        return "-"
    figure = median(samples)
    return f"{figure:.1f}" if figure < 100 else f"{float(f'{figure:.3g}'):,.0f}"


def main(words: Sequence[str] | None = None) -> int:
    assert __doc__
    parser = ArgumentParser("python -m tests.benchmarks.engines", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of appends one by one (default: 2)")
    parser.add_argument("--events", type=int, default=10_000, help="in bulk (default: 10000)")
    parser.add_argument("--followed", type=int, default=30, help="events that a follower gets (default: 30)")
    asked = parser.parse_args(words)
    amounts = Amounts(asked.seconds, asked.events, asked.followed)
    with engines() as each_engine:
        found: dict[str, dict[str, list[float]]] = {engine.name: {} for engine in each_engine}
        for number in range(asked.rounds):
            for engine in each_engine:
                print(f"round {number + 1}: {engine.name}", file=sys.stderr, flush=True)
                for name, samples in measured(engine, amounts).items():
                    found[engine.name].setdefault(name, []).extend(samples)
        for engine in each_engine:
            if pids := engine.pids():
                found[engine.name]["servers"] = [memory_of(pids)]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, load {os.getloadavg()[1]:.1f}"
    print(f"Measured on {datetime.now(UTC):%Y-%m-%d} ({machine}), medians of {asked.rounds} rounds:\n")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
