"""Hints are lost, connections end, or a pooler stands between, while others append: nothing is missed.

    python -m tests.crashes.lab.disturbed --trouble cut --seconds 30

A follower and two consumers work on PostgreSQL behind the trouble, and writers append. The follower gets each event
once and in order. The plain consumer handles consecutive events, some of them again. The transactional consumer
leaves one row for each event.
"""

from __future__ import annotations

import sys
import threading
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore import EventData, connect
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.proxies import Proxy, before_call
from tests.support.servers import pgbouncer
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore import EventStore, StoredEvent, Transaction
    from tests.support.proxies import Message
    from tests.support.servers import Server

WRITERS: Final = 2
BATCH: Final = 10
PAUSE: Final = 0.02
"""Seconds between two appends of a writer."""
RESPITE: Final = 0.2
"""Seconds between two troubles on average."""
LOOK: Final = 1.0
"""Seconds between two looks whether somebody has ended too early."""
SESSIONS: Final = 4
FOLLOWING: Final = "following"
END: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
WORK: Final[dict[str, Any]] = {"categories": ["Work"]}


class Profile(NamedTuple):
    trouble: str
    seconds: float
    seed: int
    forgets: bool = False
    """The follower begins anew at the end of the log after each event: the fault that must be found."""


class Outcome(NamedTuple):
    events: int
    troubles: int
    """Connections that were ended. Where hints are lost, a hint is lost with each."""
    again: int
    """Events that the plain consumer handled more than once, each time counted."""
    faults: list[str]
    seconds: float = 0.0
    missed: int = 0
    """By the follower, and in the rows of the transactional consumer."""
    doubled: int = 0
    """The same, of events that came twice."""

    @property
    def counts(self) -> Counts:
        return Counts(self.events, None, self.doubled, None, self.missed, None, tuple(self.faults))

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, events {self.events}, connections ended {self.troubles}, "
            f"handled again {self.again} in batches of at most {BATCH}; faults {len(self.faults)}"
        )


class _Places(NamedTuple):
    """The URLs of one store for those who write and those who follow, and the number of troubles so far."""

    writing: str
    following: str
    troubles: Callable[[], int]
    troubled: threading.Event
    """Set from when all are at work, for to begin with a store that cannot be reached is an error, to the end of the
    appends."""


class Lab:
    """Those who append, those who follow, and what these got."""

    def __init__(self, places: _Places, profile: Profile, rows: str) -> None:
        self._places, self._profile, self._rows = places, profile, rows
        self.followed: list[int] = []
        self.batches: list[list[int]] = []
        self._has_rows = False
        self._enough = threading.Event()

    def run(self, undisturbed: EventStore) -> None:
        """Append for a time, then wait until all have come to the end."""
        with (
            ThreadPoolExecutor() as threads,
            connect(self._places.following) as following,
            connect(self._places.following) as consuming,
        ):
            consumers = [consuming.consumer(name, **WORK) for name in ("plain", "rows")]
            working = [
                threads.submit(self._follow, following),
                threads.submit(consumers[0].run, self._note, BATCH),
                threads.submit(consumers[1].run, self._insert, BATCH, transactional=True),
            ]
            writing = [threads.submit(self._write, who) for who in range(WRITERS)]
            try:
                wait_for(lambda: self.followed and self.batches and self._has_rows)
                self._places.troubled.set()
                time.sleep(self._profile.seconds)
                self._enough.set()
                for each in writing:
                    each.result(PATIENCE)
                self._places.troubled.clear()
                end = positions(undisturbed)[-1]
                wait_for(lambda: self.followed[-1] >= end or self._profile.forgets)
                for consumer, work in zip(consumers, working[1:], strict=True):
                    while not undisturbed.consumers.wait(consumer.name, end, LOOK) and not work.done():
                        continue
            finally:
                self._enough.set()
                for consumer in consumers:
                    consumer.stop()
                following.close()
            for each in working:
                each.result(PATIENCE)

    def _write(self, who: int) -> None:
        chance = Random(who)
        with connect(self._places.writing) as store:
            while not self._enough.is_set():
                store.append(f"Work-{chance.randrange(20)}", [EventData("Done", {})] * chance.randint(1, 3))
                store.append(f"Other-{who}", [EventData("Passed", {})])
                time.sleep(PAUSE)

    def _follow(self, store: EventStore) -> None:
        while not self._enough.is_set():
            for event in store.subscribe(after=store.head() if self._profile.forgets else 0, **WORK):
                self.followed.append(event.global_position)
                if self._profile.forgets:
                    time.sleep(PAUSE)
                    break

    def _note(self, events: Sequence[StoredEvent]) -> None:
        self.batches.append([event.global_position for event in events])

    def _insert(self, events: Sequence[StoredEvent], tx: Transaction) -> None:
        positions = [event.global_position for event in events]
        tx.execute(f"INSERT INTO {self._rows} SELECT unnest(%s::bigint[])", (positions,))
        self._has_rows = True

    def judged(self, log: Sequence[int], rows: Sequence[int]) -> Outcome:
        """Hold what they got against the positions of the log."""
        faults = []
        missed, more = len({*log} - {*self.followed}), len(self.followed) - len({*self.followed})
        if self.followed != log:
            faults.append(f"the follower missed {missed} events and got {more} again, or in another order")
        lacking, doubled = len({*log} - {*rows}), len(rows) - len({*rows})
        if rows != log:
            faults.append(f"rows: {lacking} are missing and {doubled} are doubled, or their order is wrong")
        place = {position: n for n, position in enumerate(log)}
        reached = again = 0
        for batch in self.batches:
            begun = place[batch[0]]
            if [place[position] for position in batch] != [*range(begun, begun + len(batch))]:
                faults.append(f"the batch from {batch[0]} to {batch[-1]} is not of consecutive events")
            if not reached - BATCH <= begun <= reached:
                faults.append(f"the batch from {batch[0]} came where {log[reached]} was next")
            again += max(0, reached - begun)
            reached = max(reached, begun + len(batch))
        if reached != len(log):
            faults.append(f"{len(log) - reached} events at the end were not handled")
        both = missed + lacking, more + doubled
        return Outcome(len(log), self._places.troubles(), again, faults, 0.0, *both)


