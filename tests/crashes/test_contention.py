"""The short profile of `tests.crashes.lab.contention`; that module runs as long as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crashes.lab.contention import Profile, contend
from tests.support import long_runs
from tests.support.servers import NOT_OWNED, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server


def test_every_follower_is_handed_every_event_in_order_whatever_is_done_to_the_writers(
    newest: Server, tmp_path: Path
) -> None:
    needs(NOT_OWNED, newest.owned)
    figures = contend(newest, tmp_path, Profile(2.0, 4, 2, long_runs.a_seed()))
    print(figures)
    assert figures.ok, figures
    assert figures.log
    assert figures.refused
    assert [each for each in figures.acknowledged if each.answer.duplicate]
