"""The short profile of `tests.crashes.lab.power`; that module cuts the power as often as one likes. And what it finds
where a flush is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.power import Profile, power

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.long("processes are watched by strace"),
    pytest.mark.usefixtures("strace"),
]

SHORT = Profile(0, 0, appends=4, commands=1, long=20_000)


def test_nothing_that_anybody_was_told_is_lost_when_the_power_is_cut(tmp_path: Path, seed: int) -> None:
    figures = power(tmp_path, SHORT._replace(images=40, seed=seed))
    print(figures)
    assert figures.ok, figures
    assert figures.images.total() >= 30
    assert figures.differing
    assert figures.looked_for


@pytest.mark.parametrize(
    "without",
    [
        "flushes",
        pytest.param("names", marks=pytest.mark.long("it looks for a rarer loss than the other", by_hand=True)),
    ],
)
def test_it_is_found_when_a_flush_is_left_out(tmp_path: Path, seed: int, without: str) -> None:
    figures = power(tmp_path, SHORT._replace(images=200, seed=seed, without=without))
    print(figures)
    assert figures.faults
