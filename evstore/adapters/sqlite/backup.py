"""A copy of a store that is in use, by SQLite's backup API."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.beside import LOGS
from evstore.adapters.sqlite.errors import FULL, primary_code
from evstore.adapters.sqlite.location import check_is_backup, is_store, lost_log
from evstore.atomic import cannot_write, check_target, new_file
from evstore.errors import InvalidTargetError, StorageFullError
from evstore.model.facts import Backup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

_PAGES: Final = 4096
_VERSIONS_AT: Final = 18
_NO_LOG: Final = b"\1\1"
"""The versions in the header (https://sqlite.org/fileformat2.html) of a database without a `-wal`: any program can
read such a copy anywhere, also where it can make no file. The first append gives it a log again."""


def backup(
    reading: Callable[[], AbstractContextManager[Any]],
    connect: Callable[[str, str], Any],
    files: Sequence[str],
    path: str,
    force: bool,
) -> Backup:
    """Copy what a reader sees now to `path`, which gets its name when all of it is on disk, and never before.

    With `force` it replaces an older backup that nobody has open, and never a store.
    """
    target = os.path.realpath(path)
    check_target(target, force=force, own=files, is_store=partial(is_store, connect), may_replace_store=True)
    if not (os.path.exists(target) and os.path.getsize(target)) and (lost := lost_log(target)):
        raise InvalidTargetError(target, f"{lost}; choose another file")
    if os.path.exists(target) and is_store(connect, target):
        check_is_backup(connect, target)
    with reading() as source:
        try:
            with new_file(target, force=force, leftovers=LOGS) as part:
                head = _copy(source, connect, part.path)
                os.pwrite(part.fd, _NO_LOG, _VERSIONS_AT)
                size = os.fstat(part.fd).st_size
        except OSError as error:
            raise cannot_write(target, error) from error
        except Exception as error:
            if primary_code(error) in FULL:  # the disk of the copy, more often than that of the store
                raise StorageFullError(f"cannot copy the store to {target}: {error}") from error
            raise
    return Backup(target, head, size)


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
