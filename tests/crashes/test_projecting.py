"""The short profile of `tests.crashes.lab.projecting`; that module runs as long as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crashes.lab.projecting import kill

if TYPE_CHECKING:
    from pathlib import Path

CYCLES = 10


def test_a_projection_counts_each_event_once_and_never_goes_back_when_its_process_is_killed(
    tmp_path: Path, seed: int
) -> None:
    summary = kill(f"sqlite:{tmp_path}/events.db", CYCLES, seed)
    print(summary)
    assert not summary.wrong, summary
    assert summary.shown
    assert summary.halfway
