"""Measure evstore side by side with peers and floors, on this machine, with durability on.

    python -m tests.benchmarks --list
    python -m tests.benchmarks --only append-many-sqlite --events 500000

The table goes to stdout, progress to stderr, every sample to the file of --json. A ratio with a reach of "≥" is how
many times as fast as the rival; with "≤" how many times its time or size. Peers are installed once, apart from
evstore, below a cache folder; a peer that is absent or fails is reported with its reason.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import report
from tests.benchmarks.comparing import FAILED, AbsentError, Comparison, compared, reason_of
from tests.benchmarks.generating import Shape
from tests.benchmarks.lab import Lab, Sizes
from tests.benchmarks.peer_environment import Peers, cache_folder
from tests.benchmarks.works import WORKS
from tests.support.installed_postgres import KINDS
from tests.support.long_runs import a_seed

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.registry import Entry


def parser() -> ArgumentParser:
    asked = ArgumentParser(
        "python -m tests.benchmarks", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    asked.add_argument("--list", action="store_true", help="print the names of the works, and end")
    asked.add_argument(
        "--only", action="append", choices=list(WORKS), metavar="NAME", help="this work; repeatable"
    )
    asked.add_argument("--rounds", type=int, default=5, help="rounds of A B A B (default: 5)")
    asked.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file")
    given = asked.add_argument_group("input")
    given.add_argument(
        "--data", type=Path, metavar="FILE", help="envelopes with streamId, perhaps .gz; else generated"
    )
    given.add_argument("--events", type=int, default=100_000, help="at most so many events (default: 100000)")
    given.add_argument("--streams", type=int, default=10_000, help="in so many streams (default: 10000)")
    given.add_argument("--large", type=float, default=0.01, help="the share of 16 KiB events (default: 0.01)")
    given.add_argument(
        "--correlated", type=float, default=0.5, help="the share with a correlation id (default: 0.5)"
    )
    given.add_argument("--seed", type=int, default=a_seed())
    sizes = asked.add_argument_group("works that append one by one")
    sizes.add_argument("--appends", type=int, default=2000, help="events in a sample (default: 2000)")
    sizes.add_argument("--seconds", type=float, default=3.0, help="of a sample with many writers (default: 3)")
    places = asked.add_argument_group("places")
    places.add_argument(
        "--folder", type=Path, help="for stores; on a disk that counts (default: the temporary folder)"
    )
    places.add_argument("--cache", type=Path, default=cache_folder(), help="for the environment of the peers")
    places.add_argument("--no-peers", action="store_true", help="install and run no peer")
    names = [kind.name for kind in KINDS]
    places.add_argument("--on", choices=names, default=names[0] if names else "", help="the PostgreSQL")
    return asked


def comparisons(entry: Entry, lab: Lab, rounds: int) -> Iterator[Comparison]:
    """The comparisons of one work; a work that cannot be made is one failed comparison."""
    try:
        made = entry.make(lab)
    except Exception as error:  # noqa: BLE001 - the other works are measured still
        absent = isinstance(error, AbsentError)
        yield Comparison(entry.title, "-", None, reason=str(error) if absent else reason_of(error), absent=absent)
        return
    yield from compared(entry.title, made, rounds)


def measured(lab: Lab, names: Sequence[str], rounds: int) -> list[Comparison]:
    """The comparisons of these works, or of those that were measured when the run was interrupted."""
    found: list[Comparison] = []
    try:
        for name in names:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            for each in comparisons(WORKS[name], lab, rounds):
                print(*report.row(each)[1:], sep=" | ", file=sys.stderr, flush=True)
                found.append(each)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return found


def lab_of(asked: Namespace) -> Lab:
    shape = Shape(asked.seed, asked.events, asked.streams, asked.large, asked.correlated)
    sizes = Sizes(shape, asked.appends, asked.seconds)
    peers = Peers(asked.cache, wanted=not asked.no_peers)
    return Lab(sizes, peers, data=asked.data, folder=asked.folder, postgres=asked.on)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table. Returns 1 if a work or a rival failed; a missed reach or an absent peer is no failure."""
    asked = parser().parse_args(words)
    if asked.list:
        for entry in WORKS.values():
            print(f"{entry.name:24} {entry.title}")
        return 0
    with lab_of(asked) as lab:
        found = measured(lab, asked.only or list(WORKS), asked.rounds)
        result = report.as_json(vars(asked), lab.used(), found)
    print(report.table(found))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 1 if any(each.verdict == FAILED for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
