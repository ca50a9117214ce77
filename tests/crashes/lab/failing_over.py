"""The primary dies under writers, pipes, readers, followers and consumers, and a standby takes its place, again and
again: nothing that was acknowledged is lost, and all go on where they were.

    python -m tests.crashes.lab.failing_over --failovers 20 --seed 7

A synchronous standby has what is acknowledged. The former primary comes back as a standby, of its own files or of a
new copy, while the others work. A seed repeats what is asked and how the primary dies, not how the system lets it run.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore import ANY_VERSION, connect
from tests.crashes.lab.checker import Finding
from tests.crashes.lab.crew import Common, Crew, Follower, Reader, Writer
from tests.crashes.lab.figures import FOLLOWING, figures_of
from tests.crashes.lab.history import Invoked, Part, Stored
from tests.crashes.lab.load import Load
from tests.crashes.lab.victims import FollowingCommand
from tests.support import long_runs
from tests.support.clusters import ANY_STANDBY, Cluster, cluster
from tests.support.command import Command
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore import EventStore, StoredEvent
    from tests.crashes.lab.figures import Figures
    from tests.crashes.lab.history import Sent

WAYS: Final = ("immediate", "kill")
"""How the primary dies: with all its processes at once, or the one that leads them, which the others notice."""
BATCH: Final = 100
MOST_IN_PIPE: Final = 8
"""Events that a pipe is given before its receipts are read, at most."""
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


class Pipe:
    """`evstore append --each -`, which is one process from the first failover to the last."""

    def __init__(self, common: Common, command: Command, who: str, load: Load, rng: Random) -> None:
        self._tell = common.tell
        self._who = who
        self._load = load
        self._rng = rng
        self._number = 0
        self._stream = f"Pipe-{who}"
        self._process = command.start("append", self._stream, "--each", "-", stdin=subprocess.PIPE)

    def step(self) -> None:
        """Append some events, and read their receipts."""
        assert self._process.stdin is not None
        ops = []
        for _ in range(self._rng.randint(1, MOST_IN_PIPE)):
            (sent,) = self._load.events(1)
            self._number += 1
            ops.append(f"{self._who}-{self._number}")
            self._tell(Invoked(ops[-1], monotonic_ns(), (Part(self._stream, ANY_VERSION, (sent,)),)))
            self._process.stdin.write(_line(sent))
        self._process.stdin.flush()
        for op in ops:
            receipt = self._receipt()
            versions = (receipt["version"],)
            self._tell(Stored(op, monotonic_ns(), receipt["globalPosition"], versions, receipt["duplicate"]))

    def _receipt(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"the pipe {self._who} ended: {self._process.stderr.read().decode()}")
        receipt: dict[str, Any] = json.loads(line)
        return receipt

    def close(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()


def _line(sent: Sent) -> bytes:
    return f'{{"type":"{sent.type}","id":"{sent.id}","data":{sent.data}}}\n'.encode()


class Work(Thread):
    """Work of a thread that lasts as long as the run; its error ends that."""

    def __init__(self, crew: Crew, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._crew = crew
        self._work = work

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            with self._crew.changed:
                self._crew.failed = self._crew.failed or error
                self._crew.changed.notify_all()


class Handling(Work):
    """A consumer of everything, until it is stopped."""

    def __init__(self, crew: Crew, store: EventStore, name: str, rows: str = "") -> None:
        """With the name of a table, each position goes into it, in the step of the checkpoint."""
        super().__init__(crew, self._consume)
        self._rows = rows
        self.consumer = store.consumer(name)
        self.batches: list[list[int]] = []

    def _consume(self) -> None:
        self.consumer.run(self._handle, BATCH, transactional=bool(self._rows), appends=False, checkpoint=None)

    def _handle(self, events: Sequence[StoredEvent], *tx: Any) -> None:
        positions = [event.global_position for event in events]
        for each in tx:
            each.execute(f"INSERT INTO {self._rows} (position) SELECT unnest(%s::bigint[])", (positions,))
        self.batches.append(positions)

    def faults(self, head: int) -> list[str]:
        """What is wrong with the batches, of which some may have come again: a step may have been lost."""
        found, reached = [], 0
        for batch in self.batches:
            if batch != [*range(batch[0], batch[0] + len(batch))]:
                found.append(f"{self.consumer.name} got a batch with a gap: {batch}")
            if not reached - BATCH < batch[0] <= reached + 1:
                found.append(f"{self.consumer.name} got {batch[0]} after {reached}")
            reached = max(reached, batch[-1])
        if reached != head:
            found.append(f"{self.consumer.name} came to {reached} of {head}")
        return found


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
            Follower(self._crew, common, self._connected(number % 2 or 10), f"follower {number}").start()
        self._command = FollowingCommand(command.folder, common.tell, self.url, COMMAND)
        Work(self._crew, self._command.run).start()
        self.handling = [
            Handling(self._crew, self._connected(1), "plain"),
            Handling(self._crew, self._connected(), "rows", f"{self.schema}_rows"),
        ]
        for each in self.handling:
            each.start()
        self._ends.callback(self._end)

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
        time.sleep(self._rng.uniform(0, self._profile.most_delay))
        way = self._rng.choice(WAYS)
        rewinds = self._rng.random() < 0.5
        self.done[f"killed by {way}"] += 1
        self.done["rewound" if rewinds else "copied anew"] += 1
        self.common.is_up.clear()
        former = self._cluster.kill(way)
        begin = time.monotonic()
        self._cluster.promote()
        self.common.is_up.set()
        self._all_are_answered()
        self.outages.append(time.monotonic() - begin)
        self._cluster.rebuild(former, rewinds=rewinds)
        self._cluster.until_streaming(len(self._cluster.nodes) - 1)

    def _all_are_answered(self) -> None:
        names = [f"w{number}" for number in range(self._profile.writers)]
        names += [f"p{number}" for number in range(self._profile.pipes)]
        before = self.common.answers.copy()
        self._crew.until(lambda: all(self.common.answers[name] > before[name] for name in names))

    def rest(self) -> int:
        """Let all come to the end of the log, and return that."""
        self._crew.rest()
        head = self.store.head()
        followers = self._profile.followers + 1
        self._crew.until(lambda: sum(at >= head for at in self.common.handed.values()) == followers)
        for each in self.handling:
            reached = -1
            while not self.store.consumers.wait(each.consumer.name, head, PATIENCE):
                self._crew.until(lambda: True)  # raises what a consumer raised
                before, reached = reached, each.consumer.reached
                assert reached > before, f"consumer {each.consumer.name} stands still at {reached} of {head}"
        return head

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
