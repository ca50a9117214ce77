"""The outcome of a run: a table for people, an object for programs."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.comparing import COMPARED, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.comparing import Comparison

HEADINGS: Final = ("work", "ours", "against", "theirs", "ratio", "of pairs", "reach", "verdict")
PACKAGES: Final = ("evstore", "typer", "psycopg", "msgspec")


def row(found: Comparison) -> tuple[str, ...]:
    """The cells of a comparison. A reason takes the place of the verdict's details."""
    ours = shown(median(found.ours), found.unit) if found.ours else "-"
    theirs = shown(median(found.theirs), found.unit) if found.theirs else "-"
    ratio = "-" if found.ratio is None else f"{found.ratio:.2f}"
    spread = "-" if found.spread is None else "{:.2f} to {:.2f}".format(*found.spread)
    reach = "-" if found.reach is None else str(found.reach)
    verdict = f"{found.verdict}: {found.reason}" if found.reason else found.verdict
    return (found.work, ours, found.rival, theirs, ratio, spread, reach, "-" if verdict == COMPARED else verdict)


def table(rows: Sequence[Comparison]) -> str:
    """All comparisons as a table of Markdown, whose columns are aligned."""
    cells = [HEADINGS, *map(row, rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(HEADINGS) - 1)]

    def line(of: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(of, widths, strict=False)]
        return f"| {' | '.join([*padded, of[-1]])} |"

    rule = "|".join(["", *("-" * (width + 2) for width in widths), "---", ""])
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def as_json(options: Mapping[str, Any], used: Mapping[str, Any], rows: Sequence[Comparison]) -> dict[str, Any]:
    """The run as an object: the machine, the options, what the works used, and every comparison with its samples."""
    kept = {name: str(each) if isinstance(each, Path) else each for name, each in options.items()}
    return {
        "machine": machine(),
        "options": kept,
        "used": used,
        "comparisons": [each.as_json() for each in rows],
    }


def machine() -> dict[str, Any]:
    """The machine, the programs and the time of a run."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
