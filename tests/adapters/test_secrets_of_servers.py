"""A password or a token of NATS and MongoDB is in nothing that is printed, logged, raised, shown or traced."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, EvstoreError, UnavailableError, connect
from tests.support.command import Command
from tests.support.secret_urls import ELSEWHERE, dead, keeps, told

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 0.3
"""Seconds. Nobody answers, so that each case takes as long."""


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_is_in_no_part_of_an_error(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case = ELSEWHERE[name]
    with pytest.raises(EvstoreError) as caught:
        with connect(dead(case), timeout=PATIENCE) as store:
            keeps(repr(store) + repr(store._adapter) + repr(vars(store).get("location")))
            store.append("Order-1", [EventData("Placed", 1)])
    assert isinstance(caught.value, case.kind), caught.value
    assert caught.value.retryable == (case.kind is UnavailableError)
    for each in told(caught.value):
        keeps(each)
    keeps(caplog.text)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_is_in_nothing_that_a_command_prints(name: str, tmp_path: Path) -> None:
    case, command = ELSEWHERE[name], Command(tmp_path)
    url = dead(case)
    env = {"EVSTORE_DB": "env:SECRET", "SECRET": url, "TMPDIR": str(tmp_path)}
    shown = command("--db", url, "info", "-v", "--timeout", f"{PATIENCE}s", env={"EVSTORE_DEBUG": "1"})
    told = command("init", "--errors", "json", "--timeout", f"{PATIENCE}s", env=env)
    for done in (shown, told):
        assert (done.code, done.out) == (case.code, b""), done
        keeps(done.err)
    assert json.loads(told.err)["error"]["exitCode"] == case.code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["nats", "mongodb"])
def test_it_is_in_no_message_about_another_store(scheme: str, tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.ok("init")
    url = dead(ELSEWHERE["a port of NATS that refuses"]).replace("nats:", f"{scheme}:")
    for words in (("mirror", url, "--once"), ("diff", url)):
        done = command(*words, "--timeout", f"{PATIENCE}s")
        assert (done.code, done.out) == (7, b""), done
        keeps(done.err)
