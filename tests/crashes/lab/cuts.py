"""The way to PostgreSQL fails in the middle of an append, again and again, and the append is stored once.

    python -m tests.crashes.lab.cuts --cuts 100 --seed 7

A proxy that reads the protocol cuts the connection of a writer before the server hears of the append, before its
answer, or between the answer and the word that the session is ready; or nothing comes any more, not even the end of
the connection. Others append and follow meanwhile. A seed repeats what is asked and where it is cut, not how the
system lets the writers run.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import Appended, AppendOutcomeUnknownError, connect
from tests.crashes.lab import recorded
from tests.crashes.lab.crew import Common, Crew, Follower, Writer
from tests.crashes.lab.figures import figures_of
from tests.crashes.lab.history import Part, Unsure
from tests.crashes.lab.load import Load
from tests.support import long_runs
from tests.support.proxies import CLIENT, COMPLETE, HOLE, READY, SERVER, Proxy

if TYPE_CHECKING:
    from evstore import EventStore
    from tests.crashes.lab.figures import Figures
    from tests.support.proxies import Message
    from tests.support.servers import Server

BEFORE: Final = "before the statement"
ANSWER: Final = "before CommandComplete"
READY_: Final = "before ReadyForQuery"
SILENT: Final = "black hole"
POINTS: Final = (BEFORE, ANSWER, READY_, SILENT)
APPEND: Final = re.compile(rb"append_(staged_)?v1")
AWAY: Final = 0.2
"""The part of the black holes after which no connection can be made either, until somebody is told."""
MADE: Final = 1 / 3
"""The part of the appends whose ids evstore makes."""
NOTICING: Final = {"keepalives_idle": 1, "keepalives_interval": 1, "tcp_user_timeout": 2000}
"""A silent peer is noticed after about two seconds instead of a minute."""
LONGEST: Final = 40.0
"""Seconds until there is an answer, at most, on a machine with other work as well."""


class Profile(NamedTuple):
    cuts: int
    """At each point."""
    seed: int
    points: tuple[str, ...] = POINTS
    writers: int = 6
    """Those whose connections are cut."""


class Armed(NamedTuple):
    """A cut that is due at the next append."""

    point: str
    hears: bool
    """Of a black hole: the server hears of the append before it."""
    away: bool


class Lab:
    """What writers have in common."""

    def __init__(self, server: Server, schema: str, common: Common, profile: Profile) -> None:
        self.server, self.schema, self.common, self.profile = server, schema, common, profile
        self.due: SimpleQueue[str] = SimpleQueue()
        self.cut = Counter[str]()
        self.unknown = 0
        """Times that a writer was told that the outcome is unknown."""
        self.slowest = 0.0
        self.faults: list[str] = []
        points = [point for point in profile.points for _ in range(profile.cuts)]
        Random(profile.seed).shuffle(points)
        for each in points:
            self.due.put(each)


class Victim:
    """A writer behind a proxy of its own, each of whose appends is cut off."""

    def __init__(self, lab: Lab, number: int) -> None:
        self._lab, self._who = lab, f"cut{number}"
        self._rng = Random(f"{lab.profile.seed} {number}")
        self._load = Load(self._rng, "0")
        self._armed: Armed | None = None
        self._is_away = False
        self._is_done = False
        """The server has said so last of all."""
        self._number = 0

    def work(self) -> None:
        """Append until no cut is due any more."""
        lab = self._lab
        with Proxy(lab.server, self._rule, sys.maxsize) as proxy:
            url = "&".join([proxy.url(lab.schema), *(f"{name}={value}" for name, value in NOTICING.items())])
            with connect(url, pool_size=self._rng.choice((1, 3)), connect_timeout=2) as store, suppress(Empty):
                while True:
                    self._cycle(store, lab.due.get_nowait())

    def _rule(self, message: Message) -> bool | str:
        if self._is_away and message.sender == CLIENT and not message.kind:
            return True
        armed = self._armed
        if armed is None or not APPEND.search(message.asked) or not self._is_there(armed, message):
            return False
        self._armed = None
        self._is_away = armed.away
        return HOLE if armed.point == SILENT else True

    def _is_there(self, armed: Armed, message: Message) -> bool:
        if armed.point == BEFORE or (armed.point == SILENT and not armed.hears):
            return message.calls
        if message.sender != SERVER:
            return False
        was_done, self._is_done = self._is_done, message.kind == COMPLETE
        # A statement that is only prepared is not done, though the session is ready after it.
        return (message.kind == READY and was_done) if armed.point == READY_ else self._is_done

    def _cycle(self, store: EventStore, point: str) -> None:
        self._number += 1
        chance = self._rng.random
        armed = self._armed = Armed(point, chance() < 1 / 2, point == SILENT and chance() < AWAY)
        op, parts = f"{self._who}-{self._number}", self._load.next()
        begin, made = time.monotonic(), chance() < MADE
        try:
            append = recorded.append_made if made else recorded.append
            outcome = append(store, self._lab.common.tell, op, parts)
        except AppendOutcomeUnknownError as error:
            self._tried_again(store, op, recorded.with_ids(parts, error.ids) if made else parts, error, armed)
        else:
            self._judge(armed, outcome, parts, made=made)
            self._load.learn(parts, outcome)
        seconds = time.monotonic() - begin
        self._lab.slowest = max(self._lab.slowest, seconds)
        self._lab.cut[point] += 1
        if self._armed is not None:
            self._fault(armed, f"{op} never came to the point")
        if seconds > LONGEST:
            self._fault(armed, f"{op} took {seconds:.1f} s")

    def _tried_again(
        self, store: EventStore, op: str, parts: tuple[Part, ...], error: AppendOutcomeUnknownError, armed: Armed
    ) -> None:
        """Once the way is there again, with the same ids."""
        self._lab.unknown += 1
        self._lab.common.tell(Unsure(op, monotonic_ns(), type(error).__name__))
        if not armed.away:
            self._fault(armed, f"the outcome of {op} was said to be unknown, although the way was there again")
        if [*error.ids] != [sent.id for part in parts for sent in part.events]:
            self._fault(armed, f"the outcome of {op} is unknown of other ids")
        self._is_away = False
        wait = self._lab.common.wait
        outcome = recorded.insist(store, self._lab.common.tell, op + recorded.AGAIN, parts, wait)
        if isinstance(outcome, Appended) and armed.hears and not outcome.duplicate:
            self._fault(armed, f"{op} was there, and was not called a duplicate")

    def _judge(self, armed: Armed, outcome: object, parts: tuple[Part, ...], *, made: bool) -> None:
        """A duplicate is what was stored by the try that was cut off, if its ids could be those of an earlier append."""
        self._is_away = False  # another connection was there already
        if not isinstance(outcome, Appended):
            return
        wanted = not made and armed.point != BEFORE and (armed.point != SILENT or armed.hears)
        if outcome.duplicate != wanted:
            told = "a duplicate" if outcome.duplicate else "no duplicate"
            self._fault(armed, f"an append of {len(parts)} parts was called {told}, made={made}")

    def _fault(self, armed: Armed, sentence: str) -> None:
        self._lab.faults.append(f"{armed.point}: {sentence}")


def cuts(server: Server, profile: Profile) -> Figures:
    """Run the profile on a new store, and judge what is left."""
    start = time.monotonic()
    schema, crew = server.schema(), Crew()
    common = Common(crew)
    common.is_up.set()
    with ExitStack() as ends:
        store = ends.enter_context(connect(server.url(schema)))
        store.initialize()
        lab = Lab(server, schema, common, profile)
        beside = Random(f"{profile.seed} beside")
        crew.hire(Writer(common, store, "beside", Load(beside, "0"), beside).step)
        follower = ends.enter_context(connect(server.url(schema), pool_size=1))
        Follower(crew, common, follower, "follower").start()
        ends.callback(crew.end)
        crew.go_on()
        with ThreadPoolExecutor(profile.writers) as pool:
            for each in [pool.submit(Victim(lab, number).work) for number in range(profile.writers)]:
                each.result()
        crew.rest()
        head = store.head()
        crew.until(lambda: common.handed.get("follower", 0) >= head)
        figures = figures_of(
            common.records,
            store,
            server,
            schema,
            title=f"cuts, PostgreSQL {server.version}, seed {profile.seed}, {time.monotonic() - start:.1f} s",
            done=(f"slowest answer {lab.slowest:.1f} s", f"told that the outcome is unknown {lab.unknown} times"),
            happened={f"cut {point}": count for point, count in lab.cut.items()},
        )
        figures.damage += lab.faults
    return figures


def main() -> int:
    asked = long_runs.arguments(__doc__, cuts=100)
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that was cut
    with long_runs.server_of(asked.on) as server:
        figures = cuts(server, Profile(asked.cuts, asked.seed))
    print(figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
