"""An older backup takes the place of a store, and whoever is ahead of it is told.

    python -m tests.crashes.lab.restored --cycles 20 --seed 7

On SQLite consumers, a mirror and a digest had come to the end of the log; the backup is put in its place as the guide
says, and others append. On PostgreSQL the files of a stopped server are put back under writers, followers and
consumers at work, who are those of `failing_over`: nobody sees events of both logs. A seed repeats what is asked.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from evstore import EventData, LogDivergedError, SqliteCheckpoint, connect
from evstore.cli.exits import CODES
from tests.crashes.lab.failing_over import Profile
from tests.crashes.lab.losing import Losing, Outcome, loses
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.clusters import Cluster
from tests.support.command import Command
from tests.support.servers import another

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore import EventStore, StoredEvent
    from tests.support.servers import OwnServer, Server

ELSEWHERE: Final = "elsewhere"
PLAIN: Final = "plain"
EVERYBODY: Final = 5
"""On PostgreSQL: two followers, the command, and two consumers."""


@dataclass
class Figures:
    """The outcome on SQLite."""

    cycles: int = 0
    events: int = 0
    told: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        return Counts(self.events, faults=tuple(self.faults))

    def __str__(self) -> str:
        return "\n".join([f"restored {self.cycles} times, told {self.told} times", *self.faults[:20]])


class Cycle:
    """One store whose end is lost."""

    def __init__(self, folder: Path, random: Random, figures: Figures) -> None:
        self._folder, self._random, self._figures = folder, random, figures
        self._command = Command(folder)
        self._mirror = f"sqlite:{folder / 'mirror.db'}"
        self._handled: list[str] = []

    def _append(self, store: EventStore, count: int, type_: str) -> None:
        for _ in range(count):
            store.append(f"Order-{self._random.randrange(5)}", [EventData(type_, {})])
        self._figures.events += count

    def _handle(self, events: Sequence[StoredEvent]) -> None:
        self._handled += [event.id for event in events]

    def _consume(self, store: EventStore, name: str) -> None:
        if name != ELSEWHERE:
            store.consumer(name).run(self._handle, once=True)
            return
        with closing(sqlite3.connect(self._folder / "checkpoints.db", isolation_level=None)) as kept:
            store.consumer(name).run(self._handle, once=True, checkpoint=SqliteCheckpoint(kept))

    def run(self) -> None:
        number = self._random.randrange
        with connect(self._command.url) as store:
            store.initialize(tamper_evident=True)
            self._append(store, number(1, 20), "Kept")
            self._consume(store, PLAIN)
            kept = store.backup(self._folder / "backup.db").head
            self._append(store, number(1, 20), "Lost")
            for name in (PLAIN, ELSEWHERE):
                self._consume(store, name)
            seen = store.head()
            verification = store.verify()
            assert list(verification) == []
            digest = str(verification.digest)
        self._command.ok("init", "--db", self._mirror)
        self._command.ok("mirror", "--once", self._mirror)
        self._restore()
        with connect(self._command.url) as store:
            if after := number(2 * (seen - kept) + 1):
                self._append(store, after, "After")
            self._judge(store, kept, digest)

    def _restore(self) -> None:
        """As the guide says: the old files go first."""
        old = self._folder / "old"
        old.mkdir()
        for each in [*self._folder.glob("evstore.db*")]:
            os.rename(each, old / each.name)
        shutil.copy(self._folder / "backup.db", self._folder / "evstore.db")

    def _judge(self, store: EventStore, kept: int, digest: str) -> None:
        self._must_tell("a consumer whose checkpoint is elsewhere", lambda: self._consume(store, ELSEWHERE))
        self._must_exit(CODES["damaged"], "mirror", "--once", self._mirror)
        self._must_exit(1, "verify", "--expect", digest)
        before = len(self._handled)
        self._consume(store, PLAIN)  # its checkpoint went back with the log
        log = [event.id for event in store.replay()]
        if self._handled[before:] != log[kept:]:
            self._fault("a consumer whose checkpoint is in the store did not handle what came behind the backup")
        self._figures.faults += [f"verify: {each}" for each in store.verify()]

    def _must_tell(self, who: str, ask: Callable[[], Any]) -> None:
        try:
            found = ask()
        except LogDivergedError:
            self._figures.told += 1
        else:
            self._fault(f"{who} was not told, and got {found!r}")

    def _must_exit(self, code: int, *words: str) -> None:
        """The command must end with this exit code."""
        done = self._command(*words)
        self._figures.told += done.code == code
        if done.code != code:
            self._fault(f"{words} ended with {done.code} instead of {code}: {done.out!r} {done.err}")

    def _fault(self, sentence: str) -> None:
        self._figures.faults.append(f"cycle {self._figures.cycles}: {sentence}")


def restores(folder: Path, cycles: int, seed: int) -> Figures:
    """So many SQLite stores, each with an older backup in its place."""
    figures = Figures()
    for number in range(cycles):
        with TemporaryDirectory(dir=folder) as place:
            Cycle(Path(place), Random(f"{seed} {number}"), figures).run()
        figures.cycles += 1
    return figures


# --- PostgreSQL ---


class PutBack(Cluster):
    """A server whose files are put back to those of a copy, as a cluster that fails over to itself."""

    def __init__(self, server: OwnServer) -> None:
        super().__init__(server, [])
        self._data, self._copy = server.folder / "data", server.folder / "copy"

    def copy(self) -> None:
        """Keep the files as they are now."""
        self.primary.stop()
        self.primary.account.run("rm", "-rf", self._copy)
        self.primary.account.run("cp", "-a", self._data, self._copy)
        self.primary.start()

    def promote(self) -> None:
        """Start with the older files."""
        self.failovers += 1
        self.primary.account.run("rm", "-rf", self._data)
        self.primary.account.run("cp", "-a", self._copy, self._data)
        self.primary.start()

    def rebuild(self, former: OwnServer, *, rewinds: bool) -> None:
        """There is no other server."""


class Restoring(Losing):
    """A run in which the server stops for a copy of its files, goes on, stops, and begins again as that copy."""

    def _kill(self, way: str) -> OwnServer:
        assert isinstance(self._cluster, PutBack)
        # To begin with a store that cannot be reached is an error.
        self.common.is_up.set()
        self._all_are_beyond(0)
        self.common.is_up.clear()
        self._cluster.copy()
        copied = self.store.head()
        self.common.is_up.set()
        self._all_are_answered()
        self._all_are_beyond(copied)
        self.common.is_up.clear()
        return self._cluster.kill(way)

    def _all_are_beyond(self, head: int) -> None:
        """Wait until everybody has seen something behind it."""

        def reached() -> list[int]:
            handled = [each.batches[-1][-1] if each.batches else 0 for each in self.handling]
            return [*handled, *self.common.handed.values()]

        self._crew.until(lambda: len(reached()) == EVERYBODY and min(reached()) > head)


def restores_files(server: Server, cycles: int, seed: int) -> list[Outcome]:
    """So many stores on a server whose files are put back."""
    with another(server) as own:
        profile = Profile(1, seed, writers=2, pipes=0, followers=2, most_delay=0.3)
        run = partial(loses, PutBack(own), kind=Restoring)
        return [run(profile._replace(seed=seed + number)) for number in range(cycles)]


def main() -> int:
    asked = long_runs.arguments(__doc__, cycles=20)
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    with TemporaryDirectory(prefix="evstore-restored-") as folder, long_runs.server_of(asked.on) as server:
        figures = restores(Path(folder), asked.cycles, asked.seed)
        print(figures, flush=True)
        found = restores_files(server, asked.cycles, asked.seed)
    for each in found:
        print(each)
    return 1 if figures.faults or any(each.faults for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
