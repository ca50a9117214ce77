"""The short profile of `tests.crashes.lab.documents`; that module runs as long as one likes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.documents import Profile, documents_run
from tests.support.mongo_servers import an_own_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long("processes and a server are killed for seconds")


def test_nothing_acknowledged_is_lost_when_writers_and_the_server_are_killed(tmp_path: Path, seed: int) -> None:
    with closing(an_own_server()) as server:
        figures = documents_run(server, tmp_path, Profile(4.0, 4, seed, most_pause=0.5, of_server=0.3))
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged
    assert all(figures.handed.values())
