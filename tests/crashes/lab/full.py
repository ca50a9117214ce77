"""The disk is full at any moment, and every append is acknowledged and there, or refused as such and not there.

    python -m tests.crashes.lab.full --runs 20 --seed 7

Appends by library and command, a consumer, a projection and redactions go on over a disk that gets full and has room
again: SQLite on a file system without room (for root), by the largest size of a file, and by the most pages of a
database; PostgreSQL in a tablespace without room (for root). A seed repeats what is asked.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg

import evstore
from evstore import ANY_VERSION, StorageFullError, StoredEvent, connect
from evstore.adapters.sqlite.errors import FULL
from evstore.cli.exits import CODES
from tests.crashes.lab import recorded
from tests.crashes.lab.checker import check
from tests.crashes.lab.full_disks import MOUNTED, NO_MOUNT, SQLITE, may_mount, on_a_small_tablespace
from tests.crashes.lab.history import History, Invoked, Part, Sent, Stored, Withdrawn
from tests.crashes.lab.load import envelope
from tests.crashes.lab.result import Counts, total
from tests.crashes.lab.unredacted import appends_of_redactions, misfits, restored
from tests.crashes.lab.verdict import Verdict
from tests.support import long_runs
from tests.support.projected import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore import EventStore
    from tests.crashes.lab.full_disks import Disk, Place
    from tests.crashes.lab.history import Record

CALM: Final = 5
"""Appends before the disk is full, and after."""
MOST_SHOWN: Final = 20


@evstore.event
@dataclass(frozen=True)
class Filled:
    note: str


class Positions(evstore.Projection):
    """The position of each event, once."""

    name, version = "positions", 1

    def create(self, tx: Any) -> None:
        tx.execute(f"CREATE TABLE {tx.table('positions')} (position INTEGER PRIMARY KEY, note TEXT)")

    @evstore.when
    def filled(self, event: Filled, stored: StoredEvent, tx: Any) -> None:
        note = event.note[:2000]
        tx.execute(f"INSERT INTO {tx.table('positions')} VALUES ({stored.global_position}, '{note}')")


class Profile(NamedTuple):
    runs: int
    seed: int
    attempts: int = 60
    """Appends and other deeds while the disk is full."""


@dataclass
class Figures:
    way: str
    seed: int
    runs: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """What was refused because the disk was full."""
    events: int = 0
    found: list[Counts] = field(default_factory=list)
    """Those of the log of each run."""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def counts(self) -> Counts:
        return total(self.found)._replace(faults=tuple(self.faults))

    def __str__(self) -> str:
        kinds = sorted(self.acknowledged | self.refused)
        done = ", ".join(f"{kind} {self.acknowledged[kind]} and {self.refused[kind]}" for kind in kinds)
        head = f"{self.way}: runs {self.runs}, seed {self.seed}, {self.seconds:.1f} s; done and refused: {done}"
        return "\n".join([f"{head}; events {self.events}; faults {len(self.faults)}", *self.faults[:MOST_SHOWN]])


class Run:
    """One store over one full disk."""

    def __init__(self, place: Place, random: Random, figures: Figures) -> None:
        self._place, self._random, self._figures = place, random, figures
        self._records: list[Record] = []
        self._ids: list[str] = []
        self._begun: set[str] = set()
        self._redacted: set[str] = set()
        self._handled: list[int] = []

    def work(self, attempts: int) -> None:
        deeds: dict[Callable[[EventStore], None], int] = {
            self._append: 12, self._consume: 2, self._project: 2, self._redact: 2
        }  # fmt: skip
        if self._place.command:
            deeds[self._append_by_command] = 1
        with connect(self._place.url) as store:
            store.initialize(tamper_evident=self._random.random() < 0.5)
            self._calm(store)
            refused = self._figures.refused["append"]
            with self._place.fill(store, self._random):
                for deed in self._random.choices([*deeds], [*deeds.values()], k=attempts):
                    self._try(deed, store)
                while self._figures.refused["append"] == refused:  # until it is full, however little was asked
                    self._try(self._append, store)
            before = self._figures.refused.copy()
            self._calm(store)
            if self._figures.refused != before:
                self._fault("refused although there is room again")
            self._judge(store)

    def _calm(self, store: EventStore) -> None:
        for _ in range(CALM):
            self._try(self._append, store)
        self._try(self._consume, store)
        self._try(self._project, store)

    def _fault(self, sentence: str) -> None:
        self._figures.faults.append(f"run {self._figures.runs}: {sentence}")

    def _try(self, deed: Callable[[EventStore], None], store: EventStore) -> None:
        kind = deed.__name__.strip("_").replace("_", " ")
        try:
            deed(store)
        except StorageFullError:
            self._figures.refused[kind] += 1
        else:
            self._figures.acknowledged[kind] += 1

    def _parts(self, count: int) -> tuple[Part, ...]:
        size = self._random.choice((10, 1_000, 10_000))
        ids = [f"{self._random.getrandbits(48):012x}" for _ in range(count)]
        note = json.dumps({"note": self._random.randbytes(size // 2).hex()})  # nothing that could be compressed
        return tuple(
            Part(
                f"Order-{self._random.randrange(9)}",
                ANY_VERSION,
                (Sent(f"00000000-0000-4000-8000-{each}", "Filled", note),),
            )
            for each in ids
        )

    def _append(self, store: EventStore) -> None:
        op = f"append-{len(self._records)}"
        parts = self._parts(self._random.randrange(1, 30))
        try:
            recorded.append(store, self._records.append, op, parts)
        except StorageFullError:
            self._records.append(Withdrawn(op, monotonic_ns()))
            raise
        self._ids += [part.events[0].id for part in parts]

    def _append_by_command(self, _: EventStore) -> None:
        assert self._place.command is not None
        op = f"command-{len(self._records)}"
        parts = self._parts(self._random.randrange(1, 30))
        self._records.append(Invoked(op, monotonic_ns(), parts))
        with self._place.command.start("append", "--many", "-", "--db", self._place.url, stdin=-1) as process:
            out, err = process.communicate(b"".join(map(envelope, parts)))
        if process.returncode == CODES["io"] and not out:
            self._records.append(Withdrawn(op, monotonic_ns()))
            raise StorageFullError(err.decode())
        if process.returncode:
            self._fault(f"evstore append ended with {process.returncode}: {err.decode()}")
            return
        receipt = json.loads(out)
        self._records.append(
            Stored(op, monotonic_ns(), receipt["firstGlobalPosition"], duplicate=receipt["duplicate"])
        )

    def _consume(self, store: EventStore) -> None:
        def handle(events: Sequence[StoredEvent]) -> None:
            self._handled += [event.global_position for event in events]

        store.consumer("mailer").run(handle, batch_size=5, once=True)

    def _project(self, store: EventStore) -> None:
        try:
            store.projection(Positions).run(once=True, batch_size=5)
        except (sqlite3.OperationalError, psycopg.errors.DiskFull) as error:  # of the projection's own statement
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_FULL) & 0xFF not in FULL:
                raise
            raise StorageFullError(str(error)) from error

    def _redact(self, store: EventStore) -> None:
        left = [each for each in self._ids if each not in self._begun]
        if not left:
            return
        event_id = self._random.choice(left)
        self._begun.add(event_id)
        store.redact([event_id], "asked for")
        self._redacted.add(event_id)

    # --- at the end ---

    def _judge(self, store: EventStore) -> None:
        log = list(store.replay())
        self._figures.events += len(log)
        for each in [*store.verify(engine=self._is_sqlite), *misfits(log)]:
            self._fault(f"verify: {each}")
        history = History.of([*self._records, *appends_of_redactions(log)])
        whole = restored(self._records, self._begun, log)
        found = Verdict(history=history, log=whole, findings=check(history, whole), damage=[]).counts
        self._figures.found.append(found._replace(skipped=None))
        for each in found.faults:
            self._fault(each)
        redacted = {event.id for event in log if event.redacted}
        if redacted != self._redacted:
            self._fault(f"redacted {redacted}, but {self._redacted} was said to be")
        last = store.consumers.get("mailer").global_position
        if last != len(log) or sorted({*self._handled}) != [*range(1, last + 1)]:
            self._fault(f"the consumer is at {last} of {len(log)}, and was handed {len({*self._handled})} events")
        reader = Reader(self._place.reader)
        with closing(reader.connection):
            rows = {position for (position,) in reader.rows("SELECT position FROM positions")}
        filled = {event.global_position for event in log if event.type == "Filled"}
        if not filled >= rows >= {each for each in filled if not log[each - 1].redacted}:
            self._fault(f"the projection has {len(rows)} rows of {len(log)} events")

    @property
    def _is_sqlite(self) -> bool:
        return self._place.url.startswith("sqlite:")


def fills(way: str, disk: Disk, folder: Path, profile: Profile) -> Figures:
    """So many stores, each on a disk of its own that gets full."""
    start = time.monotonic()
    figures = Figures(way, profile.seed)
    for number in range(profile.runs):
        with TemporaryDirectory(dir=folder) as made, disk(Path(made)) as place:
            Run(place, Random(f"{profile.seed} {number}"), figures).work(profile.attempts)
        figures.runs += 1
    figures.seconds = time.monotonic() - start
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, runs=20, attempts=60)
    profile = Profile(asked.runs, asked.seed, asked.attempts)
    mounts = may_mount()
    with TemporaryDirectory(prefix="evstore-full-") as folder, long_runs.server_of(asked.on) as server:
        disks = {way: disk for way, disk in SQLITE.items() if mounts or way not in MOUNTED}
        if mounts:
            disks[f"PostgreSQL {server.version}, small tablespace"] = partial(on_a_small_tablespace, server)
        else:
            print(NO_MOUNT)
        found = [fills(way, disk, Path(folder), profile) for way, disk in disks.items()]
    for each in found:
        print(each)
    return 0 if all(each.ok for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
