"""The short profile of `tests.crashes.lab.cuts`; that module cuts as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.cuts import POINTS, Profile, cuts

if TYPE_CHECKING:
    from tests.support.servers import Server

pytestmark = pytest.mark.long("connections are cut, and tried again after pauses")

CUTS = 5


def test_an_append_is_stored_once_wherever_the_way_to_the_server_is_cut(newest: Server, seed: int) -> None:
    figures = cuts(newest, Profile(CUTS, seed))
    print(figures)
    assert figures.ok, figures
    assert figures.happened == {f"cut {point}": CUTS for point in POINTS}
    assert [each for each in figures.acknowledged if each.answer.duplicate]
