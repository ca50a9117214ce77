"""All faults that evstore is tried against, and what each of them found, as one table.

    python -m tests.crashes --profile long --seed 7 --json found.json

The short profile takes a minute. The faults of the long one took two hours in all, beside other work on two cores.
`--part 1/2` and `--part 2/2` run every other fault, for two at a time. The exit code is 1 if something was lost,
doubled, passed over, stored in part or otherwise wrong, or if a lab did not find a fault that was made on purpose. A
seed repeats what is asked and when processes are killed, not how the system lets them run.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.crashes.catalogue import FAULTS, Asked
from tests.crashes.lab.result import HEAD, Counts, Result, summary
from tests.support import long_runs
from tests.support.installed_postgres import KINDS
from tests.support.servers import last_words

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from tests.crashes.catalogue import Fault
    from tests.support.servers import Server


def _arguments() -> Namespace:
    summary_, _, more = (__doc__ or "").partition("\n")
    parser = ArgumentParser(
        "python -m tests.crashes", description=f"{summary_}\n{more}", formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", choices=["short", "long"], default="short")
    parser.add_argument("--seed", type=int, default=long_runs.a_seed())
    parser.add_argument("--only", nargs="+", metavar="FAULT", help="names as --list prints them")
    parser.add_argument("--database", choices=sorted({each.database for each in FAULTS}))
    parser.add_argument("--on", choices=[kind.name for kind in KINDS], default=KINDS[0].name if KINDS else None)
    parser.add_argument("--part", default="1/1", help="2/3: of three runs, this is the second")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write each result there, with what the lab said"
    )
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.only or ()) - {each.name for each in FAULTS}:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; see --list")
    return asked


def chosen(asked: Namespace) -> list[Fault]:
    """The faults of a profile, or those that are named; of several parts, one."""
    part, parts = map(int, asked.part.split("/"))
    found = [
        each
        for each in FAULTS
        if (each.name in asked.only if asked.only else size(each, asked.profile))
        and asked.database in (None, each.database)
    ]
    return found[part - 1 :: parts]


def size(fault: Fault, profile: str) -> float:
    """How much of it. Named alone, a fault without a short form runs once."""
    return fault.long if profile == "long" else fault.short


def _cpu() -> float:
    """Seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def results_of(fault: Fault, much: float, seed: int, server: Callable[[], Server]) -> list[Result]:
    """Make the fault, in a folder of its own. Mostly there is one result; the first has the seconds of all."""
    begin, cpu = time.monotonic(), _cpu()
    first = Result(
        fault=fault.title, database=fault.database, cycles=0, counts=Counts(), seed=seed, must_find=fault.must_find
    )
    found = [first]
    try:
        with TemporaryDirectory(prefix="evstore-crashes-") as folder, ExitStack() as ends:
            told = cache(lambda: ends.enter_context(last_words(server())))
            ran = fault.run(Asked(seed, much, Path(folder).resolve(), told))
        several = ran if isinstance(ran, dict) else {fault.title: ran}
        found = [
            replace(first, fault=title, cycles=each.cycles, counts=each.counts, done=each.done, note=each.note)
            for title, each in several.items()
        ]
    except pytest.skip.Exception as skipped:
        first.not_run = str(skipped)
    except Exception as error:  # noqa: BLE001 - whatever a lab raises is a fault, and the others go on
        first.counts = Counts(faults=(f"the lab ended with {error!r}",))
        first.note = traceback.format_exc()
        first.must_find = False
    found[0].seconds, found[0].cpu_seconds = time.monotonic() - begin, _cpu() - cpu
    return found


def results(faults: list[Fault], asked: Namespace) -> Iterator[Result]:
    with ExitStack() as ends:

        @cache
        def server() -> Server:
            return ends.enter_context(long_runs.server_of(asked.on))

        for fault in faults:
            yield from results_of(fault, size(fault, asked.profile) or 1, asked.seed, server)


def main() -> int:
    asked = _arguments()
    faults = chosen(asked)
    if asked.list:
        for each in faults:
            print(f"{each.name:24}{each.database:12}{each.short:>6g}{each.long:>6g}  {each.title}")
        return 0
    logging.getLogger("psycopg.pool").disabled = True  # it tells of each connection that a stop has broken
    print(f"seed {asked.seed}, profile {asked.profile}\n\n{HEAD}", flush=True)
    found: list[Result] = []
    for each in results(faults, asked):
        found.append(each)
        print(each.row(), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps([one.members() for one in found], indent=1))
    print(f"\n{summary(found)}")
    for each in found:
        if each.failed or each.not_run:
            said = [each.not_run] if each.not_run else [*each.counts.faults[:20], each.note]
            print(f"\n{each.database}, {each.fault}: {each.verdict}", *said, sep="\n  ")
    return 1 if any(each.failed for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
