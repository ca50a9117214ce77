"""The short profile of `tests.crashes.lab.mirrored`; that module kills a mirror as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore import connect
from tests.crashes.lab.mirrored import Profile, mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

KILLS = 2


@pytest.mark.parametrize("way", ["sqlite to postgres", "postgres to sqlite"])
def test_a_mirror_that_is_killed_again_and_again_leaves_an_equal_store(
    tmp_path: Path, newest: Server, seed: int, way: str
) -> None:
    places = {"sqlite": f"sqlite:{tmp_path}/events.db", "postgres": newest.place()}
    for url in places.values():
        with connect(url) as store:
            store.initialize()
    run = mirrored(tmp_path, *(places[each] for each in way.split(" to ")), Profile(KILLS, 2, seed))
    print(run)
    assert run.ok, run
    assert run.killed == KILLS
    assert run.events > 0
