"""How long an event takes from an append in one process to a follower in another, and what a follower costs that waits.

    python -m tests.benchmarks.latency [--events 200] [--idle 20]

Median and longest of some hundred events, appended one by one with a pause between, on SQLite and on PostgreSQL over a
direct connection; and the share of a core that an idle follower uses.
"""

from __future__ import annotations

import resource
import sys
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from evstore import EventData, connect
from tests.support.installed_postgres import KINDS
from tests.support.long_runs import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_CONTEXT = get_context("spawn")


def follow(url: str, events: int, idle: float, told: Connection) -> None:
    """Follow the log; report each delay in seconds, then the share of a core that waiting took."""
    with connect(url) as store:
        told.send("ready")
        following = store.subscribe(after=0)
        for _, event in zip(range(events), following, strict=False):
            told.send(time.monotonic() - event.data)
        used = _cpu()
        begun = time.monotonic()
        for _ in store.subscribe(after=events, timeout=idle):
            raise AssertionError("nobody appends now")
        told.send((_cpu() - used) / (time.monotonic() - begun))


def _cpu() -> float:
    found = resource.getrusage(resource.RUSAGE_SELF)
    return found.ru_utime + found.ru_stime


def measure(url: str, events: int, idle: float) -> tuple[list[float], float]:
    """The delays in seconds, and the share of a core that the idle follower used."""
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=follow, args=(url, events, idle, there), daemon=True)
    process.start()
    assert here.recv() == "ready"
    chance = Random(events)
    delays = []
    with connect(url) as store:
        for _ in range(events):
            time.sleep(chance.uniform(0.05, 0.15))
            store.append("Order-1", [EventData("Placed", time.monotonic())])
            delays.append(here.recv())
    share = here.recv()
    process.join()
    return delays[5:], share


@contextmanager
def _places(folder: Path) -> Iterator[list[tuple[str, str]]]:
    with server_of(KINDS[0].name) as server:
        yield [("SQLite", f"sqlite:{folder}/events.db"), (KINDS[0].name, server.place())]


def main() -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--idle", type=float, default=20.0)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="evstore-latency-") as folder, _places(Path(folder)) as places:
        for name, url in places:
            with connect(url) as store:
                store.initialize()
            delays, share = measure(url, asked.events, asked.idle)
            shown = f"median {median(delays) * 1000:.1f} ms, longest {max(delays) * 1000:.1f} ms"
            print(f"{name}: {shown} of {len(delays)} events; an idle follower used {share:.2%} of a core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
