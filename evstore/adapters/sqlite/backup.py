"""A copy of a store that is in use, by SQLite's backup API."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite import statements as sql
from evstore.errors import DeniedError, InvalidUrlError, StorageFullError
from evstore.port import Backup

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_BESIDE: Final = ("", "-wal", "-shm", "-journal", "-lock")
"""What belongs to a store: its file, and those that are named after it."""
_FAILING: Final = (10, 13)
"""SQLite's codes for disks that fail or are full: the copy's, more often than the store's."""
_PAGES: Final = 4096
_LEFT: Final = ("-wal", "-shm", "-journal")
"""What SQLite would take for the log of the copy."""


def backup(
    reading: Callable[[], AbstractContextManager[Any]],
    connect: Callable[[str, str], Any],
    store: str,
    path: str,
    force: bool,
) -> Backup:
    """Copy what a reader sees now to `path`, which gets its name when all of it is on disk, and never before."""
    place = os.path.realpath(path)
    _check(store, place, force)
    part = f"{place}.part-{os.getpid()}"
    with reading() as source:
        return _backup(source, connect, part, place, force)


def _backup(source: Any, connect: Callable[[str, str], Any], part: str, place: str, force: bool) -> Backup:
    fd = None
    try:  # whatever comes from here on, also before it is known that the file was made
        fd = _made(part, place)
        head = _copy(source, connect, part)
        os.fsync(fd)
        size = os.fstat(fd).st_size
        _give_name(part, place, force)
    except OSError as error:
        raise StorageFullError(f"cannot write {place}: {error.strerror}") from error
    except Exception as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FAILING:
            raise StorageFullError(f"cannot copy the store to {place}: {error}") from error
        raise
    finally:
        if fd is not None:  # behind SQLite's own: to close it before would drop SQLite's locks
            os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(part)
    return Backup(place, head, size)


def _made(part: str, place: str) -> int:
    try:
        return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DeniedError(f"cannot write {place}: {error.strerror}") from error


def _check(store: str, place: str, force: bool) -> None:
    there = os.path.exists(place) and os.path.exists(store)
    if place in [f"{store}{each}" for each in _BESIDE] or (there and os.path.samefile(place, store)):
        raise InvalidUrlError(f"{place} belongs to the store itself; a backup is another file")
    if os.path.exists(place) and not os.path.isfile(place):
        kind = "a folder" if os.path.isdir(place) else "no file"
        raise InvalidUrlError(f"cannot write {place}: it is {kind}")
    if not os.path.isdir(os.path.dirname(place)):
        raise InvalidUrlError(f"cannot write {place}: its folder does not exist")
    if not force and os.path.lexists(place):
        raise _exists(place)


def _exists(place: str) -> InvalidUrlError:
    error = InvalidUrlError(f"{place} exists")
    error.add_note("--force replaces it")
    return error


def _copy(source: Any, connect: Callable[[str, str], Any], part: str) -> int:
    """All pages of one snapshot, so that writers go on and are not waited for. Half a copy is thrown away, so that
    it needs neither a journal nor a disk until it is whole. Python is called between steps, to hear of signals."""
    copy = connect(part, "rw")
    try:
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.execute("BEGIN")
        try:
            (head,) = source.execute(sql.HEAD).fetchone()
            source.backup(copy, pages=_PAGES, progress=lambda *_: None)
        finally:
            source.execute("ROLLBACK")
    finally:
        copy.close()
    return int(head)


def _give_name(part: str, place: str, force: bool) -> None:
    for each in _LEFT:
        with suppress(FileNotFoundError):
            os.unlink(f"{place}{each}")
    if force:
        os.replace(part, place)
    else:
        try:
            os.link(part, place)
        except FileExistsError:
            raise _exists(place) from None
        except OSError:  # a file system without links
            os.rename(part, place)
    fd = os.open(os.path.dirname(place), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)  # the name must survive a power cut, too
    finally:
        os.close(fd)
