"""A process that works on a store until it is killed, and tells its standard output what it does.

It ends by itself as soon as nobody reads that, so that it cannot outlive the test.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NoReturn

from evstore import Appended, connect
from tests.faults import history, recorded
from tests.faults.load import Load

if TYPE_CHECKING:
    from evstore import EventStore
    from tests.faults.recorded import Tell

QUIET_SECONDS = 60.0


def write(store: EventStore, tell: Tell, who: str, names: str, rng: Random) -> NoReturn:
    """Append for ever, and read the end of the log now and then."""
    load = Load(rng, names)
    number = head = 0
    while True:
        number += 1
        parts = load.next()
        outcome = recorded.append(store, tell, f"{who}-{number}", parts)
        load.learn(parts, outcome)
        if isinstance(outcome, Appended):
            head = outcome[-1].global_position
        if head and rng.random() < 0.1:
            recorded.read(store, tell, max(0, head - rng.randrange(200)), rng.choice((None, 50)))


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("role", choices=("write", "follow"))
    parser.add_argument("url")
    parser.add_argument("who")
    parser.add_argument("--names", default="")
    parser.add_argument("--seed", default="")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--to", type=int)
    asked = parser.parse_args()
    tell = partial(history.tell, sys.stdout.fileno())
    with connect(asked.url) as store:
        if asked.role == "write":
            write(store, tell, asked.who, asked.names, Random(asked.seed))
        recorded.follow(store, tell, asked.who, asked.after, to=asked.to, patience=QUIET_SECONDS)


if __name__ == "__main__":
    main()
