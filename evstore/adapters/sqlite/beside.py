"""The files beside a database: their owner and mode, and ways to read where none can be made.

Files beside the store take owner, group and mode of the database, whoever makes them. SQLite sees to that when
root makes them; for others it takes the mode alone.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.atomic import SIDE_FILES
from evstore.errors import DeniedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

LOCK: Final = "-lock"
LOGS: Final = tuple(each for each in SIDE_FILES if each != LOCK)
"""The files that SQLite keeps beside a database, and would take for the log of a new one."""
WITH_EVENTS: Final = ("-wal", "-journal")
"""The logs without which a database may lack acknowledged events."""
READ: Final = "ro"
_READ_SHARED: Final = "ro&readonly_shm=1"
"""To read beside somebody who writes, without making a file."""
READ_FROZEN: Final = "ro&immutable=1"
"""To read without a lock and without a file beside the database: right only while nobody writes."""
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def may(path: str, what: int) -> bool:
    """True if this process may do it to what lies there, by the rights it acts with."""
    return os.access(path, what, effective_ids=_EFFECTIVE)


def check_writable(path: str) -> None:
    """Raise DeniedError if the database may not be written, before anything is made beside it."""
    if os.path.exists(path) and not may(path, os.W_OK):
        raise DeniedError(f"cannot write the event store at {path}: it is read-only for this user")


def log_with_events(path: str) -> str | None:
    """The log of the database that is not empty, if there is one."""
    for each in WITH_EVENTS:
        with suppress(OSError):
            if os.stat(f"{path}{each}").st_size:
                return f"{path}{each}"
    return None


def reading_mode(path: str) -> str:
    """The mode to read the database in.

    Whoever may not write it makes no file beside it: the log of such a reader would stop the writers. Nor can it
    be made in a folder that cannot be written. There a database without a log is read as it lies.
    """
    if may(path, os.W_OK) and may(os.path.dirname(path), os.W_OK | os.X_OK):
        return READ
    log = log_with_events(path)
    if os.path.exists(f"{path}-shm") and os.path.exists(f"{path}-wal"):
        return _READ_SHARED
    if log is None:
        return READ_FROZEN
    if log.endswith("-wal"):
        raise DeniedError(
            f"cannot read the event store at {path}: its log {log} holds events, and no file can be made beside "
            "it; copy both to a folder that can be written"
        )
    return READ


class Frozen(NamedTuple):
    """A database that is read as it lies: whoever writes changes one of these."""

    path: str
    database: tuple[int, int, int, int, int]
    logs: tuple[bool, ...]
    reason: str = "no file can be made beside it"

    @classmethod
    def of(cls, path: str) -> Self:
        found = os.stat(path)
        database = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return cls(path, database, tuple(os.path.exists(f"{path}{each}") for each in WITH_EVENTS))

    def lasts(self) -> bool:
        """True if nobody has begun to write since."""
        try:
            return Frozen.of(self.path) == self
        except OSError:
            return False

    def changed(self) -> UnavailableError:
        return UnavailableError(f"the event store at {self.path} was written while it was read; read it again")


def adopt(fd: int, database: str) -> None:
    """Give an open file that is always empty, as the lock is, to the owner of the database."""
    with suppress(OSError):  # there is no database yet
        wanted = os.stat(database)
        found = os.fstat(fd)
        if not found.st_size:
            _give(fd, found, wanted)


def share(database: str, wanted: os.stat_result) -> None:
    """Give the files beside the database to its owner and group, with its mode, as far as this user may.

    Not opened as files are, since closing one would drop SQLite's locks on it.
    """
    for suffix in SIDE_FILES:
        with suppress(OSError), _named(f"{database}{suffix}") as path:
            _give(path, os.stat(path), wanted)


class _Gift(NamedTuple):
    """The rights that a file still lacks, as far as this user may give them: -1 and None for what stays."""

    owner: int = -1
    group: int = -1
    mode: int | None = None


_NOTHING: Final = _Gift()


def _missing(found: os.stat_result, wanted: os.stat_result) -> _Gift:
    """Nothing for a file of several names: in a folder of others, root could be given a link to anything."""
    user = os.geteuid()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or user not in (0, found.st_uid):
        return _NOTHING
    owner = wanted.st_uid if user == 0 and found.st_uid != wanted.st_uid else -1
    group = wanted.st_gid if found.st_gid != wanted.st_gid and _may_give(wanted.st_gid) else -1
    return _Gift(owner, group, None if _mode(found) == _mode(wanted) else _mode(wanted))


def _may_give(group: int) -> bool:
    return os.geteuid() == 0 or group in (os.getegid(), *os.getgroups())


def is_shared(beside: os.stat_result, database: os.stat_result) -> bool:
    """True if the file has the rights of the database, as far as this user may give them."""
    if _rights(beside) == _rights(database):
        return True
    return _missing(beside, database) == _NOTHING


@contextmanager
def _named(path: str) -> Iterator[str]:
    """A name that leads to the file even if its folder's owner puts another file in its place."""
    if not hasattr(os, "O_PATH"):
        if os.geteuid() == 0:
            raise PermissionError(path)
        yield path
        return
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _give(file: int | str, found: os.stat_result, wanted: os.stat_result) -> None:
    owner, group, mode = _missing(found, wanted)
    if (owner, group) != (-1, -1):
        os.chown(file, owner, group)
    if mode is not None:
        os.chmod(file, mode)


def closed_to_us(database: str) -> str:
    """A clause on the first file beside the database that may not be written although the database may."""
    if not may(database, os.W_OK):
        return ""
    for suffix in LOGS:
        path = f"{database}{suffix}"
        if os.path.exists(path) and not may(path, os.W_OK):
            return f"{path} cannot be written, though the database can: give it the owner and mode of the database"
    return ""


def _rights(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_uid, found.st_gid, found.st_mode


def _mode(found: os.stat_result) -> int:
    return found.st_mode & 0o777
