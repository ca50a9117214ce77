"""A mirror is killed at random moments, again and again, while two writers append to its store and one redacts; run
once more, it leaves an equal store.

    python -m tests.crashes.lab.mirrored --kills 20 --writers 2 --seed 7

Each way is tried: from SQLite to PostgreSQL, and back. A seed repeats what the writers append and when they redact,
not how the system lets them run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import EventData, connect
from evstore.errors import ConflictError, NotFoundError
from tests.crashes.lab.load import Load
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.command import Command
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore

MOST_DELAY: Final = 0.25
"""Seconds between the first event that a mirror stores and its end, at most."""
REDACTED: Final = 0.02
"""The part of the appends after which an event is redacted."""


class Profile(NamedTuple):
    kills: int
    writers: int
    seed: int


@dataclass
class Run:
    """Two stores, and what was done to them."""

    source: str
    target: str
    killed: int = 0
    behind: list[int] = field(default_factory=list)
    """At each kill, the number of positions that the mirror lacked."""
    redactions: int = 0
    events: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def counts(self) -> Counts:
        return Counts(self.events, faults=tuple(self.faults))

    def __str__(self) -> str:
        at_work = sum(each > 0 for each in self.behind)
        kinds = " to ".join(url.partition(":")[0] for url in (self.source, self.target))
        told = [
            f"{kinds}: {self.killed} kills in {self.seconds:.1f} s, {at_work} of them behind the log",
            f"  (by {max(self.behind, default=0)} positions at most)",
            f"  {self.events} events, {self.redactions} redactions; the stores are {'equal' if self.ok else 'NOT EQUAL'}",
        ]
        return "\n".join([*told, *(f"  {fault}" for fault in self.faults)])


def mirrored(folder: Path, source: str, target: str, profile: Profile) -> Run:
    """Kill a mirror from the one URL to the other, and judge what is left. Both stores are empty."""
    run = Run(source, target)
    begin = time.monotonic()
    command = Command(folder)
    rng = Random(profile.seed)
    with connect(source) as store, connect(target) as copy, _written(run, profile):
        wait_for(lambda: store.head() > 0)
        for _ in range(profile.kills):
            _kill(run, command, store, copy, rng.uniform(0, MOST_DELAY))
    _judge(run, command)
    run.seconds = time.monotonic() - begin
    return run


def _kill(run: Run, command: Command, store: EventStore, copy: EventStore, delay: float) -> None:
    """Start a mirror, and kill it once it has stored something, after a delay."""
    before = copy.head()
    mirror = command.start("--db", run.source, "mirror", run.target, "-q", stdout=subprocess.DEVNULL)
    with mirror:
        try:
            wait_for(lambda: mirror.poll() is not None or copy.head() > before)
            time.sleep(delay)
            run.behind.append(store.head() - copy.head())
        finally:
            mirror.kill()
        assert mirror.stderr is not None
        said = mirror.stderr.read().decode()
    if mirror.returncode != -9 or said:
        run.faults.append(f"a mirror ended with {mirror.returncode}: {said}")
    run.killed += 1


def _judge(run: Run, command: Command) -> None:
    """Mirror the rest, and compare: by the commands, by the events themselves, and by a verification."""
    rest = command("--db", run.source, "mirror", "--once", run.target)
    compared = command("--db", run.source, "diff", run.target)
    for done in (rest, compared):
        if done.code:
            run.faults.append(f"exit {done.code}: {done.out.decode()[:500]}{done.err[:500]}")
    with connect(run.source) as store, connect(run.target) as copy:
        run.events = copy.head()
        events = zip(store.replay(), copy.replay(), strict=False)
        different = next((here for here, there in events if here != there), None)
        if different or store.head() != copy.head():
            run.faults.append(f"read one after the other, the events differ, first at {different!r}")
        run.faults += [f"verify: {found}" for found in copy.verify()]
        run.redactions = copy.count(types=["EventsRedacted"])
    if not compared.code and json.loads(compared.out) != {"equal": True, "globalPosition": run.events}:
        run.faults.append(f"diff printed {compared.out!r}")


@contextmanager
def _written(run: Run, profile: Profile) -> Iterator[None]:
    """Writers at work, the first of whom redacts now and then what is there."""
    enough = Event()

    def write(number: int) -> None:
        rng = Random(f"{profile.seed}/{number}")
        load = Load(rng, "m")
        try:
            with connect(run.source) as store:
                while not enough.is_set():
                    parts = load.next()
                    writes = [
                        (p.stream_id, [EventData.from_json(e.type, e.data, id=e.id) for e in p.events], p.expected)
                        for p in parts
                    ]
                    try:
                        load.learn(parts, store.append_many(writes))
                    except (ConflictError, NotFoundError) as error:
                        load.learn(parts, error)
                    if number == 0 and rng.random() < REDACTED:
                        _redact(store, rng)
                    time.sleep(0.002)
        except BaseException as error:  # noqa: BLE001 - told below
            run.faults.append(f"a writer ended with {error!r}")

    threads = [Thread(target=write, args=(number,), daemon=True) for number in range(profile.writers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(PATIENCE)


def _redact(store: EventStore, rng: Random) -> None:
    """Redact a few events: some that a mirror has, and the newest, which it may be about to read."""
    head = store.head()
    old = store.replay(after=rng.randrange(head), limit=3)
    newest = store.replay(limit=2, backward=True, after=None)
    store.redact([event.id for event in (*old, *newest)], "a trial", metadata=rng.random() < 0.5)


def main() -> int:
    asked = long_runs.arguments(__doc__, kills=20, writers=2)
    profile = Profile(asked.kills, asked.writers, asked.seed)
    ok = True
    with long_runs.server_of(asked.on) as server, TemporaryDirectory(prefix="evstore-mirrored-") as made:
        for way in (0, 1):
            folder = Path(made) / str(way)
            folder.mkdir()
            places = [f"sqlite:{folder}/events.db", server.place()]
            for url in places:
                with connect(url) as store:
                    store.initialize()
            run = mirrored(folder, *(places if way == 0 else places[::-1]), profile)
            print(run, flush=True)
            ok = ok and run.ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
