"""Processes append under conditions over tags and types, are killed meanwhile, and no acknowledged condition is broken.

    python -m tests.crashes.lab.racing --database sqlite --seconds 60 --writers 16 --seed 7

Each process writes down what it asked for and what was acknowledged, apart from the store; then the log is read
once, and every append is held against it: positions 1, 2, 3…; what was acknowledged stands where it was
acknowledged; between `after` and its own position there is no event that its condition forbids; and streams had the
versions that it expected or required. A seed repeats what the writers choose, not how the system lets them run.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing, contextmanager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab.judged import judge
from tests.crashes.lab.racer import race, records_of
from tests.support import long_runs
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess

    from tests.crashes.lab.judged import Judgement

MOST_BETWEEN_KILLS: Final = 0.5
"""Seconds, at most."""
_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crashes.lab.racer"])


class Profile(NamedTuple):
    seconds: float
    writers: int
    seed: int
    too_early: bool = False
    """SQLite judges conditions before it may write: the fault that must be found."""


class Outcome(NamedTuple):
    killed: int
    judgement: Judgement
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, processes killed {self.killed}; {self.judgement}"


class Race:
    """One store, and the processes that write it."""

    def __init__(self, url: str, folder: Path, profile: Profile) -> None:
        self._url, self._folder, self._profile = url, folder, profile
        self._rng = Random(f"{profile.seed}")
        self._enough = folder / "enough"
        self._names: list[str] = []
        self.killed = 0

    def run(self) -> None:
        """Let them write, and kill one after the other, until the time is over."""
        running = [self._start() for _ in range(self._profile.writers)]
        try:
            wait_for(lambda: all(map(self._has_written, running)))
            end = time.monotonic() + self._profile.seconds
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, self._rng.uniform(0, MOST_BETWEEN_KILLS)))
                at = self._rng.randrange(len(running))
                if self._has_written(running[at]):
                    running[at].kill()
                    running[at].join(PATIENCE)
                    self.killed += 1
                    running[at] = self._start()
            self._enough.touch()
            for process in running:
                process.join(PATIENCE)
                assert process.exitcode == 0, (process.name, process.exitcode)
        finally:
            self._enough.touch()
            for process in running:
                process.kill()

    def _start(self) -> ForkServerProcess:
        who = f"w{len(self._names)}"
        self._names.append(who)
        given = (self._url, str(self._file(who)), who, f"{self._profile.seed}/{who}", str(self._enough))
        process = _CONTEXT.Process(
            target=race, args=given, kwargs={"too_early": self._profile.too_early}, name=who, daemon=True
        )
        process.start()
        return process

    def _file(self, who: str) -> Path:
        return self._folder / f"{who}.ndjson"

    def _has_written(self, process: ForkServerProcess) -> bool:
        file = self._file(process.name)
        return file.exists() and file.stat().st_size > 0

    def judged(self, seconds: float) -> Outcome:
        told = map(self._file, self._names)
        records = [each for file in told if file.exists() for each in records_of(file)]
        with connect(self._url) as store:
            return Outcome(self.killed, judge(records, list(store.replay())), seconds)


def races(url: str, folder: Path, profile: Profile) -> Outcome:
    """Run the profile on the store, and judge what is left."""
    start = time.monotonic()
    race_ = Race(url, folder, profile)
    race_.run()
    return race_.judged(time.monotonic() - start)


@contextmanager
def _new_store(database: str, on: str, folder: Path) -> Iterator[str]:
    with long_runs.server_of(on) if database == "postgres" else nullcontext() as server:
        url = server.place() if server else f"sqlite:{folder / 'events.db'}"
        with closing(connect(url)) as store:
            store.initialize()
        yield url


def main() -> int:
    asked = long_runs.arguments(__doc__, database="sqlite", seconds=60.0, writers=16)
    with (
        TemporaryDirectory(prefix="evstore-racing-") as place,
        _new_store(asked.database, asked.on, Path(place)) as url,
    ):
        outcome = races(url, Path(place), Profile(asked.seconds, asked.writers, asked.seed))
    print(f"{asked.database}: {outcome}")
    return 1 if outcome.judgement.violations else 0


if __name__ == "__main__":
    sys.exit(main())
