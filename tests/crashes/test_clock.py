"""The short profile of `tests.crashes.lab.clock`; that module lets the clock jump as long as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.clock import Profile, jumps

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

SECONDS = 1.0


@pytest.mark.long("processes are started")
def test_events_are_in_the_order_of_their_commits_when_the_clock_of_their_writers_jumps(
    tmp_path: Path, seed: int
) -> None:
    verdict, times = jumps(tmp_path, Profile(SECONDS, seed))
    assert verdict.counts.ok, verdict.counts
    assert times > 1
    assert verdict.acknowledged


@pytest.mark.long("a server is started")
@pytest.mark.seldom
def test_so_they_are_when_the_clock_of_the_server_jumps(newest: Server, tmp_path: Path, seed: int) -> None:
    verdict, times = jumps(tmp_path, Profile(SECONDS, seed), newest)
    assert verdict.counts.ok, verdict.counts
    assert times > 1
    assert verdict.acknowledged
