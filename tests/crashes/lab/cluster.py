"""The leader of a store on NATS JetStream is killed under writers and followers, again and again.

    python -m tests.crashes.lab.cluster --cycles 10 --seed 7 --nodes 1

Three nodes keep three replicas, and sync every message. In each cycle the leader of the stream is killed (-9), with
`--nodes 2` another one as well and with 3 all of them; then they start again. Everybody goes on by himself. What was
acknowledged must be there, whole and in order, and followers have been handed all of it, in order and once.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack, closing
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import connect
from tests.crashes.lab.crew import Common, Crew, Follower, Reader, Writer
from tests.crashes.lab.figures import figures_beside
from tests.crashes.lab.load import Load
from tests.support.long_runs import a_seed
from tests.support.nats_servers import NatsCluster

if TYPE_CHECKING:
    from evstore import EventStore
    from tests.crashes.lab.figures import Figures

MOST_DELAY: Final = 2.0
"""Seconds of work before a kill, at most."""
DOWN_SECONDS: Final = 0.5
TIMEOUT: Final = 60.0


class Profile(NamedTuple):
    cycles: int
    seed: int
    nodes: int = 1
    """So many are killed at once."""
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
        self._slowest = 0.0
        self._cycles = 0
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
        """Work, kill, start, and work again until every writer has had an answer; then all rest."""
        self._cycles += 1
        self._crew.go_on()
        self._all_are_answered()
        time.sleep(self._rng.uniform(0, MOST_DELAY))
        leader = self._cluster.leader_of(self._url)
        others = [node for node in self._cluster.nodes if node is not leader]
        killed = [leader, *self._rng.sample(others, self._profile.nodes - 1)]
        for node in killed:
            node.kill()
        begin = time.monotonic()
        if len(killed) == 1:
            self._all_are_answered()  # two nodes go on without it
        time.sleep(DOWN_SECONDS)
        for node in killed:
            node.start()
        self._all_are_answered()
        self._slowest = max(self._slowest, time.monotonic() - begin)
        self._crew.rest()
        head = self.store.head()
        self._crew.until(lambda: sum(at >= head for at in self._common.handed.values()) == self._profile.followers)

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
            title=f"cluster: {self._cycles} kills of {profile.nodes} nodes at once, seed {profile.seed}",
            done=(
                f"{profile.writers} writers, {profile.readers} readers",
                f"slowest recovery {self._slowest:.1f} s",
            ),
        )


def cluster_run(cluster: NatsCluster, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left after each cycle; end at the first finding."""
    with ExitStack() as ends:
        run = Run(cluster, profile, ends)
        for _ in range(profile.cycles):
            run.cycle()
            figures = run.judged()
            if not figures.ok:
                break
    return figures


def main() -> int:
    parser = ArgumentParser("python -m tests.crashes.lab.cluster", description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--seed", type=int, default=a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with closing(NatsCluster()) as cluster:
        figures = cluster_run(cluster, Profile(asked.cycles, asked.seed, asked.nodes))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
