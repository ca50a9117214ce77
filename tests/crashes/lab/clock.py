"""The clock jumps back and forth under writers, followers and consumers, and the order of events does not care.

    python -m tests.crashes.lab.clock --database postgres --seconds 30 --seed 7

On SQLite the clock of the writing processes jumps, on PostgreSQL that of the server, by up to ten years. Positions
are in the order of commits, what was acknowledged is there, ids that evstore makes are in order within a process, and
`verify` finds nothing. A seed repeats the jumps, not how the system lets the processes run.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import connect
from tests.crashes.lab.checker import Finding, check
from tests.crashes.lab.history import Followed, History, Invoked
from tests.crashes.lab.summary import FOLLOWER
from tests.crashes.lab.verdict import Verdict
from tests.crashes.lab.victims import Worker
from tests.support import long_runs
from tests.support.servers import another
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crashes.lab.history import Record
    from tests.support.servers import OwnServer, Server

NO_COMPILER: Final = "a clock that jumps is compiled, and there is no C compiler here"
SOURCE: Final = Path(__file__).with_name("clock.c")
STEPS: Final = (0.001, 1.0, 60.0, 3600.0, 86400.0, 10 * 365 * 86400.0)
"""Seconds of a jump, at most."""
WRITERS: Final = 2
MADE: Final = "made"
"""The name of the writer that leaves its ids to evstore."""
BETWEEN: Final = 0.2


class Profile(NamedTuple):
    seconds: float
    seed: int


class Clock:
    """The clock of the processes that are started with its environment."""

    def __init__(self, folder: Path) -> None:
        self._library, self._file = folder / "clock.so", folder / "clock"
        compiler = shutil.which("cc")
        if not compiler:
            pytest.skip(NO_COMPILER)
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run(words, check=True, capture_output=True)
        self.jumps = 0
        self.set(0.0)

    def set(self, seconds: float) -> None:
        """Let it be off by so many seconds."""
        kept = self._file.open("r+b") if self._file.exists() else self._file.open("xb")
        with kept as file:  # what was mapped stays mapped
            file.write(struct.pack("q", int(seconds * 1e9)))
        self.jumps += 1

    @property
    def env(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "EVSTORE_TEST_CLOCK": str(self._file)}


@contextmanager
def server_with(clock: Clock, server: Server) -> Iterator[OwnServer]:
    """Another server, whose clock this is."""
    with another(server) as own:
        own.stop()
        own.daemon.argv[:0] = ["env", *(f"{name}={value}" for name, value in clock.env.items())]
        own.start()
        yield own


class Run:
    """One store, and those who work on it."""

    def __init__(self, folder: Path, url: str, profile: Profile, clock: Clock) -> None:
        self._folder, self._url, self._profile, self.clock = folder, url, profile, clock
        self.records: list[Record] = []
        self._followed = 0

    def _tell(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, Followed):
            self._followed = record.seen.position

    def _victims(self, env: dict[str, str]) -> list[Worker]:
        words = [("follow", self._url, FOLLOWER)]
        for number in range(WRITERS + 1):
            made = number == WRITERS
            who, seed = MADE if made else f"w{number}", f"{self._profile.seed}/{number}"
            words.append(("write", self._url, who, "--names", "0", "--seed", seed, *(["--made"] if made else [])))
        return [Worker(self._folder, self._tell, *each, env=env) for each in words]

    def work(self, *, felt: bool) -> None:
        """Let the clock jump while all are at work. `felt`: by them, not by a server."""
        victims = self._victims(self.clock.env if felt else {})
        rng = Random(self._profile.seed)
        with ThreadPoolExecutor(len(victims)) as pool:
            ends = [pool.submit(victim.run) for victim in victims]
            try:
                for victim in victims:
                    assert victim.acknowledged.wait(PATIENCE)
                end = time.monotonic() + self._profile.seconds
                while time.monotonic() < end:
                    self.clock.set(rng.choice(STEPS) * rng.uniform(-1, 1))
                    time.sleep(rng.uniform(0, BETWEEN))
                for victim in victims[1:]:
                    victim.kill()
                for each in ends[1:]:
                    each.result(PATIENCE)
                with connect(self._url) as store:
                    head = store.head()
                wait_for(lambda: self._followed >= head)
            finally:
                for victim in victims:
                    victim.kill()

    def judged(self) -> Verdict:
        history = History.of(self.records)
        history.levels.clear()  # they are compared with the times of events
        with connect(self._url) as store:
            log = list(store.replay())
            verified = [f"verify: {each}" for each in store.verify()]
        verdict = Verdict(history=history, log=log, findings=check(history, log), damage=verified)
        ids = [
            sent.id
            for record in self.records
            if isinstance(record, Invoked) and record.op.startswith(MADE)
            for part in record.parts
            for sent in part.events
        ]
        back = sum(later <= earlier for earlier, later in pairwise(ids))
        if back:
            verdict.findings.append(Finding(2, f"{back} of {len(ids)} ids that were made are out of order"))
        if not sum(later.timestamp_us < earlier.timestamp_us for earlier, later in pairwise(log)):
            verdict.damage.append("no event is older than the one before it: the clock did not jump")
        return verdict


def jumps(folder: Path, profile: Profile, server: Server | None = None) -> tuple[Verdict, int]:
    """Run the profile on a new store in the folder, or on another server like this one. The verdict, and the number of
    jumps."""
    with ExitStack() as ends:
        place = server.account.new_folder() if server else folder  # type: ignore[attr-defined]
        clock = Clock(place)
        url = f"sqlite:{folder}/events.db"
        if server:
            url = ends.enter_context(server_with(clock, server)).place()
        with connect(url) as store:
            store.initialize(tamper_evident=profile.seed % 2 == 0)
        run = Run(folder, url, profile, clock)
        run.work(felt=not server)
        return run.judged(), clock.jumps


def main() -> int:
    asked = long_runs.arguments(__doc__, database="sqlite", seconds=30.0)
    on_a_server = asked.database != "sqlite"
    with (
        TemporaryDirectory(prefix="evstore-clock-") as folder,
        long_runs.server_of(asked.on) if on_a_server else nullcontext() as server,
    ):
        verdict, times = jumps(Path(folder), Profile(asked.seconds, asked.seed), server)
    print(f"{asked.database}: {times} jumps; {verdict.counts}")
    return 0 if verdict.counts.ok else 1


if __name__ == "__main__":
    sys.exit(main())