def positions(store: EventStore) -> list[int]:
    """The positions of the events that are followed."""
    return [event.global_position for event in store.replay(["Work"])]


@contextmanager
def _muted(server: Server, schema: str, _: Random, troubled: threading.Event) -> Iterator[_Places]:
    """Who listens receives no hint: each ends the connection of its writer instead."""
    with Proxy(server, before_call("pg_notify"), sys.maxsize) as proxy:
        yield _Places(proxy.url(schema), server.url(schema), lambda: proxy.cuts, troubled)


@contextmanager
def _terminated(server: Server, schema: str, chance: Random, troubled: threading.Event) -> Iterator[_Places]:
    """The server ends all sessions of those who follow, again and again."""
    over = threading.Event()
    ended = [0]

    def end() -> None:
        with server.connect() as session:
            while not over.wait(chance.uniform(0, 2 * RESPITE)):
                if troubled.is_set():
                    found = session.execute(END, [FOLLOWING]).fetchone()
                    ended[0] += found[0] if found else 0

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    try:
        yield _Places(
            server.url(schema), server.url(schema, application_name=FOLLOWING), lambda: ended[0], troubled
        )
    finally:
        over.set()
        ending.join(PATIENCE)


@contextmanager
def _cut(server: Server, schema: str, chance: Random, troubled: threading.Event) -> Iterator[_Places]:
    """The network of those who follow fails again and again, in the middle of anything."""
    due = [time.monotonic()]

    def rule(_: Message) -> bool:
        if not troubled.is_set() or time.monotonic() < due[0]:
            return False
        due[0] = time.monotonic() + chance.uniform(0, 2 * RESPITE)
        return True

    with Proxy(server, rule, sys.maxsize) as proxy:
        yield _Places(server.url(schema), proxy.url(schema), lambda: proxy.cuts, troubled)


@contextmanager
def _pooled(server: Server, schema: str, _: Random, troubled: threading.Event) -> Iterator[_Places]:
    """Everything goes through pgbouncer in transaction mode, with fewer sessions than there are clients."""
    with pgbouncer(server, default_pool_size=SESSIONS) as pooler:
        yield _Places(pooler.url(schema), pooler.url(schema), lambda: 0, troubled)


TROUBLES: Final = {"muted": _muted, "terminated": _terminated, "cut": _cut, "pooled": _pooled}


def disturbs(server: Server, profile: Profile) -> Outcome:
    """Run the profile on a new store, and judge what is left."""
    start = time.monotonic()
    schema, other = server.schema(), server.schema()
    server.execute(f"CREATE SCHEMA {other}")
    server.execute(f"CREATE TABLE {other}.handled (position bigint, number serial)")
    with connect(server.url(schema)) as store:
        store.initialize()
        with TROUBLES[profile.trouble](server, schema, Random(profile.seed), threading.Event()) as places:
            lab = Lab(places, profile, f"{other}.handled (position)")
            lab.run(store)
        rows = server.execute(f"SELECT position FROM {other}.handled ORDER BY number")
        outcome = lab.judged(positions(store), [position for (position,) in rows])
        return outcome._replace(seconds=time.monotonic() - start)


def main() -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--on", default="postgres-18")
    parser.add_argument("--trouble", choices=TROUBLES, nargs="+", default=[*TROUBLES])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    faults: list[str] = []
    with long_runs.server_of(asked.on) as server:
        for trouble in asked.trouble:
            outcome = disturbs(server, Profile(trouble, asked.seconds, asked.seed))
            print(f"{trouble}: {outcome}", flush=True)
            faults += outcome.faults
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
