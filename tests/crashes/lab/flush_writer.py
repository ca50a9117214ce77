"""A process whose system calls are watched: threads append to one SQLite store, and print each id when it is stored."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from evstore import EventData, connect
from tests.crashes.lab.power_writer import WITHOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "e57e57e5-7e57"
"""The beginning of the ids that are looked for in what is written and sent."""


def ids(who: int, count: int) -> Iterator[str]:
    return (f"{MARK}-4000-8{who:03x}-{number:012x}" for number in range(1, count + 1))


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--appends", type=int, required=True, help="of each thread")
    parser.add_argument("--without", choices=WITHOUT)
    asked = parser.parse_args()

    def write(who: int) -> None:
        for each in ids(who, asked.appends):
            store.append(f"Order-{who}", [EventData("Placed", {}, id=each)])
            os.write(sys.stdout.fileno(), f"{each}\n".encode())

    with WITHOUT[asked.without]() if asked.without else nullcontext(), connect(asked.url) as store:
        with ThreadPoolExecutor(asked.threads) as threads:
            for done in [threads.submit(write, who) for who in range(asked.threads)]:
                done.result()


if __name__ == "__main__":
    main()
