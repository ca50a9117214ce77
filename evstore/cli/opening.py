"""From `--db` to a store."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.output.writer import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore


@contextmanager
def opened() -> Iterator[EventStore]:
    """The store that `--db` names; closed afterwards."""
    from evstore.connecting import connect

    url = _url(settings.current.db)
    options: dict[str, Any] = {}
    if settings.current.timeout is not None:
        options["timeout"] = settings.current.timeout
    if _scheme(url).startswith("postgres"):
        options["pool_size"] = 1  # a command does one thing at a time
        options["connect_timeout"] = settings.current.timeout
    elif _scheme(url) in ("", "sqlite") and find_spec("pysqlite3"):
        # This process is the command's own, so that no other SQLite can have the file open in it.
        import pysqlite3  # type: ignore[import-not-found, import-untyped, unused-ignore]

        options["sqlite"] = pysqlite3
    if url == "memory:":
        note("memory: forgets everything when this command ends")
    with connect(url, **options) as store:  # a URL that cannot be read is not shown
        if settings.current.verbose:
            note(f"the store is {_place(url)}")
        yield store


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower() if ":" in url else ""


def _place(url: str) -> str:
    """Where the store is: the absolute path of a file, or the URL without its password."""
    from evstore.urls import redacted

    scheme, colon, _ = url.partition(":")
    if colon and scheme.lower() != "sqlite":
        return redacted(url)
    from evstore.adapters.sqlite.location import path_of

    return os.path.realpath(path_of(url if colon else f"sqlite:{url}"))


def _url(said: str) -> str:
    """`env:NAME` stands for what that variable holds, so that a password is in no list of processes."""
    if not said.startswith("env:"):
        return said
    name = said.removeprefix("env:")
    found = os.environ.get(name)
    if not found:
        raise UsageError(f'--db says "{said}", but the variable {name or "without a name"} is not set')
    return found


def stdin_is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
