"""The short profile of `tests.crashes.lab.moved`; that module moves as many stores as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.moved import CHANGES, STAYS, Profile, moves

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long("processes are started for each change")


@pytest.mark.parametrize("change", [each if each == STAYS else pytest.param(each, marks=pytest.mark.seldom) for each in CHANGES])  # fmt: skip
def test_what_was_acknowledged_is_in_the_file_that_was_open_and_all_are_told_that_it_is_not_at_its_path(
    tmp_path: Path, seed: int, change: str
) -> None:
    figures = moves(tmp_path, change, Profile(2, seed))
    print(figures)
    assert figures.counts.ok, figures
    assert figures.counts.acknowledged
    assert figures.ended == 6
