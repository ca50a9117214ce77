"""The short profile of `tests.crashes.lab.restored`; that module restores as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crashes.lab.restored import EVERYBODY, restores, restores_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server


def test_whoever_is_ahead_of_an_older_backup_is_told(tmp_path: Path, seed: int) -> None:
    figures = restores(tmp_path, 2, seed)
    print(figures)
    assert not figures.faults
    assert figures.told >= 2 * figures.cycles


@pytest.mark.long("a server is stopped and started")
@pytest.mark.seldom
def test_whoever_is_ahead_of_the_older_files_of_a_server_is_told(newest: Server, seed: int) -> None:
    (outcome,) = restores_files(newest, 1, seed)
    print(outcome)
    assert not outcome.faults
    assert outcome.lost
    assert outcome.noticed == EVERYBODY
