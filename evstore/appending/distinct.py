"""A set of names in little memory, however many they are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IN_MEMORY: Final = 20_000
"""Names kept in memory; beyond that, all wait in a temporary database."""

SETTINGS: Final = ("PRAGMA journal_mode = OFF", "PRAGMA cache_size = -4096")
MAKE: Final = "CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID"
ADD: Final = "INSERT OR IGNORE INTO names (name) VALUES (?)"
COUNT: Final = "SELECT count(*) FROM names"


class Seen:
    """The names that were added, text or bytes. Methods raise StorageFullError."""

    def __init__(self) -> None:
        self._names: set[str | bytes] = set()
        self._database: Any = None

    def __len__(self) -> int:
        if self._database is None:
            return len(self._names)
        (count,) = self._database.execute(COUNT).fetchone()
        return int(count)

    def add(self, name: str | bytes) -> bool:
        """Add a name; True if it is new."""
        if self._database is not None:
            try:  # no context, which would take as long as the insert
                return bool(self._database.execute(ADD, (name,)).rowcount)
            except self._database.Error as error:
                raise _full(error) from error
        if name in self._names:
            return False
        self.update((name,))
        return True

    def update(self, names: Iterable[str | bytes]) -> None:
        """Add names."""
        if self._database is not None:
            with _named():
                self._database.executemany(ADD, _rows(names))
            return
        self._names.update(names)
        if len(self._names) > IN_MEMORY:
            with _named():
                self._spill()

    def _spill(self) -> None:
        import sqlite3

        self._database = sqlite3.connect("", isolation_level=None)  # it removes its file itself
        for setting in SETTINGS:
            self._database.execute(setting)
        self._database.execute(MAKE)
        self._database.execute("BEGIN")
        self._database.executemany(ADD, _rows(self._names))
        self._names = set()

    def close(self) -> None:
        """Free the file."""
        if self._database is not None:
            self._database.close()


@contextmanager
def _named() -> Iterator[None]:
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise _full(error) from error


def _full(error: Exception) -> StorageFullError:
    return StorageFullError(f"names cannot wait in a temporary database: {error}")


def _rows(names: Iterable[str | bytes]) -> Iterator[tuple[str | bytes]]:
    return ((name,) for name in names)
