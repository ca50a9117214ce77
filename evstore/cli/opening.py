"""From `--db` to a store."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.output.writer import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from evstore.model.facts import LockWait


@contextmanager
def opened_too(url: str) -> Iterator[EventStore]:
    """A store beside the one of `--db`; closed afterwards. Hints about it name its URL."""
    from evstore.errors import SchemaError

    with opened(url) as other:
        try:
            yield other
        except SchemaError as error:
            if error.location == other.location:
                settings.current.given_db = url
            raise


@contextmanager
def opened(db: str | None = None) -> Iterator[EventStore]:
    """The store at this URL, or that `--db` names; closed afterwards."""
    from evstore.connecting import connect_for_command

    url = _url("URL" if db else "--db", db or settings.current.db)
    if url == "memory:":
        note("memory: forgets everything when this command ends")
    # A URL that cannot be read is not shown.
    with connect_for_command(url, settings.current.timeout, _note_wait) as store:
        if settings.current.verbose:
            note(f"the store is {store.location}")
        try:
            yield store
        finally:
            for each in store.notes:
                note(each)


def _note_wait(wait: LockWait) -> None:
    note(f"{wait} (--timeout)")


def _url(name: str, db: str) -> str:
    """`env:NAME` stands for what that variable holds, so that a password is in no list of processes."""
    if not db.startswith("env:"):
        return db
    variable = db.removeprefix("env:")
    found = os.environ.get(variable)
    if not found:
        raise UsageError(f'{name} is "{db}", but the variable {variable or "without a name"} is not set')
    return found


def stdin_is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
