"""Files that get their name when all their bytes are on disk, so that no reader sees half a file."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.errors import DeniedError, EvstoreError, InvalidTargetError, StorageFullError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Part(NamedTuple):
    """A file that has not got its name yet."""

    path: str
    fd: int
    """Open to read and write, and closed by `new_file`."""


SIDE_FILES: Final = ("-journal", "-wal", "-shm", "-lock")
"""The files beside the database file of a store, each named after it."""
CONSUMER_FILE: Final = "-consumer-"
"""Between the name of the database and the rest of the name of a file that locks a consumer."""
_LOG_MARKS: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
"""The first bytes of SQLite's logs: both byte orders of `-wal`, and `-journal`."""


def has_store_mark(path: str) -> bool:
    """True for a SQLite database with the application id of evstore.

    Never for a file that this process has open with SQLite: closing it would drop the process's locks on it.
    """
    header = _begin_of(path)
    return header.startswith(b"SQLite format 3\0") and header[68:72] == b"EVST"


def _begin_of(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidTargetError(path, f"it is there and cannot be read: {error.strerror}") from error
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def check_target(
    path: str,
    *,
    force: bool,
    own: Sequence[str] = (),
    is_store: Callable[[str], bool] = has_store_mark,
    may_replace_store: bool = False,
) -> None:
    """Raise InvalidTargetError if no file may be written, TargetExistsError if one exists without `force`.

    Of a store no file is ever replaced, by whatever name: neither those of the open store, `own`, nor those of
    another. `may_replace_store`: the caller looks at the database file of another store.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise InvalidTargetError(path, f"it is {'a folder' if os.path.isdir(path) else 'no file'}")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise InvalidTargetError(path, "its folder does not exist")
    _check_stores(path, own, is_store, may_replace_store=may_replace_store)
    if not force and os.path.lexists(path):
        raise TargetExistsError(path)


def _check_stores(
    path: str, own: Sequence[str], is_store: Callable[[str], bool], *, may_replace_store: bool
) -> None:
    target = os.path.realpath(path)
    exists = os.path.exists(target)
    if target in own or (exists and any(os.path.samefile(target, each) for each in own if os.path.exists(each))):
        raise InvalidTargetError(path, "it belongs to the store itself; choose another file")
    for base in _bases(target):
        if base in own[:1]:
            raise InvalidTargetError(path, "it belongs to the store itself; choose another file")
        if base not in own and os.path.isfile(base) and is_store(base):
            raise InvalidTargetError(path, f"it belongs to the event store at {base}; choose another file")
    # With `may_replace_store` this process may have the target open with SQLite, unless its name is one of a log.
    if not exists or (may_replace_store and not target.endswith(SIDE_FILES)):
        return
    if is_store(target):
        if may_replace_store:
            return
        raise InvalidTargetError(path, "it is an event store; choose another file")
    if _begin_of(target).startswith(_LOG_MARKS):
        raise InvalidTargetError(path, "it is the log of a SQLite database; choose another file")


def _bases(target: str) -> list[str]:
    """The databases beside which a file of this name would lie."""
    bases = [target.removesuffix(suffix) for suffix in SIDE_FILES if target.endswith(suffix)]
    return [*bases, target.rpartition(CONSUMER_FILE)[0]] if CONSUMER_FILE in target else bases


@contextmanager
def new_file(path: str, *, force: bool, part: str | None = None, leftovers: Sequence[str] = ()) -> Iterator[Part]:
    """A new file, for its owner alone, that gets its name at the end of the block, or is removed.

    Without `force` nothing that has the name is replaced, also if it got the name meanwhile: TargetExistsError.
    `part` is the name until then. Files that are named after `path` with one of `leftovers` would be taken for a
    part of the new file, so they go first. Raises OSError; see `cannot_write`.
    """
    part = part or f"{path}.part-{os.getpid()}"
    fd = None
    try:  # also before the number of the descriptor is known
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        yield Part(part, fd)
        os.fsync(fd)
        for each in leftovers:
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{each}")
        _give_name(part, path, force=force)
    finally:
        if fd is not None:
            os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(part)


def _give_name(part: str, path: str, *, force: bool) -> None:
    if force:
        os.replace(part, path)
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            raise TargetExistsError(path) from None
        except OSError:  # a file system without links
            os.rename(part, path)
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)  # the name must survive a power cut, too
    finally:
        os.close(fd)


def cannot_write(path: str, error: OSError) -> EvstoreError:
    """The error for a file that the system did not let be written."""
    reason = error.strerror or str(error)
    if error.errno in _DENIED:
        return DeniedError(f"cannot write {path}: {reason}")
    if error.errno in _FULL:
        return StorageFullError(f"cannot write {path}: {reason}")
    return InvalidTargetError(path, reason)
