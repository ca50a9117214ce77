"""The queue of writers: an advisory lock on a file beside the store."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from evstore.adapters.patience import holder_of
from evstore.adapters.sqlite.beside import adopt
from evstore.blocking import Event
from evstore.errors import DeniedError, EvstoreError, StorageFullError, StoreBusyError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from evstore.adapters.patience import Patience


_PASSING: Final = (errno.ENOLCK, errno.ENOMEM, errno.EIO, errno.EINTR)
"""The failures to lock a file after which another try may succeed."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
"""The failures to make one on a full disk."""


class Held:
    """The lock while it is held."""

    def __init__(self, path: str, fd: int, *, made: bool) -> None:
        self._path = path
        self.fd = fd
        self._made = made

    def at_its_place(self) -> bool:
        """True if whoever comes next queues on the same file."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self.fd))
        except OSError:
            return False

    def free(self) -> None:
        """Let the next one in."""
        # Unlocked by word: a child forked meanwhile holds the same open file, and closing would not do.
        with suppress(OSError):  # the work is done, and whoever did it must hear so
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)

    def unmake(self) -> None:
        """Remove the file if this holder made it: a refused command leaves none. Those who wait see it."""
        if self._made:
            with suppress(OSError):
                os.unlink(self._path)


class SideLock:
    """Held by one thread of one process at a time; freed by the system when its process dies.

    SQLite's own way to wait for a writer is to sleep and try again, longer each time, so that a newcomer
    overtakes waiting writers: with eight writers the worst wait was five times that of this queue.

    `alone` is a context in which nobody else has the database open, or which yields False.
    """

    def __init__(
        self, path: str, location: str, patience: Patience, alone: Callable[[], AbstractContextManager[bool]]
    ) -> None:
        self._path = path
        self._location = location
        self._patience = patience
        self._timeout = patience.timeout
        self._alone = alone
        self._mutex = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Wait for the lock, at most the store's timeout, else StoreBusyError."""
        deadline = time.monotonic() + self._timeout
        self._enter(self._timeout)
        try:
            held = self._acquire(deadline)
            try:
                yield held
            finally:
                held.free()
        finally:
            self._mutex.release()

    @contextmanager
    def in_process(self, seconds: float) -> Iterator[None]:
        """Keep out the other threads of this process. Wait for them so many seconds, else StoreBusyError."""
        self._enter(seconds)
        try:
            yield
        finally:
            self._mutex.release()

    def _enter(self, seconds: float) -> None:
        if self._mutex.acquire(blocking=False):
            return

        def ask(seconds: float) -> bool:
            return self._mutex.acquire(timeout=seconds)

        if not self._patience.until(ask, seconds, lambda: "another thread of this process"):
            raise StoreBusyError(self._location, self._timeout)

    @contextmanager
    def on_file(self, deadline: float = 0) -> Iterator[Held]:
        """Keep out the other processes, within `in_process`. Wait until the deadline, else StoreBusyError."""
        held = self._acquire(deadline)
        try:
            yield held
        finally:
            held.free()

    def _acquire(self, deadline: float) -> Held:
        while True:
            held = self._open()
            if not self._locked(held.fd, deadline):
                raise StoreBusyError(self._location, self._timeout)
            if held.at_its_place():
                return held
            os.close(held.fd)  # removed or replaced meanwhile

    def _locked(self, fd: int, deadline: float) -> bool:
        """Lock the file, or wait for that until the deadline. Unless it is locked, the descriptor is closed."""
        answer: OSError | bool = True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            answer = _wait(fd, deadline - time.monotonic(), self._patience)
        except OSError as error:
            answer = error
        if isinstance(answer, OSError):
            os.close(fd)
            raise cannot_lock(self._location, answer) from answer
        return answer

    def _open(self) -> Held:
        while True:
            try:
                return opened(self._path, self._location)
            except PermissionError as error:
                if not os.path.exists(self._path) or not self._replaced():
                    raise DeniedError(
                        f"cannot lock the event store at {self._location}: {error}; whoever may write the store "
                        "must be able to write this file"
                    ) from error
            except OSError as error:
                raise cannot_lock(self._location, error) from error

    def _replaced(self) -> bool:
        """Put a lock in the place of another user's that its rights close to whoever may write the store.

        Only while nobody has the database open. A holder that has not opened it yet sees it after that.
        """
        with self._alone() as alone:
            if not alone:
                return False
            new = f"{self._path}.{os.getpid()}"
            try:
                os.close(_make(new, self._location))
                os.rename(new, self._path)
            except OSError:
                with suppress(OSError):
                    os.unlink(new)
                return False
            return True


def opened(path: str, database: str) -> Held:
    """The file, not locked yet; it is made if it is not there. Raises OSError."""
    while True:
        # Without O_CREAT first, which Linux refuses even to root for another's file in a shared folder.
        with suppress(FileNotFoundError):
            return Held(path, os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW), made=False)
        with suppress(FileExistsError):
            return Held(path, _make(path, database), made=True)


def _make(path: str, database: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    adopt(fd, database)
    return fd


def cannot_lock(location: str, error: OSError) -> EvstoreError:
    kind: type[EvstoreError] = UnavailableError if error.errno in _PASSING else DeniedError
    if error.errno in _NO_ROOM:
        kind = StorageFullError
    return kind(f"cannot lock the event store at {location}: {error}")


def _wait(fd: int, timeout: float, patience: Patience) -> OSError | bool:
    """Queue for the lock for `timeout` seconds. False, or the system's error, if that was in vain.

    If it is False, or raises, the descriptor is no longer the caller's.

    flock knows no timeout, and asking again and again would lose the place in the queue; so a thread waits. It
    may be granted the lock after the caller gave up: whoever comes second (caller or thread) sees it.
    """
    if timeout <= 0:
        os.close(fd)
        return False
    guard = threading.Lock()
    answered = Event()
    failed: list[OSError] = []
    given_up = False

    def wait() -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            failed.append(error)
        with guard:
            if given_up:
                os.close(fd)
            else:
                answered.set()

    threading.Thread(target=wait, daemon=True, name="evstore-lock").start()
    try:
        patience.until(answered.wait, timeout, lambda: holder_of(fd))
        with guard:
            given_up = not answered.is_set()
    except BaseException:  # interrupted: the lock must not stay with a caller that left
        with guard:
            given_up = True
        if answered.is_set():
            os.close(fd)
        raise
    return False if given_up else failed[0] if failed else True
