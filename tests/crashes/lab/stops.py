"""The server stops at any moment, again and again, and nothing that anybody was told is lost.

    python -m tests.crashes.lab.stops --cycles 30 --seed 7

Writers, readers and followers go on over every stop by themselves. In some cycles the disk is so slow that the
server stops when all have committed and nobody has flushed: what readers were shown then must be there, and what
writers were not told may be. A seed repeats what is asked and how the server ends, not how the system lets it run.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from random import Random
from signal import SIGKILL
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import psycopg

from evstore import ANY_VERSION, NO_STREAM, connect
from tests.crashes.lab import recorded
from tests.crashes.lab.crew import Common, Crew, Follower, Reader, Writer
from tests.crashes.lab.figures import figures_of
from tests.crashes.lab.history import Part, Sent
from tests.crashes.lab.load import Load
from tests.support import changed_procedures, long_runs
from tests.support.servers import another
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from concurrent.futures import Future

    from evstore import EventStore
    from tests.crashes.lab.figures import Figures
    from tests.support.servers import OwnServer

SETTINGS: Final = {"wal_writer_delay": 10_000}
"""What nobody flushes stays unflushed for long."""
CRASH: Final = "crash"
"""The death of one backend, for which the server ends all others, and recovers."""
WAYS: Final = ("immediate", "kill", CRASH)
HEAD: Final = "SELECT coalesce(max(global_position), 0) FROM {}.events"
LOOKS: Final = 5
"""How often each reader looks at what nobody but he has made durable."""
VICTIM: Final = """
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY random() LIMIT 1
"""


class Profile(NamedTuple):
    cycles: int
    seed: int
    writers: int = 8
    readers: int = 3
    followers: int = 3
    most_delay: float = 0.3
    """Seconds from the first acknowledgements to a stop, at most."""
    slow: float = 0.5
    """In which part of the cycles the disk is slow."""
    long: int = 0
    """Every so many cycles the server stays away until each writer has been told so. Never if backends alone die: from
    that it comes back by itself."""
    ways: tuple[str, ...] = WAYS
    judged_each: int = 1
    """Cycles after which the whole log is read and judged."""
    without: str = ""
    """Whose barrier is taken out: that of "writers", "refusals" or "readers"."""


WITHOUT: Final = {
    "": Profile(0, 0, most_delay=2.0, long=10),
    "writers": Profile(0, 0, readers=0, followers=0, slow=0.0, without="writers"),
    "refusals": Profile(0, 0, readers=0, followers=0, slow=1.0, without="refusals"),
    "readers": Profile(0, 0, slow=1.0, without="readers"),
}
"""What a longer run does, and how each missing barrier shows: where others have one, they mend it."""


class Run:
    """One store on a server of its own, and what is done to both."""

    def __init__(self, server: OwnServer, profile: Profile, ends: ExitStack) -> None:
        self._server, self._profile, self._ends = server, profile, ends
        self.schema = server.schema()
        self.store = self._connected()  # for who judges
        self.store.initialize()
        changed_procedures.with_a_gate(server, self.schema)
        if profile.without == "writers":
            changed_procedures.without_the_barrier_of_writers(server, self.schema)
        if profile.without == "refusals":
            changed_procedures.without_the_barrier_of_refusals(server, self.schema)
        if profile.without == "readers":
            ends.enter_context(changed_procedures.without_the_barrier_of_readers())
        self._gate = changed_procedures.Gate(server)
        self._rng = Random(profile.seed)
        self._crew = Crew()
        self.common = Common(self._crew)
        self.cycles = 0
        self.done = Counter[str]()
        self.slowest = 0.0
        """Seconds from the start of the server until every writer had an answer."""
        self._hire()

    def _connected(self, pool_size: int = 10) -> EventStore:
        return self._ends.enter_context(connect(self._server.url(self.schema), pool_size=pool_size))

    def _hire(self) -> None:
        """Half of the threads share stores, the others have one each, with a single connection as commands have."""
        profile, common = self._profile, self.common
        shared = self._connected()
        for number in range(profile.writers):
            rng = Random(f"{profile.seed} writer {number}")
            store = self._connected(1) if number % 2 else shared
            self._crew.hire(Writer(common, store, f"w{number}", Load(rng, "0"), rng).step)
        for number in range(profile.readers):
            rng = Random(f"{profile.seed} reader {number}")
            self._crew.hire(Reader(common, self._connected(1) if number % 2 else shared, rng).step)
        for number in range(profile.followers):
            store = self._connected(1) if number % 2 else shared
            Follower(self._crew, common, store, f"follower {number}").start()
        self._insist = partial(recorded.insist, shared, common.tell, wait=common.wait)
        self._ends.callback(self._crew.end)

    def cycle(self) -> None:
        """Work, stop, start, and work again until every writer has had an answer; then all rest."""
        self.cycles += 1
        self.common.is_up.set()
        self._crew.go_on()
        self._all_are_answered()
        with ThreadPoolExecutor(2) as pool:
            probes = []
            if self._rng.random() < self._profile.slow:
                probes = self._slow_down(pool)
            else:
                time.sleep(self._rng.uniform(0, self._profile.most_delay))
            self._stop()
            begin = time.monotonic()
            self._all_are_answered()
            self.slowest = max(self.slowest, time.monotonic() - begin)
            for each in probes:
                each.result(PATIENCE)
        self._crew.rest()
        self._all_have_followed(self.store.head())

    def _all_are_answered(self) -> None:
        self._all_grow(self.common.answers, self.common.answers.copy())

    def _all_grow(self, counts: Counter[str], before: Counter[str]) -> None:
        names = [f"w{number}" for number in range(self._profile.writers)]
        self._crew.until(lambda: all(counts[name] > before[name] for name in names))

    def _all_have_followed(self, head: int) -> None:
        handed = self.common.handed
        self._crew.until(lambda: sum(at >= head for at in handed.values()) == self._profile.followers)

    def _slow_down(self, pool: ThreadPoolExecutor) -> list[Future[object]]:
        """Let all writers commit and wait for the disk, and readers see what they have committed. Behind them
        come an append that nothing can refuse, and one that it refuses."""
        self.done["with a slow disk"] += 1
        self._gate.shut()
        probes: list[Future[object]] = []

        def all_wait() -> bool:
            answered = sum(each.done() for each in probes)
            return self._gate.before() + answered == self._profile.writers + len(probes)

        wait_for(all_wait)
        for expected in (ANY_VERSION, NO_STREAM):
            part = Part("Probe-1", expected, (Sent(str(uuid4()), "Probed", "{}"),))
            op = f"probe{expected}-{self.cycles}"
            probes.append(pool.submit(self._insist, op, (part,)))
            wait_for(all_wait)
        ((head,),) = self._server.execute(HEAD.format(self.schema))
        self._all_have_followed(head)
        looks = self.common.looks + LOOKS * self._profile.readers
        self._crew.until(lambda: self.common.looks >= looks)
        return probes

    def _stop(self) -> None:
        ways = self._profile.ways
        stays_away = [each for each in ways if each != CRASH]
        long = stays_away and self._profile.long and self.cycles % self._profile.long == 0
        way = self._rng.choice(stays_away if long else ways)
        self.done[way] += 1
        self.common.is_up.clear()
        unsure = self.common.unsure.copy()
        if way == CRASH:
            self._crash()
        else:
            self._server.stop(way)
            if long:
                self.done["for long"] += 1
                self._all_grow(self.common.unsure, unsure)
            self._server.start()
        self._gate.open()
        self.common.is_up.set()

    def _crash(self) -> None:
        with self._server.connect() as witness:
            os.kill(witness.execute(VICTIM).fetchone()[0], SIGKILL)
            wait_for(lambda: not _answers(witness))
        wait_for(self._is_reached)

    def _is_reached(self) -> bool:
        try:
            self._server.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def judged(self) -> Figures:
        done = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        crew = f"{self._profile.writers} writers, {self._profile.readers} readers"
        return figures_of(
            self.common.records,
            self.store,
            self._server,
            self.schema,
            title=f"stops: {done}, PostgreSQL {self._server.version}, seed {self._profile.seed}",
            done=(crew, f"slowest recovery {self.slowest:.2f} s"),
        )


def _answers(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def stops(server: OwnServer, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left after some cycles, and at the end; end at the first
    finding."""
    with ExitStack() as ends:
        run = Run(server, profile, ends)
        for number in range(1, profile.cycles + 1):
            run.cycle()
            if number % profile.judged_each == 0 or number == profile.cycles:
                figures = run.judged()
                if not figures.ok:
                    break
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, cycles=30, without="")
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    profile = WITHOUT[asked.without]._replace(cycles=asked.cycles, seed=asked.seed)
    with long_runs.server_of(asked.on) as server, another(server, **SETTINGS) as own:
        figures = stops(own, profile)
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
