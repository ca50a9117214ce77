"""The short profile of `tests.crashes.lab.consuming`; that module runs as long as one likes. And what it finds where a
checkpoint moves before its events are handled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore import connect
from tests.crashes.lab.consuming import KINDS, Profile, consumes, expired
from tests.support.widening import widened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        widened(metafunc, "database", ("sqlite", "postgres"), 1)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if database == "sqlite":
        url = f"sqlite:{tmp_path / 'events.db'}"
    else:
        newest: Server = request.getfixturevalue("newest")
        url = newest.place("consuming")
    with connect(url) as store:
        store.initialize()
    return url


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_is_missed_when_a_consumer_is_killed_while_others_append(
    kind: str, url: str, database: str, tmp_path: Path, seed: int
) -> None:
    let_go = expired(url) if database == "postgres" else lambda: None
    outcome = consumes(url, tmp_path, Profile(3, kind, seed, longest=0.2), let_go)
    print(outcome)
    assert not outcome.faults, outcome.faults
    assert outcome.kills == 3
    assert outcome.events > 3


def test_a_checkpoint_that_moves_too_early_is_found(tmp_path: Path, seed: int) -> None:
    url = f"sqlite:{tmp_path / 'events.db'}"
    with connect(url) as store:
        store.initialize()
    outcome = consumes(url, tmp_path, Profile(1, "plain", seed, longest=0.2, forgets=True))
    assert outcome.faults
