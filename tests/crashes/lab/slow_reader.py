"""A reader works on one page for long while writers append: nothing of it stays open, and the log of SQLite stays small.

    python -m tests.crashes.lab.slow_reader --seconds 60

`--with-a-cursor` reads by an open cursor of SQLite instead, as another program might: then its log grows without end.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import EventData, connect
from tests.crashes.lab.result import Counts
from tests.support import long_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Server

FIRST: Final = 20
"""Events before the reader begins."""
SIZE: Final = 200_000
"""Characters of each event."""
LARGEST: Final = 8_000_000
"""Bytes of the log: SQLite merges it from 1,000 pages of 4,096 bytes on, and one append may come before that."""
LOOK: Final = 0.02
OPEN: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = %s AND (state LIKE 'idle in transaction%%' OR (state = 'idle' AND backend_xmin IS NOT NULL))
"""
NAME: Final = "slow-reader"


class Outcome(NamedTuple):
    seconds: float
    appended: int
    """Events while the reader worked on its page."""
    read: int
    largest: int
    """Bytes that SQLite's log had at most; 0 on PostgreSQL."""
    looks: int
    counts: Counts

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s on a page, {self.looks} looks; appended {self.appended} events of {SIZE} "
            f"characters meanwhile, read {self.read}; largest log {self.largest / 1e6:.1f} MB; {self.counts}"
        )


def _write(url: str, enough: Event) -> int:
    count = 0
    with connect(url) as store:
        while not enough.is_set():
            count += len(store.append(f"Order-{count % 9}", [EventData("Placed", "x" * SIZE)]))
    return count


def _events(url: str, path: str) -> Iterator[int]:
    """Positions as they come: by the library, or by a cursor of SQLite on the file at `path`."""
    if path:
        with closing(sqlite3.connect(path)) as connection:
            yield from (
                position for (position,) in connection.execute("SELECT position FROM log ORDER BY position")
            )
        return
    with connect(url) as store:
        yield from (event.global_position for event in store.subscribe(timeout=0))


def reads_slowly(url: str, seconds: float, look: Callable[[], tuple[int, str]], by_cursor: str = "") -> Outcome:
    """Take one event of a page, wait for so long while another thread appends, and read on. `look` tells the size of
    the log, and what is open that must not be."""
    faults: list[str] = []
    largest = looks = 0
    enough = Event()
    with connect(url) as store:
        store.initialize()
        store.append("Order-0", [EventData("Placed", "x" * SIZE) for _ in range(FIRST)])
    positions = _events(url, by_cursor)
    seen = [next(positions)]
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_write, url, enough)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not writing.done():
            size, fault = look()
            largest, looks = max(largest, size), looks + 1
            if fault and fault not in faults:
                faults.append(fault)
            time.sleep(LOOK)
        enough.set()
        appended = writing.result()
    seen += positions
    if largest > LARGEST:
        faults.append(f"the log of SQLite had {largest:,} bytes")
    skipped = sum(position != number for number, position in enumerate(seen, 1))
    acknowledged = FIRST + appended
    lost = 0 if by_cursor else acknowledged - len(seen)
    return Outcome(
        seconds,
        appended,
        len(seen),
        largest,
        looks,
        Counts(acknowledged, lost, None, None, skipped, None, tuple(faults)),
    )


def on_sqlite(folder: Path, seconds: float, *, by_cursor: bool = False) -> Outcome:
    path = folder / "events.db"
    log = Path(f"{path}-wal")

    def look() -> tuple[int, str]:
        return (log.stat().st_size if log.exists() else 0), ""

    return reads_slowly(f"sqlite:{path}", seconds, look, str(path) if by_cursor else "")


def on_postgres(server: Server, seconds: float) -> Outcome:
    with server.connect() as witness:

        def look() -> tuple[int, str]:
            row = witness.execute(OPEN, [NAME]).fetchone()
            return 0, "a transaction is open between two pages" if row != (0,) else ""

        return reads_slowly(server.place(application_name=NAME), seconds, look)


def main() -> int:
    parser = ArgumentParser("python -m tests.crashes.lab.slow_reader", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--with-a-cursor", action="store_true")
    parser.add_argument("--on", default="postgres-18")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="evstore-slow-reader-") as folder:
        found = [on_sqlite(Path(folder), asked.seconds, by_cursor=asked.with_a_cursor)]
    if not asked.with_a_cursor:
        with long_runs.server_of(asked.on) as server:
            found.append(on_postgres(server, asked.seconds))
    for each in found:
        print(each)
    return 0 if all(each.counts.ok for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
