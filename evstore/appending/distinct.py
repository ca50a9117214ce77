"""Names counted once, in little memory however many they are."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IN_MEMORY: Final = 50_000
"""Names kept in memory; beyond that, they wait in a temporary database."""

SETTINGS: Final = ("PRAGMA journal_mode = OFF", "PRAGMA cache_size = -16384")
MAKE: Final = "CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID"
ADD: Final = "INSERT OR IGNORE INTO names (name) VALUES (?)"
COUNT: Final = "SELECT count(*) FROM names"


def distinct(names: Iterable[str]) -> int:
    """The number of different names."""
    seen: set[str] = set()
    rest = iter(names)
    for name in rest:
        seen.add(name)
        if len(seen) > IN_MEMORY:
            return _on_disk(chain(seen, rest))
    return len(seen)


def _on_disk(names: Iterator[str]) -> int:
    import sqlite3

    with closing(sqlite3.connect("", isolation_level=None)) as database:  # which removes its file itself
        for setting in SETTINGS:
            database.execute(setting)
        database.execute(MAKE)
        database.execute("BEGIN")
        database.executemany(ADD, zip(names, strict=True))
        (count,) = database.execute(COUNT).fetchone()
    return int(count)
