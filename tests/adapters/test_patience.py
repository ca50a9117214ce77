"""The note of a wait for another writer: when it comes, what it says, and how long is waited in all."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from evstore.adapters.patience import SILENT_SECONDS, Patience, holder_of
from evstore.model.facts import LockWait

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """A lock that is granted at one of the times that it is asked for, and that notes how long each may take."""

    def __init__(self, granted_at: int) -> None:
        self.granted_at = granted_at
        self.asked: list[float] = []

    def ask(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return len(self.asked) == self.granted_at


def noting() -> tuple[Patience, list[LockWait]]:
    patience, notes = Patience("here", 50.0), []
    patience.on_wait = notes.append
    return patience, notes


def nobody() -> str:
    raise AssertionError("nobody is asked who holds the lock")


@pytest.mark.parametrize("is_granted", [True, False])
def test_a_wait_that_nobody_hears_of_is_one_wait(is_granted: bool) -> None:
    lock = Lock(int(is_granted))
    assert Patience("here", 50.0).until(lock.ask, 50.0, nobody) is is_granted
    assert lock.asked == [50.0]


@pytest.mark.parametrize("seconds", [0.0, SILENT_SECONDS])
def test_a_short_wait_is_not_noted(seconds: float) -> None:
    patience, notes = noting()
    lock = Lock(0)
    assert not patience.until(lock.ask, seconds, nobody)
    assert (lock.asked, notes) == ([seconds], [])


def test_a_wait_that_ends_soon_is_not_noted() -> None:
    patience, notes = noting()
    lock = Lock(1)
    assert patience.until(lock.ask, 50.0, nobody)
    assert (lock.asked, notes) == ([SILENT_SECONDS], [])


@pytest.mark.parametrize("is_granted", [True, False])
def test_a_long_wait_is_noted_once_and_takes_no_longer(is_granted: bool) -> None:
    patience, notes = noting()
    lock = Lock(2 if is_granted else 0)
    assert patience.until(lock.ask, 50.0, lambda: "process 17") is is_granted
    assert lock.asked == [SILENT_SECONDS, 50.0 - SILENT_SECONDS]
    assert notes == [LockWait("here", "process 17", 50.0)]


def test_a_note_says_where_for_whom_and_how_long_at_most() -> None:
    said = "waiting for another writer of the event store at here (process 17), for 0.5 s at most"
    assert str(LockWait("here", "process 17", 0.5)) == said


def test_the_holder_of_a_file_is_the_process_that_locked_it_and_no_other(tmp_path: Path) -> None:
    with open(tmp_path / "one", "w") as one, open(tmp_path / "another", "w") as another:
        fcntl.flock(one, fcntl.LOCK_EX)
        assert holder_of(one.fileno()) == f"process {os.getpid()}"
        assert holder_of(another.fileno()) == "another process"
        fcntl.lockf(another, fcntl.LOCK_EX)  # a lock of the other kind, as SQLite takes it
        assert holder_of(another.fileno()) == "another process"


def test_the_holder_of_a_file_that_is_closed_is_not_known(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "one", os.O_CREAT | os.O_RDWR)
    os.close(fd)
    assert holder_of(fd) == "another process"
