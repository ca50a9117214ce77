"""The file of a SQLite store is moved, removed, replaced or linked under processes that have it open.

    python -m tests.crashes.lab.moved --cycles 5 --seed 7

Writers and a follower are at work when it happens, and all must end with the error for a replaced store. What was
acknowledged lies in the file that they had open, wherever that is now, and nothing of it is in another file. A seed
repeats what is asked and when it happens, not how the system lets the processes run.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import EventData, connect
from evstore.cli.exits import CODES
from tests.crashes.lab.checker import Finding, check
from tests.crashes.lab.history import Attempt, History, Withdrawn
from tests.crashes.lab.result import Counts, total
from tests.crashes.lab.verdict import Verdict
from tests.crashes.lab.victims import Worker
from tests.support import long_runs
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crashes.lab.history import Record

STORE: Final = "events.db"
FILES: Final = ("", "-wal")
"""What is kept of the store, by its ends: the rest is made anew."""
KEPT: Final = "kept"
WRITERS: Final = 2
MOST_DELAY: Final = 0.3


class Profile(NamedTuple):
    cycles: int
    """Of each change."""
    seed: int


def moved(path: Path) -> None:
    """The store is renamed, file by file."""
    for name in sorted(each.name for each in path.parent.glob(f"{STORE}*")):
        os.rename(path.with_name(name), path.with_name(f"moved{name.removeprefix(STORE)}"))


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    """Another store takes its place, from which the old files were moved."""
    moved(path)
    os.replace(path.with_name("other.db"), path)


def replaced_by_a_backup(path: Path) -> None:
    """An older backup takes its place, in the same way."""
    moved(path)
    os.replace(path.with_name("backup.db"), path)


def linked(path: Path) -> None:
    """It gets a second name."""
    os.link(path, path.with_name("linked"))


def without_its_log(path: Path) -> None:
    path.with_name(f"{STORE}-wal").unlink()


def pointed_elsewhere(path: Path) -> None:
    """The symbolic link by which it was opened leads to another store."""
    new = path.with_name("new-link")
    new.symlink_to("other.db")
    os.replace(new, path.with_name("by-link.db"))


CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "moved": moved,
    "removed": removed,
    "replaced by another store": replaced,
    "replaced by an older backup": replaced_by_a_backup,
    "given a second name": linked,
    "without its log": without_its_log,
    "reached by a link that leads elsewhere": pointed_elsewhere,
}
STAYS: Final = "given a second name"
"""The change after which the store is still at its path: what was not acknowledged must not be in it."""


@dataclass
class Figures:
    change: str
    cycles: int = 0
    ended: int = 0
    """Processes that were told."""
    found: list[Counts] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        counted = total(self.found)
        return counted._replace(faults=(*counted.faults, *self.faults))

    def __str__(self) -> str:
        head = f"{self.change}: {self.cycles} cycles, {self.ended} processes were told; {self.counts[:-1]}"
        return "\n".join([head, *self.counts.faults[:20]])


class Cycle:
    """One store, and what is done to its file."""

    def __init__(self, folder: Path, change: str, seed: str) -> None:
        self._folder, self._change = folder, change
        self._rng = Random(seed)
        self._path = folder / STORE
        self.records: list[Record] = []
        opened = self._path
        if CHANGES[change] is pointed_elsewhere:
            opened = folder / "by-link.db"
            opened.symlink_to(STORE)
        self._url = f"sqlite:{opened}"

    def _prepare(self) -> None:
        with connect(f"sqlite:{self._folder / 'other.db'}") as other:
            other.initialize()
            other.append("Other-1", [EventData("Other", {})])
        with connect(f"sqlite:{self._path}") as store:
            store.initialize()
            store.backup(self._folder / "backup.db")

    def run(self) -> int:
        """Let it happen while all are at work. How many were told."""
        self._prepare()
        code = CODES["unavailable"]
        words = [("follow", "follower"), *(("write", f"w{number}") for number in range(WRITERS))]
        victims = [
            Worker(
                self._folder, self.records.append, role, self._url, who, "--names", "0", "--seed", who, code=code
            )
            for role, who in words
        ]
        with ThreadPoolExecutor(len(victims)) as pool:
            ends = [pool.submit(victim.run) for victim in victims]
            try:
                for victim in victims:
                    assert victim.acknowledged.wait(PATIENCE)
                time.sleep(self._rng.uniform(0, MOST_DELAY))
                kept = [(end, os.open(f"{self._path}{end}", os.O_RDONLY)) for end in FILES]
                CHANGES[self._change](self._path)
                for each in ends:
                    each.result(PATIENCE)
            finally:
                for victim in victims:
                    victim.kill()
        self._keep(kept)
        return len(victims)

    def _keep(self, files: list[tuple[str, int]]) -> None:
        """Copy the files that were open, wherever they are now, to a place of their own."""
        place = self._folder / KEPT
        place.mkdir()
        for end, descriptor in files:
            with open(descriptor, "rb") as file:
                (place / f"{STORE}{end}").write_bytes(file.read())

    def judged(self) -> Counts:
        """Hold what was told against the file that was open; and another at its place against what was told."""
        with connect(f"sqlite:{self._folder / KEPT / STORE}") as store:
            log = list(store.replay())
        history = History.of(self.records)
        if self._change != STAYS:  # a commit into a file that is elsewhere is told as not stored
            history.attempts = [_unanswered(each) for each in history.attempts]
        verdict = Verdict(history=history, log=log, findings=check(history, log), damage=[])
        verdict.findings += [Finding(2, f"{each} is in another store") for each in self._astray(log)]
        return verdict.counts

    def _astray(self, log: list[object]) -> list[object]:
        """Events of the store that are in the one that is now at its path, where that is another."""
        if self._change not in ("replaced by another store", "reached by a link that leads elsewhere"):
            return []
        with connect(self._url) as store:
            return [event for event in store.replay() if event.type != "Other"]


def _unanswered(attempt: Attempt) -> Attempt:
    return Attempt(attempt.invoked) if isinstance(attempt.answer, Withdrawn) else attempt


def moves(folder: Path, change: str, profile: Profile) -> Figures:
    """So many stores, each with this change."""
    figures = Figures(change)
    for number in range(profile.cycles):
        with TemporaryDirectory(dir=folder) as place:
            cycle = Cycle(Path(place), change, f"{profile.seed} {number}")
            try:
                figures.ended += cycle.run()
                figures.found.append(cycle.judged())
            except (ChildProcessError, TimeoutError) as error:
                figures.faults.append(f"cycle {number}: {error!r}")
        figures.cycles += 1
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, cycles=5)
    with TemporaryDirectory(prefix="evstore-moved-") as folder:
        found = [moves(Path(folder).resolve(), change, Profile(asked.cycles, asked.seed)) for change in CHANGES]
    for each in found:
        print(each)
    return 0 if all(each.counts.ok for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
