"""The primary dies under writers, pipes, readers, followers and consumers, and a standby takes its place, again and
again: nothing that was acknowledged is lost, and all go on where they were.

    python -m tests.crashes.lab.failing_over --failovers 20 --seed 7

A synchronous standby has what is acknowledged. The former primary comes back as a standby, of its own files or of a
new copy, while the others work. A seed repeats what is asked and how the primary dies, not how the system lets it run.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab import recorded
from tests.crashes.lab.checker import Finding
from tests.crashes.lab.crew import Common, Crew, Reader, Writer
from tests.crashes.lab.figures import figures_of
from tests.crashes.lab.hands import Handling, Pipe, Work
from tests.crashes.lab.load import Load
from tests.crashes.lab.verdict import FOLLOWING
from tests.crashes.lab.victims import FollowingCommand
from tests.support import long_runs
from tests.support.clusters import ANY_STANDBY, Cluster, cluster
from tests.support.command import Command
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore import EventStore
    from tests.crashes.lab.figures import Figures
    from tests.support.servers import OwnServer

WAYS: Final = ("immediate", "kill")
"""How the primary dies: with all its processes at once, or the one that leads them, which the others notice."""
COMMAND: Final = "the command"
"""The name of the follower that is one."""


class Profile(NamedTuple):
    failovers: int
    seed: int
    writers: int = 4
    pipes: int = 2
    readers: int = 1
    followers: int = 2
    most_delay: float = 1.0
    """Seconds from the first acknowledgements to the death of the primary, at most."""


class Run:
    """One store on a cluster, and what is done to both."""

    def __init__(self, servers: Cluster, profile: Profile, folder: Path, ends: ExitStack) -> None:
        self._cluster, self._profile, self._ends = servers, profile, ends
        self._rng = Random(profile.seed)
        self.schema = servers.primary.new_schema()
        self.url = servers.url(self.schema)
        self.store = self._connected()  # for who judges
        self.store.initialize()
        servers.primary.execute(f"CREATE TABLE {self.schema}_rows (position bigint, number serial)")
        self._crew = Crew()
        self.common = Common(self._crew)
        self.done = Counter[str]()
        self.noticed: set[str] = set()
        """Who was told that events are lost: nobody, where a standby has them all."""
        self.outages: list[float] = []
        """Seconds from the death of a primary until every writer had an answer again."""
        self._hire(Command(folder, self.url))

    def _connected(self, pool_size: int = 10) -> EventStore:
        return self._ends.enter_context(connect(self.url, pool_size=pool_size))

    def _hire(self, command: Command) -> None:
        """Half of the threads share a store, the others have one each, with a single connection as commands have."""
        profile, common, shared = self._profile, self.common, self._connected()
        for number in range(profile.writers):
            rng = Random(f"{profile.seed} writer {number}")
            store = self._connected(1) if number % 2 else shared
            self._crew.hire(Writer(common, store, f"w{number}", Load(rng, "0"), rng).step)
        for number in range(profile.pipes):
            rng = Random(f"{profile.seed} pipe {number}")
            pipe = Pipe(common, command, f"p{number}", Load(rng, "0"), rng)
            self._ends.callback(pipe.close)
            self._crew.hire(pipe.step)
        for number in range(profile.readers):
            rng = Random(f"{profile.seed} reader {number}")
            self._crew.hire(Reader(common, shared, rng).step)
        for number in range(profile.followers):
            who, store = f"follower {number}", self._connected(number % 2 or 10)
            self._begin(who, partial(recorded.follow, store, common.tell, who))
        self._command = FollowingCommand(command.folder, common.tell, self.url, COMMAND)
        self._begin(COMMAND, self._command.run)
        self.handling = [
            Handling(self._connected(1), "plain"),
            Handling(self._connected(), "rows", f"{self.schema}_rows"),
        ]
        for each in self.handling:
            self._begin(each.consumer.name, each.work)
        self._ends.callback(self._end)

    def _begin(self, _who: str, work: Callable[[], object]) -> None:
        """Work in a thread of its own, to the end of the run."""
        Work(self._crew, work).start()

    def _end(self) -> None:
        self._crew.end()
        self._command.kill()
        for each in self.handling:
            each.consumer.stop()

    def fail_over(self) -> None:
        """Work, kill the primary, promote a standby, work on, and rebuild the former primary meanwhile."""
        self.common.is_up.set()
        self._crew.go_on()
        self._all_are_answered()
        self._all_have_come_to(1)  # a command that begins while no server answers says so and ends
        time.sleep(self._rng.uniform(0, self._profile.most_delay))
        way = self._rng.choice(WAYS)
        rewinds = self._rng.random() < 0.5
        self.done[f"killed by {way}"] += 1
        self.done["rewound" if rewinds else "copied anew"] += 1
        self.common.is_up.clear()
        former = self._kill(way)
        begin = time.monotonic()
        self._cluster.promote()
        self.common.is_up.set()
        self._all_are_answered()
        self.outages.append(time.monotonic() - begin)
        self._cluster.rebuild(former, rewinds=rewinds)
        self._cluster.until_streaming(len(self._cluster.nodes) - 1)

    def _kill(self, way: str) -> OwnServer:
        return self._cluster.kill(way)

    def _all_are_answered(self) -> None:
        names = [f"w{number}" for number in range(self._profile.writers)]
        names += [f"p{number}" for number in range(self._profile.pipes)]
        before = self.common.answers.copy()
        self._crew.until(lambda: all(self.common.answers[name] > before[name] for name in names))

    def rest(self) -> int:
        """Let all come to the end of the log, and return that."""
        self._crew.rest()
        head = self.store.head()
        self._all_have_come_to(head)
        for each in self.handling:
            reached = -1
            while each.consumer.name not in self.noticed and not self.store.consumers.wait(
                each.consumer.name, head, PATIENCE
            ):
                self._crew.until(lambda: True)  # raises what a consumer raised
                before, reached = reached, each.consumer.reached
                assert reached > before, f"consumer {each.consumer.name} stands still at {reached} of {head}"
        return head

    def _all_have_come_to(self, position: int) -> None:
        followers = [COMMAND, *(f"follower {number}" for number in range(self._profile.followers))]
        self._crew.until(lambda: all(self._has_come_to(who, position) for who in followers))

    def _has_come_to(self, who: str, head: int) -> bool:
        return self.common.handed.get(who, 0) >= head

    def judged(self, head: int) -> Figures:
        done = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        failovers = self._cluster.failovers
        slowest = max(self.outages, default=0.0)
        mean = sum(self.outages) / max(1, len(self.outages))
        figures = figures_of(
            self.common.records,
            self.store,
            self._cluster.primary,
            self.schema,
            title=f"{failovers} failovers: {done}, PostgreSQL {self._cluster.primary.version}, seed {self._profile.seed}",
            done=(f"answered again after {mean:.2f} s on average, {slowest:.2f} s at most",),
        )
        rows = self._cluster.primary.execute(f"SELECT position FROM {self.schema}_rows ORDER BY number")
        faults = [fault for each in self.handling for fault in each.faults(head)]
        if [position for (position,) in rows] != [*range(1, head + 1)]:
            faults.append(
                f"the rows of a consumer are {len(rows)}, {len({*rows})} different ones, of {head} events"
            )
        figures.findings += [Finding(FOLLOWING, fault) for fault in faults]
        figures.damage += [str(finding) for finding in self.store.verify()]
        return figures


def fails_over(servers: Cluster, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left."""
    begin = time.monotonic()
    with TemporaryDirectory(prefix="evstore-failing-over-") as folder, ExitStack() as ends:
        run = Run(servers, profile, Path(folder), ends)
        for _ in range(profile.failovers):
            run.fail_over()
        figures = run.judged(run.rest())
    figures.title = f"{time.monotonic() - begin:.0f} s, {figures.title}"
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, failovers=20)
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    with (
        long_runs.server_of(asked.on) as server,
        cluster(server, synchronous_standby_names=ANY_STANDBY) as servers,
    ):
        figures = fails_over(servers, Profile(asked.failovers, asked.seed))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
