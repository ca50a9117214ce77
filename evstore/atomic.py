"""Files that get their name when all their bytes are on disk, so that no reader sees half a file."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.errors import DeniedError, EvstoreError, InvalidTargetError, StorageFullError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Part(NamedTuple):
    """A file that has not got its name yet."""

    path: str
    fd: int
    """Open to read and write, and closed by `new_file`."""


def check_target(path: str, *, force: bool) -> None:
    """Raise InvalidTargetError if no file can be written, TargetExistsError if one exists without `force`."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise InvalidTargetError(path, f"it is {'a folder' if os.path.isdir(path) else 'no file'}")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise InvalidTargetError(path, "its folder does not exist")
    if not force and os.path.lexists(path):
        raise TargetExistsError(path)


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
