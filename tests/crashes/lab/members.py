"""Members of a consumer leave and join while others append: each event is handled once, and its stream in order.

    python -m tests.crashes.lab.members --database postgres --crews 4 3 5 --seconds 10

Each crew of members takes the place of the one before: it joins while the others are at work, and these leave one
after another by SIGTERM. One member of each crew is `evstore subscribe`, the others use the library. All write into
one file when a batch begins and when it ends, so that the order of its lines is the order of what happened.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import defaultdict
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore import EventData, connect
from tests.crashes.lab.consuming import new_store
from tests.crashes.lab.member import BATCH, NAME, work, write
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from multiprocessing.context import ForkServerProcess

WRITERS: Final = 2
COMMAND: Final = r"""
trap '' TERM
positions=$(sed 's/.*"globalPosition":\([0-9]*\).*/\1/' | paste -s -d ' ' -)
echo "+ $1 $positions" >> "$0"
echo "- $1 $positions" >> "$0"
"""
"""Without the trap, a signal that is passed on would end it within a batch, which is then handled again."""
_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crashes.lab.member"])


class Profile(NamedTuple):
    crews: tuple[int, ...]
    """The number of members of each crew."""
    seed: int
    seconds: float = 0.0
    """For which a crew works at least; it works until each of its members has handled something."""
    streams: int = 1000
    greedy: bool = False
    """A member does not honour slots: the fault that must be found."""


class Outcome(NamedTuple):
    crews: tuple[int, ...]
    streams: int
    events: int
    handled: Mapping[str, int]
    """Events by member."""
    moved: int
    """Streams of which several members have handled events."""
    faults: list[str]
    seconds: float = 0.0

    @property
    def counts(self) -> Counts:
        return Counts(self.events, faults=tuple(self.faults))

    def __str__(self) -> str:
        shares = ", ".join(f"{who} {events}" for who, events in sorted(self.handled.items()))
        return (
            f"{self.seconds:.1f} s, members {', then '.join(map(str, self.crews))}; streams {self.streams}, "
            f"of which {self.moved} moved between members; events {self.events}, handled {shares}; "
            f"faults {len(self.faults)}"
        )


class _Member:
    """A process that works for its part of the slots."""

    def __init__(self, who: str, process: ForkServerProcess | subprocess.Popen[bytes]) -> None:
        self.who = who
        self._process = process

    def leave(self) -> str:
        """End it by SIGTERM; its exit code, if that is another one than a member has that was not in trouble."""
        process = self._process
        process.terminate()
        if isinstance(process, subprocess.Popen):
            code: int | None = process.wait(PATIENCE)
            return "" if code == -signal.SIGTERM else f"{self.who} ended with {code}"
        process.join(PATIENCE)
        return "" if process.exitcode == 0 else f"{self.who} ended with {process.exitcode}"


class Lab:
    """One store, its writers, and the members that follow upon each other."""

    def __init__(self, url: str, folder: Path, profile: Profile) -> None:
        self._url, self._profile = url, profile
        self._chance = Random(profile.seed)
        self._enough = folder / "enough"
        self._file = folder / "handled"
        self.faults: list[str] = []

    def run(self) -> None:
        """Let the crews follow upon each other while writers append, then let the last one handle the rest."""
        self._file.touch()
        words = (self._profile.streams, str(self._enough))
        writers = [self._start(write, self._url, who, *words) for who in range(WRITERS)]
        crew: list[_Member] = []
        try:
            for number, size in enumerate(self._profile.crews, 1):
                joined = [self._joined(f"{number}:{one}/{size}", (one, size)) for one in range(1, size + 1)]
                self._part_from(crew)
                crew = joined
                self._let_work(crew)
            self._enough.touch()
            for each in writers:
                each.join(PATIENCE)
            with connect(self._url) as store:
                if not store.consumers.wait(NAME, store.head(), PATIENCE):
                    self.faults.append(f"after {PATIENCE} s the members stand at {store.consumers.get(NAME)}")
        finally:
            self._enough.touch()
            self._part_from(crew)

    def _joined(self, who: str, member: tuple[int, int]) -> _Member:
        if member[0] == 1 and not self._profile.greedy:
            words = ["--db", self._url, "subscribe", NAME, "Work", "--member", f"{member[0]}/{member[1]}"]
            line = [*words, "--batch", str(BATCH), "--", "sh", "-c", COMMAND, str(self._file), who]
            started = [sys.executable, "-m", "evstore", "--quiet", *line]
            return _Member(who, subprocess.Popen(started, stdout=subprocess.DEVNULL))
        given = (self._url, who, member, str(self._file))
        return _Member(who, self._start(work, *given, greedy=self._profile.greedy))

    def _start(self, target: Callable[..., None], *given: object, **named: object) -> ForkServerProcess:
        process = _CONTEXT.Process(target=target, args=given, kwargs=named, daemon=True)
        process.start()
        return process

    def _part_from(self, crew: list[_Member]) -> None:
        self._chance.shuffle(crew)
        for each in crew:
            time.sleep(self._chance.uniform(0, 0.2))
            if fault := each.leave():
                self.faults.append(fault)

    def _let_work(self, crew: list[_Member]) -> None:
        until = time.monotonic() + self._profile.seconds
        for each in crew:
            wait_for(lambda each=each: f"- {each.who} " in self._file.read_text())
        time.sleep(max(0.0, until - time.monotonic()))

    def judged(self) -> Outcome:
        with connect(self._url) as store:
            streams = {event.global_position: event.stream_id for event in store.replay(["Work"])}
        found = judge(self._file.read_text().splitlines(), streams)
        return found._replace(crews=self._profile.crews, faults=[*self.faults, *found.faults])


def judge(lines: Iterable[str], streams: Mapping[int, str]) -> Outcome:
    """Hold what members wrote down against the log, whose streams stand by the positions of their events."""
    faults: list[str] = []
    at_work: dict[str, set[str]] = defaultdict(set)
    members: dict[str, set[str]] = defaultdict(set)
    reached: dict[str, int] = defaultdict(int)
    handled: dict[str, int] = defaultdict(int)
    left = {*streams}
    for line in lines:
        sign, who, *texts = line.split()
        positions = [*map(int, texts)]
        for stream in {streams[position] for position in positions}:
            if sign == "-":
                at_work[stream].discard(who)
                continue
            faults.extend(f"{stream} was in {who} while it was in {other}" for other in at_work[stream])
            at_work[stream].add(who)
            members[stream].add(who)
        if sign == "-":
            continue
        handled[who] += len(positions)
        for position in positions:
            stream = streams[position]
            if position not in left:
                faults.append(f"{position} of {stream} was handled again, by {who}")
            elif position < reached[stream]:
                faults.append(f"{position} of {stream} came to {who} after {reached[stream]}")
            left.discard(position)
            reached[stream] = max(reached[stream], position)
    faults.extend(f"{position} of {streams[position]} was not handled" for position in sorted(left))
    moved = sum(1 for those in members.values() if len(those) > 1)
    return Outcome((), len({*streams.values()}), len(streams), handled, moved, faults)


def changes(url: str, folder: Path, profile: Profile) -> Outcome:
    """Run the profile on an empty store, and judge what is left."""
    with connect(url) as store:
        store.append_many((f"Work-{n}", [EventData("Done", {})], -1) for n in range(profile.streams))
    start = time.monotonic()
    lab = Lab(url, folder, profile)
    lab.run()
    return lab.judged()._replace(seconds=time.monotonic() - start)


def main() -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", default="sqlite", choices=["sqlite", "postgres"])
    parser.add_argument("--on", default="postgres-18")
    parser.add_argument("--crews", type=int, nargs="+", default=[4, 3, 5])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with (
        TemporaryDirectory(prefix="evstore-members-") as place,
        new_store(asked.database, asked.on, Path(place)) as url,
    ):
        profile = Profile(tuple(asked.crews), asked.seed, asked.seconds, asked.streams)
        outcome = changes(url, Path(place), profile)
    print(f"{asked.database}: {outcome}")
    for fault in outcome.faults:
        print(fault)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
