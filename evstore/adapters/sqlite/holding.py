"""Holds of consumers: advisory locks on files beside the database, one for a consumer, or for each of its slots.

A command that the holder runs inherits the open files, so that the hold lasts as long as either of them lives.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from evstore.adapters.patience import holder_of
from evstore.adapters.sqlite.lock import Held, cannot_lock, opened
from evstore.atomic import CONSUMER_FILE
from evstore.errors import ConsumerHeldError, DeniedError

if TYPE_CHECKING:
    from collections.abc import Sequence


LOOK_SECONDS: Final = 0.005
"""The pause before a second try: whoever looks for the holder of a free slot has it locked for a moment."""


def lock_path(database: str, name: str, slot: int) -> str:
    """The file on which a slot is locked; slot 0 has that of the whole consumer, whose name may hold anything."""
    digest = sha256(name.encode()).hexdigest()[:16]
    return f"{database}{CONSUMER_FILE}{digest}" + (f"-{slot:02}" if slot else "")


class SqliteHold:
    """Locks on the files of some slots of a consumer."""

    def __init__(self, name: str, database: str) -> None:
        self.name = name
        self._database = database
        self._pid = os.getpid()
        self._held: dict[int, Held] = {}
        self.is_last = False
        """The consumer was removed: the files go with the hold."""

    @property
    def slots(self) -> frozenset[int]:
        """The slots that are held."""
        return frozenset(self._held)

    @property
    def files(self) -> Sequence[int]:
        """The open files, for a command to inherit."""
        return [held.fd for held in self._held.values()]

    def check(self) -> None:
        """Raise ConsumerHeldError unless whoever comes next finds the files that are locked."""
        if not self._held or not all(held.at_its_place() for held in self._held.values()):
            raise ConsumerHeldError(self.name)

    def extend(self, slots: Sequence[int]) -> list[int]:
        wanted = [slot for slot in slots if slot not in self._held]
        if not self._lock(wanted):
            time.sleep(LOOK_SECONDS)
            self._lock(wanted)
        return [slot for slot in wanted if slot in self._held]

    def _lock(self, slots: Sequence[int]) -> bool:
        """Lock those of the slots that are free, and return true if all are locked now."""
        for slot in slots:
            if slot not in self._held:
                held = _locked(lock_path(self._database, self.name, slot), self._database)
                if held is not None:
                    self._held[slot] = held
        return self._held.keys() >= {*slots}

    def release(self) -> None:
        held, self._held = self._held, {}
        if self._pid != os.getpid():  # in a forked child the locks are still those of its parent
            return
        for slot, each in held.items():
            if self.is_last:
                with suppress(OSError):
                    os.unlink(lock_path(self._database, self.name, slot))
            each.free()


def holder(database: str, name: str, slot: int) -> str | None:
    """The holder of the slot, None if nobody holds it."""
    try:
        fd = os.open(lock_path(database, name, slot), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # nobody has held it yet, or nobody here may ask
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return holder_of(fd)
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(fd)


def _locked(path: str, database: str) -> Held | None:
    while True:
        try:
            held = opened(path, database)
        except PermissionError as error:
            raise DeniedError(
                f"cannot lock {path}: {error}; a consumer needs to write beside the store"
            ) from error
        except OSError as error:
            raise cannot_lock(database, error) from error
        try:
            fcntl.flock(held.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held.fd)
            return None
        except OSError as error:
            os.close(held.fd)
            raise cannot_lock(database, error) from error
        if held.at_its_place():
            return held
        os.close(held.fd)  # removed meanwhile
