"""The wait for another writer, and the note of it for whoever wonders why nothing happens."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.facts import LockWait

SILENT_SECONDS: Final = 2.0
"""A wait that nobody needs to know of."""


class Patience:
    """The longest wait for another writer, and the note of a wait: once for each."""

    def __init__(self, location: str, timeout: float) -> None:
        self.timeout = timeout
        self.on_wait: Callable[[LockWait], None] | None = None
        self._location = location

    def note(self, holder: str) -> None:
        """Report the wait for `holder`, a clause, as `process 17`."""
        if self.on_wait is not None:
            from evstore.model.facts import LockWait

            self.on_wait(LockWait(self._location, holder, self.timeout))

    def until(self, ask: Callable[[float], bool], seconds: float, holder: Callable[[], str]) -> bool:
        """Let `ask` wait, for so many seconds in all; true once it was granted what it waits for."""
        if self.on_wait is None or seconds <= SILENT_SECONDS:
            return ask(seconds)
        if ask(SILENT_SECONDS):
            return True
        self.note(holder())
        return ask(seconds - SILENT_SECONDS)


def holder_of(fd: int) -> str:
    """The process that holds the lock on the open file, where the system shows that."""
    with suppress(OSError, ValueError, IndexError):
        found = os.fstat(fd)
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        with open("/proc/locks", encoding="ascii") as locks:
            for each in locks:
                _, kind, _, _, pid, file, *_ = each.split()
                if kind == "FLOCK" and file == place and int(pid) > 0:
                    return f"process {pid}"
    return "another process"
