"""A process that works on a store until it is killed, and tells its standard output what it does.

It ends by itself as soon as nobody reads that, so that it cannot outlive the test.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NoReturn

from evstore import Appended, StoreReplacedError, connect
from evstore.cli.exits import CODES
from evstore.model.ids import new_id
from tests.crashes.lab import history, recorded
from tests.crashes.lab.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore import EventStore, EvstoreError
    from tests.crashes.lab.history import Part
    from tests.crashes.lab.recorded import Tell

    Append = Callable[..., Appended | EvstoreError]

QUIET_SECONDS = 60.0
PAUSE_SECONDS = 0.05


def write(
    store: EventStore, tell: Tell, who: str, names: str, rng: Random, append: Append = recorded.append
) -> NoReturn:
    """Append for ever, some appends twice, and read the end of the log now and then."""
    load = Load(rng, names)
    number = head = 0
    while True:
        number += 1
        parts = load.next()
        outcome = append(store, tell, f"{who}-{number}", parts)
        load.learn(parts, outcome)
        if isinstance(outcome, Appended):
            head = outcome[-1].global_position
            if append is not _made and rng.random() < 0.03:
                append(store, tell, f"{who}-{number}-repeated", parts)
        if head and rng.random() < 0.1:
            recorded.read(store, tell, max(0, head - rng.randrange(200)), rng.choice((None, 50)))


def _made(store: EventStore, tell: Tell, op: str, parts: tuple[Part, ...]) -> Appended | EvstoreError:
    """Append with ids as evstore makes them, told before."""
    ids = [new_id() for part in parts for _ in part.events]
    return recorded.append(store, tell, op, recorded.with_ids(parts, ids))


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("role", choices=("write", "follow"))
    parser.add_argument("url")
    parser.add_argument("who")
    parser.add_argument("--names", default="")
    parser.add_argument("--seed", default="")
    parser.add_argument("--insistent", action="store_true", help="that the store is away is no reason to end")
    parser.add_argument("--made", action="store_true", help="ids are those that evstore makes")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--to", type=int)
    asked = parser.parse_args()
    tell = partial(history.tell, sys.stdout.fileno())
    with connect(asked.url) as store:
        try:
            if asked.role == "write":
                append = (
                    partial(recorded.insist, wait=partial(time.sleep, PAUSE_SECONDS))
                    if asked.insistent
                    else recorded.append
                )
                append = _made if asked.made else append
                write(store, tell, asked.who, asked.names, Random(asked.seed), append)
            recorded.follow(store, tell, asked.who, asked.after, to=asked.to, patience=QUIET_SECONDS)
        except StoreReplacedError as error:
            sys.exit(CODES[error.code])


if __name__ == "__main__":
    main()
