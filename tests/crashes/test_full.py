"""The short profile of `tests.crashes.lab.full` and `full_log`; these modules fill disks as often as one likes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from evstore.adapters.sqlite.adapter import SqliteAdapter
from evstore.errors import StorageFullError
from tests.crashes.lab.full import Profile, fills
from tests.crashes.lab.full_disks import MOUNTED, SQLITE, on_a_small_tablespace
from tests.crashes.lab.full_log import fills_the_log
from tests.support.servers import NOT_OWNED, needs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from tests.support.servers import Server

pytestmark = pytest.mark.long("many appends come over full disks")
SHORT = Profile(2, 0, attempts=30)


@pytest.mark.parametrize("way", SQLITE)
def test_an_append_over_a_full_disk_is_there_or_refused_and_room_lets_all_go_on(
    tmp_path: Path, seed: int, way: str, request: pytest.FixtureRequest
) -> None:
    if way in MOUNTED:
        request.getfixturevalue("a_mount")
    figures = fills(way, SQLITE[way], tmp_path, SHORT._replace(seed=seed))
    print(figures)
    assert figures.ok, figures
    assert figures.refused["append"]


@pytest.mark.usefixtures("a_mount")
def test_so_it_is_in_a_tablespace_that_is_full(newest: Server, tmp_path: Path, seed: int) -> None:
    needs(NOT_OWNED, newest.owned)
    disk = partial(on_a_small_tablespace, newest)
    figures = fills("small tablespace", disk, tmp_path, SHORT._replace(seed=seed, runs=1, attempts=20))
    print(figures)
    assert figures.ok, figures
    assert figures.refused["append"]


@pytest.mark.usefixtures("a_mount")
def test_nothing_that_anybody_was_told_is_lost_when_the_log_of_the_server_is_full(
    newest: Server, seed: int
) -> None:
    needs(NOT_OWNED, newest.owned)
    figures = fills_the_log(newest, 1, seed)
    print(figures)
    assert figures.ok, figures
    assert figures.acknowledged
    assert figures.history.shown


def test_an_append_that_is_stored_and_refused_is_found(tmp_path: Path, seed: int) -> None:
    append = SqliteAdapter.append
    appends = 0

    def refusing(adapter: SqliteAdapter, units: Sequence[Any], **options: bool) -> Any:
        nonlocal appends
        appends += 1
        outcomes = append(adapter, units, **options)
        if appends == 3:
            raise StorageFullError("the disk is full; nothing was stored")
        return outcomes

    with patch.object(SqliteAdapter, "append", refusing):
        figures = fills("planted", SQLITE["SQLite, most pages"], tmp_path, Profile(1, seed, attempts=1))
    assert any("was taken back, and is stored" in each for each in figures.faults), figures
