"""The short profile of `tests.crashes.lab.kill`; that module runs as long as one likes."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.kill import Profile, kill

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long("processes are killed for seconds")

CYCLES = 8


def test_no_acknowledged_event_is_lost_and_no_append_is_torn_when_processes_are_killed(tmp_path: Path) -> None:
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    summary = kill(tmp_path, Profile(CYCLES, 3, seed))
    print(summary)
    assert summary.ok, summary
    # All but a command that was between two batches were at work when they were killed.
    assert summary.killed >= 3 * CYCLES
    assert len(summary.acknowledged) >= 3 * CYCLES
    assert summary.unknown
    assert {path.name for path in tmp_path.iterdir()} <= {
        "errors.txt",
        "events.db",
        "events.db-lock",
        "events.db-shm",
        "events.db-wal",
    }
    assert (tmp_path / "errors.txt").read_text() == ""
