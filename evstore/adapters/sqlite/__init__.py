"""The SQLite adapter: one file, no server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite.adapter import SqliteAdapter
from evstore.adapters.sqlite.location import path_of
from evstore.adapters.sqlite.module import check_version

if TYPE_CHECKING:
    from types import ModuleType

LONGEST_TIMEOUT: Final = 2_000_000.0  # SQLite counts milliseconds in 31 bits


def connect(url: str, *, timeout: float = 30.0, sqlite: ModuleType | None = None) -> SqliteAdapter:
    """`timeout`: seconds to wait for other writers. `sqlite`: the module to use, `sqlite3` by default; never
    two in one process on one file."""
    if sqlite is None:
        import sqlite3

        sqlite = sqlite3
    check_version(sqlite)
    path = path_of(url)
    named = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    return SqliteAdapter(sqlite, os.path.realpath(path), min(timeout, LONGEST_TIMEOUT), named)


def command_options(_timeout: float | None) -> dict[str, Any]:
    """The newer SQLite of `evstore[sqlite]`, if it is installed. A command's process is its own, so that no other
    SQLite can have the file open in it."""
    from importlib.util import find_spec

    if not find_spec("pysqlite3"):
        return {}
    import pysqlite3  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return {"sqlite": pysqlite3}
