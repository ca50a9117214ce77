"""What others do to the store of a command, on whichever database it lies."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support import postgres_sessions
from tests.support.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Command


def server_of(command: Command) -> tuple[Server, str]:
    """Where its store lies, and in which schema."""
    return Server("", command.database), parse_qs(urlsplit(command.database).query)["schema"][0]


@contextmanager
def writing(command: Command) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    if not command.database:
        with open(command.folder / "evstore.db-lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    server, schema = server_of(command)
    with postgres_sessions.writing(server, schema):
        yield


def remove(command: Command) -> None:
    """Take its store away, and all that belongs to it."""
    if command.database:
        server, schema = server_of(command)
        server.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    for each in command.folder.iterdir():
        each.unlink()
