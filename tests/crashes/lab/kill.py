"""Writers and a follower are killed at random moments, again and again, and no acknowledged event is lost.

    python -m tests.crashes.lab.kill --cycles 100 --writers 3 --seed 7 --database postgres

A seed repeats what the processes are told and when they are killed, not how the system lets them run.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab import history, recorded
from tests.crashes.lab.checker import Finding, check
from tests.crashes.lab.gaps import gaps
from tests.crashes.lab.history import Followed, History
from tests.crashes.lab.load import Load
from tests.crashes.lab.summary import FOLLOWER, Summary, damage_of
from tests.crashes.lab.victims import Commands, Worker
from tests.support import long_runs
from tests.support.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore import EventStore
    from tests.crashes.lab.history import Record
    from tests.support.servers import Server

MOST_DELAY: Final = 0.4
"""Seconds between the first acknowledgements and a kill, at most."""
START_SECONDS: Final = 60.0


class Profile(NamedTuple):
    cycles: int
    writers: int
    seed: int


@dataclass
class Run:
    """One store, and what has been done to it."""

    folder: Path
    profile: Profile
    url: str
    records: list[Record] = field(default_factory=list)
    killed: int = 0
    slowest_settling: float = 0.0
    followed: int = 0
    command_backend: str = ""
    _read_to: int = 0

    def __post_init__(self) -> None:
        self._rng = Random(self.profile.seed)

    def tell(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, Followed):
            self.followed = max(self.followed, record.seen.position)

    def work(self) -> None:
        made = Command(self.folder).ok("init", "--db", self.url)
        self.command_backend = json.loads(made.out)["backendVersion"]
        for number in range(self.profile.cycles):
            begin = len(self.records)
            self._cycle(number)
            self._settle(begin)
        self._catch_up()

    def _cycle(self, number: int) -> None:
        """All processes work; each is killed at a moment of its own, so that others see it die."""
        victims = self._start(number)
        with ThreadPoolExecutor(len(victims)) as pool:
            ends = [pool.submit(victim.run) for victim in victims]
            try:
                for victim in victims:
                    if not victim.acknowledged.wait(START_SECONDS):
                        raise TimeoutError(f"no acknowledgement in {START_SECONDS:g} s")
                begin = time.monotonic()
                moments = [begin + self._rng.uniform(0, MOST_DELAY) for _ in victims]
                for moment, victim in sorted(zip(moments, victims, strict=True), key=lambda pair: pair[0]):
                    time.sleep(max(0.0, moment - time.monotonic()))
                    victim.kill()
            finally:
                for victim in victims:
                    victim.kill()
        self.killed += sum(end.result() for end in ends)

    def _start(self, number: int) -> list[Worker | Commands]:
        # Behind a little less than it had, as a consumer whose checkpoint is older than what it has seen.
        after = max(0, self.followed - self._rng.randrange(30))
        victims: list[Worker | Commands] = [self._worker("follow", FOLLOWER, "--after", str(after))]
        for writer in range(self.profile.writers):
            who, seed = f"c{number}w{writer}", f"{self.profile.seed}/{number}/{writer}"
            if writer == self.profile.writers - 1:
                load = Load(Random(seed), f"{number}")
                victims.append(Commands(self.folder, self.tell, self.url, who, load))
            else:
                victims.append(self._worker("write", who, "--names", f"{number}", "--seed", seed))
        return victims

    def _worker(self, role: str, who: str, *words: str, code: int = -SIGKILL) -> Worker:
        return Worker(self.folder, self.tell, role, self.url, who, *words, code=code)

    def _settle(self, begin: int) -> None:
        """Sometimes the next processes find the store as it was left, sometimes this one reads or writes first."""
        cycle = History.of(self.records[begin:])
        unknown = [attempt for attempt in cycle.attempts if attempt.answer is None]

        def read(store: EventStore) -> None:
            after = max(0, self._read_to - self._rng.randrange(50))
            self._read_to = recorded.read(store, self.tell, after)

        def retry(store: EventStore) -> None:
            for attempt in unknown:
                recorded.append(store, self.tell, attempt.invoked.op + recorded.AGAIN, attempt.invoked.parts)

        choices: list[list[Callable[[EventStore], None]]] = [[], [read], [read, retry], [retry, read]]
        start = time.monotonic()
        with connect(self.url) as store:
            for step in self._rng.choice(choices):
                step(store)
        self.slowest_settling = max(self.slowest_settling, time.monotonic() - start)

    def _catch_up(self) -> None:
        with connect(self.url) as store:
            head = recorded.read(store, self.tell)
        # Behind one that it had at the least, so that something comes also when it has come to the end.
        after = str(max(0, self.followed - 1))
        self._worker("follow", FOLLOWER, "--after", after, "--to", str(head), code=0).run()


def kill(folder: Path, profile: Profile, server: Server | None = None) -> Summary:
    """Run the profile on a new store in the folder, or on the server, and judge what is left."""
    start = time.monotonic()
    path = folder / "events.db"
    schema = server.schema() if server else ""
    run = Run(folder, profile, server.url(schema) if server else f"sqlite:{path}")
    run.work()
    with connect(run.url) as store:
        log = list(store.replay())
        said = [str(each) for each in store.verify()]
    told = History.of(run.records)
    findings = check(told, log)
    if run.followed != len(log):
        findings.append(Finding(6, f"the follower ended at {run.followed}, the log at {len(log)}"))
    damage = [*said, *(gaps(server, schema) if server else damage_of(path, log))]
    if findings or damage:  # no seed brings the same history again
        with (folder / "history.jsonl").open("ab", buffering=0) as file:
            for record in run.records:
                history.tell(file.fileno(), record)
    own = f"PostgreSQL {server.version}" if server else f"SQLite {sqlite3.sqlite_version}"
    return Summary(
        title=(
            f"cycles {profile.cycles}, {profile.writers} writers and 1 follower each, seed {profile.seed}, "
            f"{time.monotonic() - start:.1f} s, {own} in the library and {run.command_backend} in the command"
        ),
        killed=run.killed,
        slowest_settling=run.slowest_settling,
        history=told,
        log=log,
        findings=findings,
        damage=damage,
    )


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--database", default="sqlite", choices=["sqlite", "postgres"])
    parser.add_argument("--on", default="postgres-18")
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make it, work there, leave the store")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    if asked.keep:
        asked.keep.mkdir()
    with (
        nullcontext(asked.keep.absolute()) if asked.keep else TemporaryDirectory(prefix="evstore-kill-") as folder
    ):
        with long_runs.server_of(asked.on) if asked.database == "postgres" else nullcontext() as server:
            summary = kill(Path(folder), Profile(asked.cycles, asked.writers, asked.seed), server)
        print(summary)
    return 0 if summary.ok else 1


if __name__ == "__main__":
    sys.exit(main())
