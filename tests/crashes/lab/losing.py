"""A standby that nobody waited for takes over: what it had not received is lost, and whoever saw it is told.

    python -m tests.crashes.lab.losing --failovers 10 --seed 7

Each failover has a store of its own, with the same crew as in `failing_over`. Followers and consumers either go on in
the log that is left, or end with the error for another log; nobody sees events of both. How many acknowledged events
are lost is counted, and no fault.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import ConsumerHeldError, ConsumerNotFoundError, LogDivergedError
from evstore.cli.exits import CODES
from tests.crashes.lab.checker import Evidence, order
from tests.crashes.lab.failing_over import Profile, Run
from tests.crashes.lab.gaps import gaps
from tests.crashes.lab.hands import Work
from tests.crashes.lab.history import Followed, History
from tests.crashes.lab.result import Counts
from tests.crashes.lab.verdict import Verdict
from tests.support import long_runs
from tests.support.clusters import cluster
from tests.support.daemons import freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.crashes.lab.history import Seen
    from tests.support.clusters import Cluster
    from tests.support.servers import OwnServer


RECEIVER: Final = "SELECT pid FROM pg_stat_wal_receiver"
LATE_SECONDS: Final = 0.3
"""Seconds for which the standbys receive nothing before the primary dies."""


class Outcome(NamedTuple):
    events: int
    acknowledged: int
    lost: int
    noticed: int
    """Followers and consumers that were told."""
    faults: list[str]

    @property
    def counts(self) -> Counts:
        return Counts(self.acknowledged, faults=tuple(self.faults))


class Losing(Run):
    """A run in which whoever follows may be told that events are lost."""

    def _kill(self, way: str) -> OwnServer:
        """Kill the primary while no standby takes what it sends."""
        receivers = [node.execute(RECEIVER)[0][0] for node in self._cluster.standbys]
        for each in receivers:
            freeze(each)
        time.sleep(LATE_SECONDS)
        former = super()._kill(way)
        for each, kind in product(receivers, (signal.SIGTERM, signal.SIGCONT)):
            os.kill(each, kind)
        return former

    def _begin(self, who: str, work: Callable[[], object]) -> None:
        Work(self._crew, partial(self._noting, who, work)).start()

    def _noting(self, who: str, work: Callable[[], object]) -> None:
        try:
            work()
        except (LogDivergedError, ConsumerHeldError, ConsumerNotFoundError):
            self._note(who)
        except ChildProcessError as error:
            if f"ended with {CODES['damaged']}:" not in str(error):
                raise
            self._note(who)

    def _note(self, who: str) -> None:
        with self._crew.changed:
            self.noticed.add(who)
            self._crew.changed.notify_all()

    def _has_come_to(self, who: str, head: int) -> bool:
        return who in self.noticed or super()._has_come_to(who, head)

    def outcome(self, head: int) -> Outcome:
        log = list(self.store.replay())
        history = History.of(self.common.records)
        evidence = Evidence(history, log)
        primary = self._cluster.primary
        verdict = Verdict(history=history, log=log, findings=[], damage=gaps(primary, self.schema))
        faults = [*verdict.damage, *order(evidence), *map(str, self.store.verify())]
        for who, told in history.followers.items():
            seen = [each.seen for each in told if isinstance(each, Followed)]
            faults += self._of_follower(who, seen, evidence)
        rows = [at for (at,) in primary.execute(f"SELECT position FROM {self.schema}_rows ORDER BY number")]
        if rows != [*range(1, len(rows) + 1)] or ("rows" not in self.noticed and len(rows) < head):
            faults.append(
                f"the rows of a consumer are {len(rows)}, {len({*rows})} different ones, of {head} events"
            )
        return Outcome(len(log), verdict.acknowledged_events, verdict.lost, len(self.noticed), faults)

    def _of_follower(self, who: str, seen: Sequence[Seen], evidence: Evidence) -> Iterator[str]:
        if [each.position for each in seen] != [*range(1, len(seen) + 1)]:
            yield f"{who} was handed events with a gap, or twice"
        is_there = [evidence.prints.get(each.position) == each.print for each in seen]
        kept = sum(is_there)
        if not all(is_there[:kept]):
            yield f"{who} was handed events of two logs"
        if kept < len(seen) and who not in self.noticed:
            yield f"{who} was not told that {len(seen) - kept} events are gone"
        if kept == len(seen) and who in self.noticed:
            yield f"{who} was told of a loss, and lost nothing of {kept} events"
        if who not in self.noticed and kept < len(evidence.log):
            yield f"{who} was handed {kept} of {len(evidence.log)} events"


def loses(servers: Cluster, profile: Profile, kind: type[Losing] = Losing) -> Outcome:
    """Fail over once on a new store, and judge what is left. No reader looks at what is lost."""
    with TemporaryDirectory(prefix="evstore-losing-") as folder, ExitStack() as ends:
        run = kind(servers, profile._replace(readers=0), Path(folder), ends)
        run.fail_over()
        return run.outcome(run.rest())


def main() -> int:
    asked = long_runs.arguments(__doc__, failovers=10)
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    faults = 0
    with long_runs.server_of(asked.on) as server, cluster(server) as servers:
        for number in range(asked.failovers):
            outcome = loses(servers, Profile(1, asked.seed + number))
            print(outcome, flush=True)
            faults += len(outcome.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
