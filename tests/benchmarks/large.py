"""A large log through each command that writes or reads all of it: seconds, CPU, and memory at its peak.

    python -m tests.benchmarks.large --events 10000000 --streams 1000000 --database sqlite

A second store is imported from the export of the first, and its own export has to be the same bytes. Memory is
that of the command, not of a server.
"""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from evstore import connect
from tests.benchmarks.generating import Shape, envelopes, write
from tests.benchmarks.processes import ROOT, environment, evstore
from tests.support.installed_postgres import KINDS
from tests.support.long_runs import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A process begins with the peak of whoever started it, which therefore must be small.
_MEASURING: Final = """
import os, sys, time
begun = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
print(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Step:
    """A command and what it took; memory in kB."""

    name: str
    seconds: float
    cpu: float
    memory: int


def measured(name: str, argv: Sequence[str], given: Path | None = None) -> Step:
    """Run a command. Raises CalledProcessError."""
    with (given or Path("/dev/null")).open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MEASURING, *argv],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=ROOT,
        )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, stderr=done.stderr)
    seconds, cpu, memory = done.stderr.splitlines()[-1].split()
    step = Step(name, float(seconds), float(cpu), int(memory))
    print(f"{name}: {step.seconds:.1f} s", file=sys.stderr)
    return step


def through(folder: Path, lines: Path, first: str, second: str) -> Iterator[Step]:
    """Load, read, check, export and import the lines. Raises ValueError if the two stores differ."""
    exports = [folder / "first.ndjson", folder / "second.ndjson"]
    for url in (first, second):
        with connect(url) as store:
            store.initialize()
    # All in one step would all lie in the log of the file, and a batch lies in memory.
    loading = ("append", "--many", "-", "--batch", "5000")
    yield measured(f"`{' '.join(loading)}`", evstore(*loading, "--db", first), lines)
    yield from _at_size(first)
    yield measured("`replay --all`", evstore("replay", "--all", "--db", first))
    yield measured("`verify`", evstore("verify", "--db", first))
    yield measured("`export`", evstore("export", "-O", str(exports[0]), "--db", first))
    yield measured("`import`", evstore("import", str(exports[0]), "--db", second))
    yield measured("`verify` of the second", evstore("verify", "--db", second))
    yield measured("`export` of the second", evstore("export", "-O", str(exports[1]), "--db", second))
    yield measured("`diff`", evstore("diff", second, "--db", first))
    if not cmp(*exports, shallow=False):
        raise ValueError("the two exports differ")


def _at_size(url: str) -> Iterator[Step]:
    """What must not take longer in a large log than in a small one."""
    with connect(url) as store:
        stream_id = next(iter(store.replay(after=store.head() // 2, limit=1))).stream_id
    for words in (
        ("read", stream_id, "-n", "100"),
        ("replay", "--all", "--last", "100"),
        ("replay", "--all", "--since", "1h", "-n", "1"),
        ("categories",),
        ("info",),
        ("append", stream_id, "-t", "Measured", "-d", "1"),
    ):
        yield measured(f"`{' '.join(words).replace(stream_id, 'STREAM')}`", evstore(*words, "--db", url))


@contextmanager
def _places(database: str, folder: Path) -> Iterator[tuple[str, str]]:
    if database == "sqlite":
        yield f"sqlite:{folder}/first.db", f"sqlite:{folder}/second.db"
        return
    with server_of(KINDS[0].name) as server:
        yield server.place(), server.place()


def main() -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--streams", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="on a disk that counts (default: the temporary folder)")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="evstore-large-", dir=asked.folder) as made:
        folder = Path(made)
        lines = folder / "events.ndjson"
        begun = time.monotonic()
        write(envelopes(Shape(asked.seed, asked.events, asked.streams, correlated=0.5)), lines)
        print(f"generated in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        print(
            f"| {asked.events:,} events in {asked.streams:,} streams | seconds | CPU, s | memory, MB |\n|---|---|---|---|"
        )
        with _places(asked.database, folder) as (first, second):
            for step in through(folder, lines, first, second):
                print(
                    f"| {step.name} | {step.seconds:.2f} | {step.cpu:.2f} | {step.memory / 1000:.0f} |", flush=True
                )
        for path in sorted(folder.glob("*.db*")):
            print(f"{path.name}: {path.stat().st_size / asked.events:.0f} bytes an event")
    return 0


if __name__ == "__main__":
    sys.exit(main())
