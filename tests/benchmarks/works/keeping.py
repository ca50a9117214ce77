"""Import and checks of a store, and its size on disk and in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.benchmarks.comparing import Rival, Work, at_least, at_most
from tests.benchmarks.lab import append_lines
from tests.benchmarks.processes import evstore, peak, seconds
from tests.benchmarks.registry import work
from tests.benchmarks.works.bulk import append_many
from tests.benchmarks.works.reading import replay

if TYPE_CHECKING:
    from tests.benchmarks.comparing import Measure
    from tests.benchmarks.lab import Lab

MEMORY: Final = 60e6
BYTES: Final = 320.0


@work("import-sqlite", "import, SQLite")
def import_sqlite(lab: Lab) -> Work:
    def ours() -> float:
        path = lab.sqlite("import")
        return seconds(evstore("import", str(lab.exported), "--db", str(path)))

    return Work(ours, [Rival("append --many of the same events", lambda: append_many(lab), at_least(0.8))])


@work("verify-sqlite", "verify, SQLite")
def verify_sqlite(lab: Lab) -> Work:
    return Work(
        lambda: seconds(evstore("verify", "--db", str(lab.filled))),
        [Rival("replay --all to a pipe", lambda: replay(lab), at_most(1.5))],
    )


def _memory(measure: Measure) -> Work:
    """The peak memory of a command over the input; the reach holds for 10^7 events as for a few."""
    return Work(measure, [Rival("60 MB", lambda: MEMORY, at_most(1))], unit="B")


@work("memory-append-many", "peak memory of append --many -, SQLite")
def memory_append_many(lab: Lab) -> Work:
    return _memory(
        lambda: peak(evstore("append", "--many", "-", "--db", str(lab.sqlite("memory"))), stdin=lab.lines)
    )


@work("memory-import", "peak memory of import, SQLite")
def memory_import(lab: Lab) -> Work:
    return _memory(lambda: peak(evstore("import", str(lab.exported), "--db", str(lab.sqlite("memory")))))


@work("memory-replay", "peak memory of replay --all, SQLite")
def memory_replay(lab: Lab) -> Work:
    return _memory(lambda: peak(evstore("replay", "--all", "--db", str(lab.filled))))


@work("memory-verify", "peak memory of verify, SQLite")
def memory_verify(lab: Lab) -> Work:
    return _memory(lambda: peak(evstore("verify", "--db", str(lab.filled))))


@work("bytes-sqlite", "bytes a stored event, 220 B of data and metadata, SQLite")
def bytes_sqlite(lab: Lab) -> Work:
    """Measured after the store is closed, when its log is part of the file."""

    def ours() -> float:
        shape = replace(lab.sizes.shape, large=0.0)
        path = lab.sqlite("bytes")
        append_lines(lab.lines_of(shape), str(path))
        return path.stat().st_size / shape.events

    return Work(ours, [Rival("320 B", lambda: BYTES, at_most(1))], unit="B")
