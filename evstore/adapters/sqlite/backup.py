"""A copy of a store that is in use, by SQLite's backup API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.location import LOGS, lock_of
from evstore.atomic import cannot_write, check_target, new_file
from evstore.errors import InvalidTargetError, StorageFullError
from evstore.port import Backup

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_FAILING: Final = (10, 13)
"""SQLite's codes for disks that fail or are full: the copy's, more often than the store's."""
_PAGES: Final = 4096


def backup(
    reading: Callable[[], AbstractContextManager[Any]],
    connect: Callable[[str, str], Any],
    store: str,
    path: str,
    force: bool,
) -> Backup:
    """Copy what a reader sees now to `path`, which gets its name when all of it is on disk, and never before."""
    target = os.path.realpath(path)
    if _belongs(store, target):
        raise InvalidTargetError(target, "it belongs to the store itself; a backup is another file")
    check_target(target, force=force)
    with reading() as source:
        try:
            with new_file(target, force=force, leftovers=LOGS) as part:
                head = _copy(source, connect, part.path)
                size = os.fstat(part.fd).st_size
        except OSError as error:
            raise cannot_write(target, error) from error
        except Exception as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FAILING:
                raise StorageFullError(f"cannot copy the store to {target}: {error}") from error
            raise
    return Backup(target, head, size)


def _belongs(store: str, target: str) -> bool:
    """True if the target is a file of the store."""
    if target in (store, lock_of(store), *(f"{store}{each}" for each in LOGS)):
        return True
    return os.path.exists(target) and os.path.exists(store) and os.path.samefile(target, store)


def _copy(source: Any, connect: Callable[[str, str], Any], part: str) -> int:
    """Copy all pages of one snapshot while writers go on. An incomplete copy is removed, so it needs neither a
    journal nor a sync before it is complete. Python runs between steps and receives signals."""
    copy = connect(part, "rw")
    try:
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.execute("BEGIN")
        try:
            head, _ = source.execute(sql.HEAD).fetchone()
            source.backup(copy, pages=_PAGES, progress=lambda *_: None)
        finally:
            source.execute("ROLLBACK")
    finally:
        copy.close()
    return int(head)
