"""What the longer runs of a harness take from the command line, and the server that they run on."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.support.installed_postgres import KINDS
from tests.support.servers import Servers

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from tests.support.servers import Server


def arguments(description: str | None, **defaults: float | str) -> Namespace:
    """The options with these defaults, and those that every harness has. Prints the seed."""
    parser = ArgumentParser(description=description)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=a_seed())
    parser.add_argument("--on", choices=[kind.name for kind in KINDS], default=KINDS[0].name if KINDS else None)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    return asked


def a_seed() -> int:
    return SystemRandom().randrange(10**6)


@contextmanager
def server_of(name: str) -> Iterator[Server]:
    """A server of the kind with this name, that runs for the block."""
    servers = Servers()
    try:
        server = servers.of(next(kind for kind in KINDS if kind.name == name))
        server.start()
        yield server
    finally:
        servers.close()
