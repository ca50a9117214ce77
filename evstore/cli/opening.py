"""From `--db` to a store."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from evstore.cli.options import DEFAULT_DB
from evstore.cli.render import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer

    from evstore import EventStore


@contextmanager
def opened(context: typer.Context, db: str | None) -> Iterator[EventStore]:
    """The store that `--db` names, before or behind the command; closed afterwards."""
    from evstore.store import connect  # noqa: PLC0415

    # Not Typer's envvar: it would let the environment win over a --db before the command.
    url = db or context.obj or os.environ.get("EVSTORE_DB") or DEFAULT_DB
    options: dict[str, Any] = {}
    if find_spec("pysqlite3") and not url.startswith("memory:"):
        # This process is the command's own, so that no other SQLite can have the file open in it.
        import pysqlite3  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: PLC0415

        options["sqlite"] = pysqlite3
    if url == "memory:":
        note("memory: forgets everything when this command ends")
    with connect(url, **options) as store:
        yield store


def stdin_is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
