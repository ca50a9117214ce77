"""PostgreSQL under load from all sides, and every follower is handed 1, 2, 3… as they were committed.

    python -m tests.crashes.lab.contention --seconds 60 --seed 7

Writers are processes that race, conflict and repeat; they are killed and replaced, their sessions are ended by the
server, others keep transactions open beside them and take appends back, and followers keep up with them all. A
seed repeats what the writers are told to do, not how the system lets them run.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab.figures import figures_of
from tests.crashes.lab.history import Followed
from tests.crashes.lab.open_transactions import Foreigners
from tests.crashes.lab.slots import Slot
from tests.crashes.lab.victims import FollowingCommand, Worker
from tests.support import long_runs
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from evstore import EventStore
    from tests.crashes.lab.figures import Figures
    from tests.crashes.lab.history import Record
    from tests.support.servers import Server

NAME: Final = "evstore-contention"
"""What the sessions are called that the server ends now and then."""
CATCH_UP_SECONDS: Final = 10 * PATIENCE
TERMINATE: Final = """
SELECT pg_terminate_backend(pid) FROM (
  SELECT pid FROM pg_stat_activity
  WHERE application_name = %(name)s AND (NOT %(in_append)s OR (state = 'active' AND query LIKE '%%append%%'))
  ORDER BY random() LIMIT 1
) AS chosen
"""


class Profile(NamedTuple):
    seconds: float
    writers: int
    followers: int
    """Half of them are commands."""
    seed: int


class Run:
    """One store, and what is done to it."""

    def __init__(self, server: Server, schema: str, folder: Path, profile: Profile) -> None:
        self._server = server
        self._profile = profile
        url = server.url(schema, application_name=NAME)
        self.records: list[Record] = []
        self.terminated = 0
        self._enough = Event()
        self._handed: dict[str, int] = {}
        self.slots = [Slot(folder, self.tell, url, f"w{n}", f"{profile.seed}") for n in range(profile.writers)]
        self.foreigners = Foreigners(server, schema, self.tell, self._enough)
        self._followers = [
            Worker(folder, self.tell, "follow", url, f"subscriber {number}")
            if number % 2
            else FollowingCommand(folder, self.tell, url, f"command {number}")
            for number in range(profile.followers)
        ]

    def tell(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, Followed):
            self._handed[record.who] = record.seen.position

    def work(self, store: EventStore) -> None:
        disturbers = self._disturbers()
        with (
            ThreadPoolExecutor(len(self._followers) + len(self.slots) + len(disturbers)) as pool,
            ExitStack() as ends,
        ):
            for follower in self._followers:
                ends.callback(follower.kill)
            ends.callback(self._end)
            following: list[Future[object]] = [pool.submit(each.run) for each in self._followers]
            working: list[Future[object]] = [pool.submit(each.work, store, self._enough) for each in self.slots]
            assert _while([*following, *working], PATIENCE, self._all_have_begun)
            working += [pool.submit(each) for each in disturbers]
            _while([*following, *working], self._profile.seconds, lambda: False)
            self._end()
            wait(working)
            head = store.head()
            assert _while(
                [*following, *working],
                CATCH_UP_SECONDS,
                lambda: list(self._handed.values()) == [head] * len(self._followers),
            ), (head, self._handed)

    def _all_have_begun(self) -> bool:
        """True from when a lost session is made anew: a command whose first one is lost says so and ends."""
        return len(self._handed) == len(self._followers) and all(each.has_written.is_set() for each in self.slots)

    def _disturbers(self) -> list[Callable[[], object]]:
        foreign = self.foreigners
        kinds = (foreign.keep_open, foreign.keep_open, foreign.take_back, self._terminate, self._kill)
        return [partial(kind, Random(f"{self._profile.seed} {number}")) for number, kind in enumerate(kinds)]

    def _terminate(self, rng: Random) -> None:
        """End sessions: any, or one that appends."""
        with self._server.connect() as connection:
            while not self._enough.wait(rng.uniform(0, 0.3)):
                chosen = {"name": NAME, "in_append": rng.random() < 1 / 2}
                self.terminated += len(connection.execute(TERMINATE, chosen).fetchall())

    def _kill(self, rng: Random) -> None:
        """Kill writers, each at any moment but before it has done anything."""
        while not self._enough.wait(rng.uniform(0, 2.0)):
            slot = rng.choice(self.slots)
            if slot.has_written.is_set():
                slot.has_written.clear()
                slot.kill()

    def _end(self) -> None:
        self._enough.set()
        for slot in self.slots:
            slot.kill()


def _while(threads: Sequence[Future[object]], seconds: float, ready: Callable[[], bool]) -> bool:
    """Let the threads work until it is ready, which is returned, or for so long. An error in one is raised."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= deadline:
            return False
        for each in wait(threads, timeout=0.05, return_when=FIRST_EXCEPTION).done:
            each.result()
    return True


def contend(server: Server, folder: Path, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left."""
    start = time.monotonic()
    schema = server.schema()
    with closing(connect(server.url(schema))) as store:
        store.initialize()
        run = Run(server, schema, folder, profile)
        run.work(store)
        return figures_of(
            run.records,
            store,
            server,
            schema,
            title=f"contention for {profile.seconds:g} s of {time.monotonic() - start:.1f}, PostgreSQL {server.version}, "
            f"seed {profile.seed}",
            done=(f"{profile.writers} writers",),
            happened={
                "processes killed": sum(slot.killed for slot in run.slots),
                "sessions ended": run.terminated,
                "foreign transactions kept open": run.foreigners.kept_open,
                "foreign appends taken back": run.foreigners.taken_back,
            },
        )


def main() -> int:
    asked = long_runs.arguments(__doc__, seconds=60.0, writers=16, followers=4)
    with long_runs.server_of(asked.on) as server, TemporaryDirectory(prefix="evstore-contention-") as folder:
        figures = contend(server, Path(folder), Profile(asked.seconds, asked.writers, asked.followers, asked.seed))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
