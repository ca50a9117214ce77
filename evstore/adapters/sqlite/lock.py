"""The queue of writers: an advisory lock on a file beside the store."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from evstore.adapters.patience import holder_of
from evstore.errors import DeniedError, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.patience import Patience


class SideLock:
    """Held by one thread of one process at a time; freed by the system when its process dies.

    SQLite's own way to wait for a writer is to sleep and try again, longer each time, so that a newcomer
    overtakes waiting writers: with eight writers the worst wait was five times that of this queue.
    """

    def __init__(self, path: str, location: str, patience: Patience) -> None:
        self._path = path
        self._location = location
        self._patience = patience
        self._timeout = patience.timeout
        self._mutex = threading.Lock()

    @contextmanager
    def held(self, *, queue: bool = True) -> Iterator[None]:
        """Wait for the lock, at most the store's timeout, else StoreBusyError. Without `queue` only for other
        threads of this process, and give up at once where another process holds it."""
        deadline = time.monotonic() + self._timeout
        if not self._patience.until(self._in_process, self._timeout, lambda: "another thread of this process"):
            raise StoreBusyError(self._location, self._timeout)
        try:
            fd = self._acquire(deadline if queue else 0)
            try:
                yield
            finally:
                # Unlocked by word: a child forked meanwhile holds the same open file, and closing would not do.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
        finally:
            self._mutex.release()

    def _in_process(self, seconds: float) -> bool:
        return self._mutex.acquire(timeout=seconds)

    def _acquire(self, deadline: float) -> int:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise DeniedError(f"cannot lock the event store at {self._location}: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not _wait(fd, deadline - time.monotonic(), self._patience):
                raise StoreBusyError(self._location, self._timeout) from None
        return fd


def _wait(fd: int, timeout: float, patience: Patience) -> bool:
    """Queue for the lock for `timeout` seconds. If that was in vain, the descriptor is no longer the caller's.

    flock knows no timeout, and asking again and again would lose the location in the queue; so a thread waits. It
    may be granted the lock after the caller gave up: whoever comes second (caller or thread) sees it.
    """
    if timeout <= 0:
        os.close(fd)
        return False
    guard = threading.Lock()
    granted = threading.Event()
    given_up = False

    def wait() -> None:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        with guard:
            if given_up:
                os.close(fd)
            else:
                granted.set()

    threading.Thread(target=wait, daemon=True, name="evstore-lock").start()
    try:
        patience.until(granted.wait, timeout, lambda: holder_of(fd))
        with guard:
            given_up = not granted.is_set()
    except BaseException:  # interrupted: the lock must not stay with a caller that left
        with guard:
            given_up = True
        if granted.is_set():
            os.close(fd)
        raise
    return not given_up
