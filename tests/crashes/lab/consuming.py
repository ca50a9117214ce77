"""Consumers are killed again and again while others append, and no event is missed, and none handled twice too often.

    python -m tests.crashes.lab.consuming --database sqlite --kills 200 --kind plain

A consumer writes down each event that it handles, apart from the store; then what it wrote is held against the log.
Every run handles consecutive events of the log, from the checkpoint on; what comes twice was in a batch whose
consumer was killed. With --kind transactional, or appending, the effects are rows, or events, of the store: each
event has exactly one. A seed repeats what the lab chooses, not how the system lets processes run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from evstore import EventData, connect
from tests.crashes.lab.consumed import BATCH, PAUSE, SLOW, consume, table_of, write
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import ForkServerProcess

    from evstore import EventStore

KINDS: Final = ("plain", "transactional", "appending", "shell")
"""The bonds between what a handler does and the checkpoint; `shell` is `evstore subscribe --append`."""
HELD: Final = 9
REACT: Final = """
echo "$EVSTORE_GLOBAL_POSITION" >> "$0"
printf '{"streamId":"Answer-1","type":"Answered","data":%d}' "$EVSTORE_GLOBAL_POSITION"
"""
WRITERS: Final = 4
_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crashes.lab.consumed"])


class Profile(NamedTuple):
    kills: int
    kind: str
    seed: int
    longest: float = 0.5
    """Seconds, at most, from the first event that a consumer handles until it is killed."""
    forgets: bool = False
    """The checkpoint moves before the events are handled: the fault that must be found."""


class Outcome(NamedTuple):
    kills: int
    runs: int
    events: int
    handled: int
    again: int
    """Events that were handled more than once, each time counted."""
    faults: list[str]
    seconds: float
    missed: int = 0
    doubled: int | None = None
    """Effects in the store that came twice, where effects are kept there."""

    @property
    def counts(self) -> Counts:
        return Counts(self.events, None, self.doubled, None, self.missed, None, tuple(self.faults))

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, consumers killed {self.kills}; events {self.events}, handled {self.handled}, "
            f"of them again {self.again} in batches of at most {BATCH}; faults {len(self.faults)}"
        )


class _Process:
    """A consumer, forked or started."""

    def __init__(self, process: ForkServerProcess | subprocess.Popen[bytes]) -> None:
        self._process = process

    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        process = self._process
        return process.poll() if isinstance(process, subprocess.Popen) else process.exitcode

    def ended(self, patience: float) -> int | None:
        """Its exit code, once it has ended."""
        process = self._process
        process.wait(patience) if isinstance(process, subprocess.Popen) else process.join(patience)
        return self.code()

    def kill(self) -> None:
        self._process.kill()
        self.ended(PATIENCE)


class Lab:
    """One store, its writers, and a consumer that is killed and started again."""

    def __init__(self, url: str, folder: Path, profile: Profile, let_go: Callable[[], None]) -> None:
        self._url, self._folder, self._profile = url, folder, profile
        self._let_go = let_go
        """Frees the hold of a killed process at once, where that takes a time else."""
        self._chance = Random(profile.seed)
        self._enough = folder / "enough"
        self._runs = 0
        self.kills = 0

    def run(self) -> None:
        """Kill consumers while writers append, then let one handle the rest."""
        with connect(self._url) as store:
            if self._profile.kind == "transactional":
                _with_table(store, self._url)
        pause = SLOW if self._profile.kind == "shell" else PAUSE
        writers = [self._start(write, self._url, who, str(self._enough), pause) for who in range(WRITERS)]
        try:
            for _ in range(self._profile.kills):
                consumer = self._begun()
                time.sleep(self._chance.uniform(0, self._profile.longest))
                consumer.kill()
                self._let_go()
                self.kills += 1
        finally:
            self._enough.touch()
            for each in writers:
                each.join(PATIENCE)
        last = self._begun(once=True)
        assert last.ended(10 * PATIENCE) == 0

    def _begun(self, *, once: bool = False) -> _Process:
        """A consumer that has handled an event, or may have found none."""
        self._runs += 1
        file = self._file(self._runs)
        while True:
            consumer = self._start_consumer(str(file), once=once)
            code = consumer.code
            wait_for(lambda code=code: code() is not None or (file.exists() and file.stat().st_size > 0))
            if consumer.code() != HELD:  # by a command of the one that was killed
                return consumer

    def _start_consumer(self, file: str, *, once: bool) -> _Process:
        if self._profile.kind == "shell":
            words = ["--db", self._url, "subscribe", "worker", "Work", "--append", *(["--once"] if once else [])]
            line = [sys.executable, "-m", "evstore", *words, "--", "sh", "-c", REACT, file]
            return _Process(subprocess.Popen(line, stderr=subprocess.DEVNULL))
        given = (self._url, file, self._profile.kind)
        return _Process(self._start(consume, *given, once=once, forgets=self._profile.forgets))

    def _start(self, target: Callable[..., None], *given: object, **named: object) -> ForkServerProcess:
        process = _CONTEXT.Process(target=target, args=given, kwargs=named, daemon=True)
        process.start()
        return process

    def _file(self, run: int) -> Path:
        return self._folder / f"run-{run}"

    def judged(self, seconds: float) -> Outcome:
        """Hold what was handled against the log."""
        with connect(self._url) as store:
            positions = [event.global_position for event in store.replay(["Work"])]
            effects = _effects(store, self._url, self._profile.kind)
        place = {position: n for n, position in enumerate(positions)}
        faults, handled, reached, again = [], 0, 0, 0
        met: set[int] = set()
        for run in range(1, self._runs + 1):
            file = self._file(run)
            texts = file.read_text().splitlines() if file.exists() else []
            places = [place[int(text)] for text in texts]
            handled += len(places)
            met.update(places)
            if places and places[0] > reached:
                faults.append(f"run {run} passed over {places[0] - reached} events")
            if places != [*range(places[0], places[0] + len(places))] if places else False:
                faults.append(f"run {run} did not handle consecutive events")
            again += max(0, reached - places[0]) if places else 0
            if places and reached - places[0] > BATCH:
                faults.append(f"run {run} handled {reached - places[0]} events again")
            reached = max(reached, places[-1] + 1) if places else reached
        if reached != len(positions):
            faults.append(f"{len(positions) - reached} events at the end were not handled")
        if effects is not None and effects != positions:
            missing, more = {*positions} - {*effects}, len(effects) - len({*effects})
            faults.append(f"effects: {len(missing)} are missing, {more} are doubled, or their order is wrong")
        doubled = None if effects is None else len(effects) - len({*effects})
        missed = len(positions) - len(met)
        return Outcome(self.kills, self._runs, len(positions), handled, again, faults, seconds, missed, doubled)


def _with_table(store: EventStore, url: str) -> None:
    store.consumer("table").run(
        lambda _, tx: tx.execute(f"CREATE TABLE IF NOT EXISTS {table_of(url)} (position bigint)"),
        1000,
        transactional=True,
        once=True,
    )


def _effects(store: EventStore, url: str, kind: str) -> list[int] | None:
    """The positions that effects in the store tell of."""
    if kind in ("appending", "shell"):
        return sorted(event.data for event in store.replay(["Answer"]))
    if kind == "plain":
        return None
    rows: list[int] = []
    store.append("Look-1", [EventData("Looked", {})])
    store.consumer("look", categories=["Look"]).run(
        lambda _, tx: rows.extend(
            n for (n,) in tx.execute(f"SELECT position FROM {table_of(url)} ORDER BY position")
        ),
        transactional=True,
        once=True,
    )
    return rows


def consumes(url: str, folder: Path, profile: Profile, let_go: Callable[[], None] = lambda: None) -> Outcome:
    """Run the profile on an empty store, and judge what is left."""
    with connect(url) as store:
        store.append("Work-0", [EventData("Done", {"n": 0})])
    start = time.monotonic()
    lab = Lab(url, folder, profile, let_go)
    lab.run()
    return lab.judged(time.monotonic() - start)


def expired(url: str) -> Callable[[], None]:
    """A function that lets the ten seconds of all leases pass, on a server."""
    import psycopg

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    schema = options.pop("schema", "evstore")
    conninfo = urlunsplit(parts._replace(query=urlencode(options)))

    def let_go() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(f"UPDATE {schema}.holds SET renewed_at = 0")

    return let_go


@contextmanager
def new_store(database: str, on: str, folder: Path) -> Iterator[str]:
    with long_runs.server_of(on) if database == "postgres" else nullcontext() as server:
        url = server.place() if server else f"sqlite:{folder / 'events.db'}"
        with connect(url) as store:
            store.initialize()
        yield url


def main() -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", default="sqlite", choices=["sqlite", "postgres"])
    parser.add_argument("--on", default="postgres-18")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kind", default="plain", choices=KINDS)
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with (
        TemporaryDirectory(prefix="evstore-consuming-") as place,
        new_store(asked.database, asked.on, Path(place)) as url,
    ):
        let_go = expired(url) if asked.database == "postgres" else lambda: None
        outcome = consumes(url, Path(place), Profile(asked.kills, asked.kind, asked.seed), let_go)
    print(f"{asked.database}, {asked.kind}: {outcome}")
    for fault in outcome.faults:
        print(fault)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
