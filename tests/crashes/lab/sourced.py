"""A loop that appends a file line by line is killed again and again, and begins again at an earlier line.

    python -m tests.crashes.lab.sourced --seconds 60 --database postgres

Each line is an `evstore append --source FILE@LINE`, a process of its own, which gets kill -9 at a random moment. The
loop remembers nothing but about where it was. In the end each line is stored once, in its place.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from evstore import connect
from tests.crashes.lab.result import Counts
from tests.support import long_runs
from tests.support.command import Command
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

STREAM: Final = "Lines-1"
FILE: Final = "lines@1.txt"
MOST_BACK: Final = 6
"""Lines by which a loop begins too early, at most."""
CALM: Final = 0.3
"""The part of the commands that nobody kills."""


@dataclass
class Figures:
    """The outcome of a run."""

    killed: int = 0
    stored_though_killed: int = 0
    answered: int = 0
    duplicates: int = 0
    """Answers that the line was taken before."""
    lines: int = 0
    twice: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    astray: list[int] = field(default_factory=list)
    """Lines that do not stand at their version."""

    def judge(self, stored: Sequence[int]) -> None:
        """Compare what is stored with the lines from 1 on, each once and in order."""
        times = Counter(stored)
        self.twice = sorted(line for line, count in times.items() if count > 1)
        self.missing = sorted({*range(1, self.lines + 1)} - {*times})
        self.astray = [line for version, line in enumerate(stored, 1) if line != version]

    @property
    def counts(self) -> Counts:
        said = [f"line {line} does not stand at its version" for line in self.astray]
        return Counts(self.lines, len(self.missing), len(self.twice), len(self.astray), None, None, tuple(said))

    @property
    def ok(self) -> bool:
        return not (self.twice or self.missing or self.astray)


class Loop:
    """A script that takes lines of a file, from a line on, until it is killed."""

    def __init__(self, command: Command, seed: int, *, with_source: bool = True) -> None:
        self._command = command
        self._rng = Random(seed)
        self._with_source = with_source
        self._lasts = 0.2  # seconds that a command takes, about
        self._known = 0  # lines that are stored for certain
        self.figures = Figures()

    def run(self, seconds: float, *, kills: int = 1) -> Figures:
        """Run and be killed for so long, and so often, then run once more to the last line that was tried."""
        self._take(1, kill=False)
        end = time.monotonic() + seconds
        while time.monotonic() < end or self.figures.killed < kills:
            self._until_killed(self._earlier())
        for line in range(self._earlier(), self.figures.lines + 1):
            self._take(line, kill=False)
        with connect(self._command.url) as store:
            self.figures.judge([event.data for event in store.read(STREAM)])
        return self.figures

    def _earlier(self) -> int:
        return max(1, self._known + 1 - self._rng.randrange(1, MOST_BACK))

    def _until_killed(self, line: int) -> None:
        while self._take(line, kill=self._rng.random() > CALM):
            line += 1

    def _take(self, line: int, *, kill: bool) -> bool:
        """Append the line. False if the command was killed."""
        self.figures.lines = max(self.figures.lines, line)
        source = ("--source", f"{FILE}@{line}") if self._with_source else ()
        begin = time.monotonic()
        after = self._rng.uniform(0.2, 1.2) * self._lasts if kill else PATIENCE
        ended = self._command.killed_after(after, "append", STREAM, "-t", "Read", "-d", f"{line}", *source)
        if ended.code not in (0, -SIGKILL) or ended.err:
            raise ChildProcessError(f"evstore append ended with {ended.code}: {ended.err}")
        if ended.code == 0:
            self._lasts += (time.monotonic() - begin - self._lasts) / 4
        self._heed(line, ended.out if ended.out.endswith(b"\n") else b"", killed=ended.code != 0)
        return ended.code == 0

    def _heed(self, line: int, out: bytes, *, killed: bool) -> None:
        self.figures.killed += killed
        if out:  # the receipt, which counts also where the command was killed after it
            receipt = json.loads(out)
            self.figures.answered += 1
            self.figures.duplicates += receipt["duplicate"]
            self.figures.stored_though_killed += receipt["duplicate"] and line > self._known
            self._known = max(self._known, line)


def main() -> int:
    asked = long_runs.arguments(__doc__, seconds=60.0, database="sqlite")
    on_a_server = asked.database != "sqlite"
    with (
        TemporaryDirectory(prefix="evstore-source-") as folder,
        long_runs.server_of(asked.on) if on_a_server else nullcontext() as server,
    ):
        command = Command(Path(folder), server.url(server.schema()) if server else "")
        command.ok("init")
        figures = Loop(command, asked.seed).run(asked.seconds)
        print(f"{asked.on if on_a_server else 'sqlite'}, {asked.seconds:g} s: {figures}")
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
