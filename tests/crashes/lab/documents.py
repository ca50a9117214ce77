"""Writers of a store on MongoDB are killed, and so is its server, and no acknowledged event is lost.

    python -m tests.crashes.lab.documents --seconds 60 --writers 16 --seed 7

Each writer is a process that goes on until it is killed (-9), and another one takes its place. The server is FerretDB
with its SQLite backend; it is killed (-9) too, and starts again with what it kept. A follower goes on all the while.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab.figures import figures_beside
from tests.crashes.lab.history import Followed
from tests.crashes.lab.summary import FOLLOWER
from tests.crashes.lab.victims import Worker
from tests.support.long_runs import a_seed
from tests.support.mongo_servers import FerretServer, an_own_server

if TYPE_CHECKING:
    from tests.crashes.lab.figures import Figures
    from tests.crashes.lab.history import Record

START_SECONDS: Final = 60.0
DOWN_SECONDS: Final = 0.3
TIMEOUT: Final = 60.0


class Profile(NamedTuple):
    seconds: float
    writers: int
    seed: int
    most_pause: float = 1.0
    """Seconds between two kills, at most."""
    of_server: float = 0.2
    """The part of the kills that is the server's."""


class Run:
    """One store on a server, and what is done to both."""

    def __init__(self, server: FerretServer, folder: Path, profile: Profile, pool: ThreadPoolExecutor) -> None:
        self._server, self._folder, self._profile, self._pool = server, folder, profile, pool
        self.url = server.place()
        self.records: list[Record] = []
        self.killed = self.restarted = 0
        self._rng = Random(profile.seed)
        self._hired = 0
        self._ends: list[Future[bool]] = []
        self._workers: list[Worker] = []
        self._followed = 0

    def tell(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, Followed):
            self._followed = max(self._followed, record.seen.position)

    def _started(self, worker: Worker) -> Worker:
        self._workers.append(worker)
        self._ends.append(self._pool.submit(worker.run))
        return worker

    def _writer(self) -> Worker:
        self._hired += 1
        words = ("--names", "0", "--seed", f"{self._profile.seed}/{self._hired}", "--insistent")
        return self._started(Worker(self._folder, self.tell, "write", self.url, f"w{self._hired}", *words))

    def _follower(self, *words: str, code: int = -SIGKILL) -> Worker:
        after = str(max(0, self._followed - 1))  # one event that it had at the least comes again
        words = ("follow", self.url, FOLLOWER, "--after", after, *words)
        return self._started(Worker(self._folder, self.tell, *words, code=code))

    def work(self) -> None:
        """Kill one after the other until the time is over, then all; and let a follower come to the end."""
        try:
            self._disturb()
        finally:
            for each in self._workers:
                each.kill()
        self.killed = sum(end.result(START_SECONDS) for end in self._ends)
        with connect(self.url, timeout=TIMEOUT) as store:
            head = store.head()
        self._follower("--to", str(head), code=0)
        self._ends[-1].result(START_SECONDS)

    def _disturb(self) -> None:
        writers = [self._writer() for _ in range(self._profile.writers)]
        follower = self._follower()
        if not follower.acknowledged.wait(START_SECONDS):  # which has a first append to hand on
            raise TimeoutError(f"no acknowledgement in {START_SECONDS:g} s")
        deadline = time.monotonic() + self._profile.seconds
        while time.monotonic() < deadline:
            time.sleep(self._rng.uniform(0, self._profile.most_pause))
            if self._rng.random() < self._profile.of_server:
                self._server.kill()
                self.restarted += 1
                time.sleep(DOWN_SECONDS)
                self._server.start()
            else:
                number = self._rng.randrange(len(writers))
                writers[number].kill()
                writers[number] = self._writer()

    def judged(self) -> Figures:
        profile = self._profile
        with connect(self.url, timeout=TIMEOUT) as store:
            damage = [f"{found.kind}: {found.message}" for found in store.verify()]
            figures = figures_beside(
                self.records,
                store,
                damage,
                title=f"{profile.writers} writers for {profile.seconds:g} s, seed {profile.seed}",
                happened={"processes killed": self.killed, "servers killed": self.restarted},
            )
        figures.findings = [each for each in figures.findings if " was handed " not in each.sentence]
        return figures


def documents_run(server: FerretServer, folder: Path, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left."""
    with ThreadPoolExecutor(4 * profile.writers + int(4 * profile.seconds) + 8) as pool:
        run = Run(server, folder, profile, pool)
        with connect(run.url) as store:
            store.initialize()
        run.work()
        return run.judged()


def main() -> int:
    parser = ArgumentParser("python -m tests.crashes.lab.documents", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--seed", type=int, default=a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with closing(an_own_server()) as server, TemporaryDirectory(prefix="evstore-documents-") as folder:
        figures = documents_run(server, Path(folder), Profile(asked.seconds, asked.writers, asked.seed))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
