"""The short profile of `tests.crashes.lab.racing`; that module runs as long as one likes. And what it finds where
conditions are judged before the lock, or where a log and its records are damaged on purpose."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from evstore import NO_STREAM, EventData, Query, connect
from tests.crashes.lab.judged import judge
from tests.crashes.lab.racer import Acknowledged, Asked, AskedWrite, Refused
from tests.crashes.lab.racing import Profile, races
from tests.support.changed_procedures import with_conditions_judged_before_the_lock
from tests.support.servers import NOT_OWNED, needs
from tests.support.widening import widened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evstore import StoredEvent
    from tests.crashes.lab.racer import Record
    from tests.support.servers import Server

WRITERS = 16


TURNS: Final = 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        widened(metafunc, "database", ("sqlite", "postgres"), 2)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _new_store(url: str) -> str:
    with closing(connect(url)) as store:
        store.initialize()
    return url


def _url(database: str, request: pytest.FixtureRequest, tmp_path: Path, name: str = "racing") -> str:
    if database == "sqlite":
        return _new_store(f"sqlite:{tmp_path / f'{name}.db'}")
    newest: Server = request.getfixturevalue("newest")
    return _new_store(newest.place(name))


@pytest.mark.long("sixteen processes write and are killed for seconds")
def test_no_acknowledged_condition_is_broken_when_sixteen_writers_race_and_are_killed(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, seed: int
) -> None:
    outcome = races(_url(database, request, tmp_path), tmp_path, Profile(3.0, WRITERS, seed))
    print(outcome)
    judgement = outcome.judgement
    assert not judgement.violations, outcome
    assert outcome.killed
    assert judgement.conditions
    assert judgement.refused


@pytest.mark.long("sixteen processes write until a fault is found", by_hand=True)
def test_it_is_found_when_conditions_are_judged_before_the_lock(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, seed: int
) -> None:
    for turn in range(TURNS):  # a race is lost by chance, seldom on a machine that is busy
        folder = tmp_path / str(turn)
        folder.mkdir()
        url = _url(database, request, folder, f"racing_{turn}")
        if database == "postgres":
            newest: Server = request.getfixturevalue("newest")
            with_conditions_judged_before_the_lock(newest, newest.schema(f"racing_{turn}"))
        outcome = races(url, folder, Profile(5.0, WRITERS, seed + turn, too_early=database == "sqlite"))
        print(outcome)
        if any(" forbids " in each for each in outcome.judgement.violations):
            return
    pytest.fail(f"the fault was not found in {TURNS} turns: {outcome}")


def _raced() -> tuple[list[Record], list[StoredEvent]]:
    """The records of a small log: an append without any condition, and one with each kind."""
    tagged = Query(types=["Named"], tags=["name:a"])
    with connect("memory:") as store:
        first = store.append("A-1", [EventData("Opened", {})])
        second = store.append(
            "B-1", [EventData("Named", {}, tags=["name:a"])], NO_STREAM, unless=tagged, require=[("A-1", 1)]
        )
        third = store.append("A-1", [EventData("Named", {}, tags=["name:b"]), EventData("Opened", {})])
        log = list(store.replay())
    records: list[Record] = [
        Asked("1", (), (), (AskedWrite("A-1", -1, (first[0].id,)),)),
        Acknowledged("1", (1,)),
        Asked("2", ((tagged.members(), 0),), (("A-1", 1),), (AskedWrite("B-1", NO_STREAM, (second[0].id,)),)),
        Acknowledged("2", (2,)),
        Asked("3", (), (), (AskedWrite("A-1", -1, tuple(each.id for each in third)),)),
        Acknowledged("3", (3, 4)),
    ]
    return records, log


def test_a_whole_log_has_no_violation() -> None:
    assert judge(*_raced()).violations == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda records, log: log.pop(), "3 was acknowledged at (3, 4), but the log has it at [3]"),
        (lambda records, log: records.pop() and log.pop(), "3 has 2 events, but the log has it at [3]"),
        (lambda records, log: records.append(Refused("3", "")), "3 was refused, but the log has it at 3"),
        (
            lambda records, log: log.append(log[-1]._replace(global_position=6, id="x")),
            "position 5 is 6 in the log",
        ),
        (lambda records, log: log.append(log[-1]._replace(global_position=5, id="x")), "the event x was asked of nobody"),
        (
            lambda records, log: log.__setitem__(0, log[0]._replace(type="Named", joined_tags="c name:a")),
            "2 at 2 forbids [{'types': ['Named'], 'tags': ['name:a']}] after 0, which 1 matches",
        ),
        (
            lambda records, log: log.__setitem__(0, log[0]._replace(stream_id="B-1")),
            "2 at 2 requires version 1 of A-1, which has 0",
        ),
        (
            lambda records, log: log.__setitem__(0, log[0]._replace(stream_id="B-1")),
            "2 at 2 expects version 0 of B-1, which has 1",
        ),
    ],
)  # fmt: skip
def test_what_must_not_be_is_found(
    damage: Callable[[list[Record], list[StoredEvent]], object], sentence: str
) -> None:
    records, log = _raced()
    damage(records, log)
    assert sentence in judge(records, log).violations


@pytest.fixture(autouse=True)
def _own_server(request: pytest.FixtureRequest) -> None:
    """A given server has its procedures changed by nobody."""
    if "database" in request.fixturenames and request.getfixturevalue("database") == "postgres":
        needs(NOT_OWNED, request.getfixturevalue("newest").owned)
