"""One command runs all faults: what it makes of what the labs find."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.crashes import __main__ as command
from tests.crashes.catalogue import FAULTS, Asked, Fault, Ran
from tests.crashes.lab.result import BLIND, FAILED, FOUND, NOT_RUN, OK, Counts, total
from tests.support.servers import NOT_OWNED, another, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

CLEAN = Counts(3, 0, 0, 0, 0, 0)


def unused() -> Server:
    raise AssertionError("no server is asked for")


def a_fault(run: Any, **more: Any) -> Fault:
    return Fault("one", "one fault", "SQLite", 1, 2, run, **more)


@pytest.mark.parametrize("name", ["lost", "duplicated", "gaps", "skipped", "partial"])
def test_a_single_count_that_is_not_zero_fails(name: str) -> None:
    (result,) = command.results_of(a_fault(lambda _: Ran(1, CLEAN._replace(**{name: 1}))), 1, 7, unused)
    assert (result.verdict, result.failed) == (FAILED, True)


def test_each_end_of_a_lab_has_its_verdict() -> None:
    def skips(_: object) -> NoReturn:
        pytest.skip("there is no strace")

    def breaks(_: object) -> NoReturn:
        raise TimeoutError("a worker")

    found = CLEAN._replace(faults=("an event is lost",))
    ends = {
        OK: a_fault(lambda _: Ran(1, CLEAN)),
        NOT_RUN: a_fault(skips),
        FOUND: a_fault(lambda _: Ran(1, found), must_find=True),
        BLIND: a_fault(lambda _: Ran(1, CLEAN), must_find=True),
    }
    for verdict, fault in ends.items():
        (result,) = command.results_of(fault, 1, 7, unused)
        assert (result.verdict, result.failed) == (verdict, verdict == BLIND)
    for must_find in (False, True):  # a lab that breaks has found nothing
        (result,) = command.results_of(a_fault(breaks, must_find=must_find), 1, 7, unused)
        assert (result.verdict, result.counts.faults) == (FAILED, ("the lab ended with TimeoutError('a worker')",))


def test_a_lab_that_breaks_tells_the_last_words_of_its_servers(newest: Server) -> None:
    needs(NOT_OWNED, newest.owned)

    def breaks(asked: Asked) -> NoReturn:
        with another(asked.server()) as own:
            own.stop("immediate")
            raise TimeoutError(own.folder)

    (result,) = command.results_of(a_fault(breaks), 1, 7, lambda: newest)
    assert "received immediate shutdown request" in result.note
    assert f"The last words of {newest.name} in {newest.folder}" in result.note  # type: ignore[attr-defined]


def test_what_no_lab_looked_for_stays_unknown_in_a_sum() -> None:
    summed = total(
        [CLEAN._replace(skipped=None), CLEAN._replace(skipped=None, faults=("a",)), Counts(faults=("b",))]
    )
    assert summed == Counts(6, 0, 0, 0, None, 0, ("a", "b"))


def test_the_parts_of_a_profile_are_the_whole_of_it() -> None:
    asked = Namespace(profile="long", only=None, database=None, part="1/1")
    whole = command.chosen(asked)
    parts = [command.chosen(Namespace(**{**vars(asked), "part": f"{n}/3"})) for n in (1, 2, 3)]
    assert len(whole) == len(FAULTS) == sum(map(len, parts))
    assert all(each in whole for part in parts for each in part)
    assert 0 < len(command.chosen(Namespace(**{**vars(asked), "profile": "short"}))) < len(whole)


@pytest.mark.parametrize(("counts", "code"), [(CLEAN, 0), (CLEAN._replace(lost=1), 1)])
def test_the_command_prints_one_table_and_fails_if_something_is_lost(
    counts: Counts, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "FAULTS", [a_fault(lambda _: Ran(4, counts, {"processes killed": 2}))])
    monkeypatch.setattr(sys, "argv", ["crashes", "--seed", "7", "--json", str(tmp_path / "found.json")])
    assert command.main() == code
    printed = capsys.readouterr().out
    assert f"| one fault | SQLite | 4 | 3 | {counts.lost} | 0 | 0 | 0 | 0 | 0 | 0 | " in printed
    assert "processes killed 2" in printed
    assert f'"lost": {counts.lost}' in (tmp_path / "found.json").read_text()
