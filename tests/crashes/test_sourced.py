"""The short profile of `tests.crashes.lab.sourced`; that module runs as long as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crashes.lab.sourced import Figures, Loop

if TYPE_CHECKING:
    from tests.support.command import Command

SECONDS = 1.0
KILLS = 3


def test_a_loop_that_is_killed_again_and_again_stores_each_line_once(store: Command, seed: int) -> None:
    figures = Loop(store, seed).run(SECONDS, kills=KILLS)
    print(figures)
    assert figures.ok, figures
    assert figures.killed >= KILLS
    assert figures.duplicates > 0


def test_the_same_loop_without_a_source_stores_lines_twice(store: Command, seed: int) -> None:
    figures = Loop(store, seed, with_source=False).run(0)
    assert figures.twice, figures


def test_what_is_stored_is_compared_line_by_line() -> None:
    found = Figures(lines=5)
    found.judge([1, 2, 2, 5, 4])
    assert (found.twice, found.missing, found.astray, found.ok) == ([2], [3], [2, 5, 4], False)
    for stored in ([1, 2, 3, 5, 4], [1, 2, 3, 4], [1, 2, 3, 4, 5, 5]):
        found.judge(stored)
        assert not found.ok
    found.judge([1, 2, 3, 4, 5])
    assert found.ok
