"""The servers of a store on NATS JetStream fail under writers and followers, again and again.

    python -m tests.crashes.lab.cluster --cycles 10 --seed 7 --fault leader

Three nodes keep three replicas, and sync every message. In each cycle one fault happens, and ends; `--fault mixed`
takes each in turn, and `tests.crashes.lab.faults` says what they are. Everybody goes on by himself. What was
acknowledged must be there, whole and in order, and followers have been handed all of it, in order and once.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack, closing
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab.crew import Common, Crew, Follower, Reader, Writer
from tests.crashes.lab.faults import DISK_MEBIBYTES, FAULTS, Stage
from tests.crashes.lab.figures import figures_beside
from tests.crashes.lab.load import Load
from tests.support.long_runs import a_seed
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from evstore import EventStore
    from tests.crashes.lab.figures import Figures

MOST_DELAY: Final = 2.0
"""Seconds of work before a fault, at most."""
JUDGED_EACH: Final = 10
"""Cycles after which the whole log is read and judged."""
TIMEOUT: Final = 60.0
MIXED: Final = "mixed"


class Profile(NamedTuple):
    cycles: int
    seed: int
    fault: str = "leader"
    writers: int = 4
    readers: int = 1
    followers: int = 2


class Run:
    """One store on a cluster, and what is done to both."""

    def __init__(self, cluster: NatsCluster, profile: Profile, ends: ExitStack) -> None:
        self._cluster, self._profile, self._ends = cluster, profile, ends
        self._url = cluster.place()
        self._rng = Random(profile.seed)
        self.store = self._connected()
        self.store.initialize()
        self._crew = Crew()
        self._common = Common(self._crew)
        self._common.is_up.set()
        self._slowest = dict.fromkeys(self._faults(), 0.0)
        self._happened = Counter[str]()
        for number in range(profile.writers):
            rng = Random(f"{profile.seed} writer {number}")
            self._crew.hire(Writer(self._common, self._connected(), f"w{number}", Load(rng, "0"), rng).step)
        for number in range(profile.readers):
            self._crew.hire(Reader(self._common, self._connected(), Random(f"{profile.seed} {number}")).step)
        for number in range(profile.followers):
            Follower(self._crew, self._common, self._connected(), f"follower {number}").start()
        ends.callback(self._crew.end)

    def _connected(self) -> EventStore:
        return self._ends.enter_context(connect(self._url, timeout=TIMEOUT))

    def cycle(self) -> None:
        """Work, let a fault happen, and work again until every writer has had an answer; then all rest."""
        faults = self._faults()
        fault = faults[self._happened.total() % len(faults)]
        self._crew.go_on()
        self._all_are_answered()
        time.sleep(self._rng.uniform(0, MOST_DELAY))
        begin = time.monotonic()
        FAULTS[fault](Stage(self._cluster, self._url, self._rng, self._all_are_answered))
        self._all_are_answered()
        self._happened[fault] += 1
        self._slowest[fault] = max(self._slowest[fault], time.monotonic() - begin)
        self._crew.rest()
        head = self.store.head()
        self._crew.until(lambda: sum(at >= head for at in self._common.handed.values()) == self._profile.followers)

    def _faults(self) -> tuple[str, ...]:
        return tuple(FAULTS) if self._profile.fault == MIXED else (self._profile.fault,)

    def _all_are_answered(self) -> None:
        before = self._common.answers.copy()
        names = [f"w{number}" for number in range(self._profile.writers)]
        self._crew.until(lambda: all(self._common.answers[name] > before[name] for name in names))

    def judged(self) -> Figures:
        profile = self._profile
        damage = [f"{found.kind}: {found.message}" for found in self.store.verify()]
        return figures_beside(
            self._common.records,
            self.store,
            damage,
            title=f"cluster: {self._told()}, seed {profile.seed}",
            done=(f"{profile.writers} writers, {profile.readers} readers",),
        )

    def _told(self) -> str:
        return ", ".join(
            f"{fault} {count} times (longest {self._slowest[fault]:.1f} s)"
            for fault, count in self._happened.items()
        )


def cluster_run(cluster: NatsCluster, profile: Profile) -> Figures:
    """Run the profile on a new store, judge what is left now and then and at the end, and end at a finding."""
    with ExitStack() as ends:
        run = Run(cluster, profile, ends)
        for number in range(1, profile.cycles):
            run.cycle()
            if number % JUDGED_EACH == 0 and not (figures := run.judged()).ok:
                return figures
        run.cycle()
        return run.judged()


def main() -> int:
    parser = ArgumentParser("python -m tests.crashes.lab.cluster", description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--fault", default=MIXED, choices=(*FAULTS, MIXED))
    parser.add_argument("--seed", type=int, default=a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    disk = DISK_MEBIBYTES if asked.fault in ("full", MIXED) else 0
    with closing(NatsCluster(disk_mebibytes=disk)) as cluster:
        figures = cluster_run(cluster, Profile(asked.cycles, asked.seed, asked.fault))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
