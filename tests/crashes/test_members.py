"""The short profile of `tests.crashes.lab.members`; that module runs as long as one likes. And what it finds where a
member does not honour slots, or where records are wrong on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore import connect
from tests.crashes.lab.members import Profile, changes, judge
from tests.support.widening import widened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

CREWS = (4, 3, 5)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        widened(metafunc, "database", ("sqlite", "postgres"), 2)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if database == "sqlite":
        return _made(f"sqlite:{tmp_path / 'events.db'}")
    newest: Server = request.getfixturevalue("newest")
    return _made(newest.place("members"))


def _made(url: str) -> str:
    with connect(url) as store:
        store.initialize()
    return url


@pytest.mark.long("crews of processes follow upon each other")
def test_streams_move_between_members_that_leave_and_join_and_each_is_handled_in_order(
    url: str, tmp_path: Path, seed: int
) -> None:
    outcome = changes(url, tmp_path, Profile(CREWS, seed))
    print(outcome)
    assert not outcome.faults, outcome.faults[:20]
    assert len(outcome.handled) == sum(CREWS)
    assert outcome.streams == 1000
    assert outcome.moved
    assert outcome.events > 1000


@pytest.mark.long("processes work for seconds")
def test_members_that_do_not_honour_slots_are_found(tmp_path: Path, seed: int) -> None:
    url = _made(f"sqlite:{tmp_path / 'events.db'}")
    outcome = changes(url, tmp_path, Profile((2,), seed, streams=50, greedy=True))
    assert any(" was handled again" in each for each in outcome.faults), outcome


LOG = {1: "A", 2: "B", 3: "A", 4: "B"}


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (["+ x 1 3", "+ y 2 4", "- x 1 3", "- y 2 4"], []),
        (["+ x 1", "- x 1", "+ y 2 3", "- y 2 3", "+ x 4", "- x 4"], []),
        (["+ x 1", "+ y 3", "- y 3", "- x 1", "+ y 2 4", "- y 2 4"], ["A was in y while it was in x"]),
        (["+ x 3", "- x 3", "+ x 1 2 4", "- x 1 2 4"], ["1 of A came to x after 3"]),
        (["+ x 1 2 3 4", "- x 1 2 3 4", "+ y 4", "- y 4"], ["4 of B was handled again, by y"]),
        (["+ x 1 2 4", "- x 1 2 4"], ["3 of A was not handled"]),
    ],
)
def test_records_that_are_wrong_are_found(lines: list[str], faults: list[str]) -> None:
    assert judge(lines, LOG).faults == faults
