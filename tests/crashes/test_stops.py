"""The short profile of `tests.crashes.lab.stops`; that module runs as long as one likes. And what it finds where a
barrier is missing: each of them is needed, and none is missed by luck."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from evstore import LogDivergedError
from tests.crashes.lab.stops import CRASH, WITHOUT, Profile, stops

if TYPE_CHECKING:
    from tests.support.servers import OwnServer

pytestmark = pytest.mark.long("servers are stopped again and again")


def test_nothing_that_anybody_was_told_is_lost_when_the_server_stops(own: OwnServer, seed: int) -> None:
    figures = stops(own, Profile(3, seed))
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged
    assert figures.history.shown
    assert figures.history.levels


def test_nothing_is_lost_when_backends_alone_die(own: OwnServer, seed: int) -> None:
    figures = stops(own, Profile(1, seed, writers=2, readers=0, followers=1, slow=0.0, long=1, ways=(CRASH,)))
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged


@pytest.mark.parametrize(
    ("without", "rule", "words"),
    [
        # Lost, or lost and stored anew by the writer that repeats it.
        ("writers", 2, "was acknowledged, and .* lost|was told position .*, but has "),
        ("refusals", 7, "before that was stored"),
    ],
)
def test_it_is_found_when_a_barrier_is_missing(
    own: OwnServer, seed: int, without: str, rule: int, words: str
) -> None:
    figures = stops(own, WITHOUT[without]._replace(cycles=10, seed=seed, writers=3))
    print(figures)
    assert any(each.rule == rule and re.search(words, each.sentence) for each in figures.findings), figures


def test_a_follower_notices_itself_that_the_barrier_of_readers_is_missing(own: OwnServer, seed: int) -> None:
    """Whether or not writers have come as far again by then."""
    with pytest.raises(LogDivergedError, match=r"but the log ends at|but another event is there"):
        stops(own, WITHOUT["readers"]._replace(cycles=50, seed=seed, writers=3))
