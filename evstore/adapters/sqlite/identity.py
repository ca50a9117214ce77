"""The files that a store was opened as: what is committed into others is lost to whoever opens the path."""

from __future__ import annotations

import os
from typing import Final

from evstore.adapters.sqlite.beside import is_shared, share
from evstore.adapters.sqlite.looking import Looker
from evstore.errors import StoreReplacedError

_LOG: Final = "-wal"


class OpenedFiles:
    """The database at a path and its log, by device and inode. `named`: the path by which others get there."""

    def __init__(self, path: str, named: str) -> None:
        self._path, self._named = path, named
        self._database: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._log_file = Looker(path + _LOG)

    def look(self) -> tuple[int, int]:
        """The database that is at the path now."""
        return _identity(self._stat())

    def opened(self, database: tuple[int, int]) -> None:
        """Take down what a connection has opened: `database`, which was at the path before, unless it changed."""
        if self._database is None:
            self._database = database
        self.check_database()

    def check_database(self) -> None:
        """Raise StoreReplacedError unless the database that was opened, if one was, is still at the path."""
        if self._database is not None:
            self._check(self._stat())

    def check(self, *, links: bool = True) -> None:
        """Raise StoreReplacedError unless a commit into the opened files is one into the store at the path.

        `links`: and unless that has one name, which a commit that is already made does not need.
        """
        if self._database is None:
            return
        found = self._stat()
        self._check(found)
        if links and found.st_nlink != 1:
            raise StoreReplacedError(
                self._path, "it has a second name, a hard link, and each name would get a log of its own"
            )
        self._check_log(found)

    def _check(self, found: os.stat_result) -> None:
        if _identity(found) != self._database:
            raise StoreReplacedError(self._path, "another file is in its place since it was opened")

    def in_place(self) -> bool:
        """True if `check` finds nothing."""
        try:
            self.check()
        except StoreReplacedError:
            return False
        return True

    def forget_log(self) -> None:
        """Expect any log, since no connection is open; the last to close removes it."""
        self._log = None

    def _stat(self) -> os.stat_result:
        try:
            return os.stat(self._named)
        except OSError as error:
            raise StoreReplacedError(self._path, "it was moved or removed since it was opened") from error

    def _check_log(self, database: os.stat_result) -> None:
        """SQLite makes the log with the first connection, and removes it with the last."""
        try:
            found = self._log_file.look()
        except FileNotFoundError:
            now = None
        else:
            now = _identity(found)
            if not is_shared(found, database):
                share(self._path, database)
        if self._log is None:
            self._log = now
        elif self._log != now:
            raise StoreReplacedError(self._path, f"its log {self._path}{_LOG} was removed or replaced")


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
