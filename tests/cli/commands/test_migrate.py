"""`migrate`: nothing to do today, and made-up steps of a later evstore."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

from evstore.cli.run import run
from tests.support.made_up_steps import ALL, FINISH, READINGS, VERSIONS, kept, newer, recorded, written

SCHEMAS = {
    name: jsonschema.Draft202012Validator(json.loads((files("evstore") / "schemas" / f"{name}.json").read_text()))
    for name in ("migration", "error")
}

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command


@pytest.mark.parametrize("words", [(), ("--status",), ("--dry-run",), ("--finish",), ("--dry-run", "--finish")])
def test_there_is_nothing_to_do(store: Command, words: tuple[str, ...]) -> None:
    before = kept(store)
    done = store.ok("migrate", *words)
    assert (done.out, done.err) == (b"", f"note: nothing to do: the event store at {shown(store)} has schema 1\n")
    assert store.ok("migrate", *words, "-F", "json").out == b"[]\n"
    assert kept(store) == before


def shown(store: Command) -> str:
    return json.loads(store.ok("info").out)["place"]


@pytest.mark.sqlite_only("it is about a store that lies nowhere")
def test_memory_has_nothing_to_do(evstore: Command) -> None:
    done = evstore.ok("--db", "memory:", "migrate", "--status")
    assert "nothing to do: the event store at memory: has schema 1" in done.err


def test_where_there_is_no_store_none_is_made(evstore: Command) -> None:
    done = evstore("migrate", "--errors", "json")
    assert (done.code, done.out) == (6, b"")
    error = json.loads(done.err)["error"]
    assert (error["class"], error["hint"].split()[:2]) == ("NotInitializedError", ["evstore", "init"])
    assert [*evstore.folder.iterdir()] == []


@pytest.mark.parametrize("words", [("--status", "--finish"), ("--status", "--dry-run")], ids=" ".join)
@pytest.mark.sqlite_only("no store is asked")
def test_status_excludes_the_others(store: Command, words: tuple[str, ...]) -> None:
    assert store("migrate", *words).code == 2


class Newer:
    """The command of an evstore that has the steps of a folder, without a process of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def __call__(self, *words: str) -> tuple[int, list[str], str]:
        """Exit code, each step with its state, and what it noted."""
        code, out, err = self.raw(*words)
        lines = [json.loads(line) for line in out.splitlines()]
        for line in lines:
            SCHEMAS["migration"].validate(line)
        return code, [f"{line['step']} {line['state']}" for line in lines], err

    def raw(self, *words: str) -> tuple[int, str, str]:
        with newer(self.folder):
            code = run(["migrate", *words])
        said = self._capfd.readouterr()
        return code, said.out, said.err


@pytest.fixture
def new(
    store: Command,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Newer:
    monkeypatch.setenv("EVSTORE_DB", store.url)
    return Newer(written(tmp_path_factory.mktemp("steps")), capfd)


def test_steps_are_shown_tried_applied_and_finished(store: Command, new: Newer) -> None:
    """Each form of the command in the order in which an operator meets them."""
    pending = [f"{step} pending" for step in ALL]
    assert new("--status") == (1, pending, "next: evstore migrate\n")
    assert new("--dry-run")[:2] == (0, pending[:2])
    assert new("--dry-run", "--finish")[:2] == (0, pending)
    assert recorded(store) == []
    code, lines, err = new()
    assert (code, lines) == (0, [f"{READINGS} applied", f"{VERSIONS} applied"])
    assert "has schema 3\n" in err
    assert err.endswith("next: when every evstore that uses the store is new: evstore migrate --finish\n")
    code, lines, err = new("--status")
    assert (code, lines) == (1, [*(f"{step} applied" for step in ALL[:2]), f"{FINISH} pending"])
    assert err == "next: evstore migrate --finish\n"
    assert new("--finish")[:2] == (0, [f"{FINISH} applied"])
    assert new("--status")[:2] == (0, [f"{step} applied" for step in ALL])
    assert "nothing to do" in new("--finish")[2]


def test_a_step_that_fails_is_an_error_with_a_next_step(store: Command, new: Newer) -> None:
    written(new.folder, versions="INSERT INTO nowhere VALUES (1);")
    code, out, err = new.raw("--errors", "json")
    assert (code, out) == (6, "")
    error = json.loads(err)
    SCHEMAS["error"].validate(error)
    assert (error["error"]["class"], error["error"]["step"]) == ("MigrationError", VERSIONS)
    assert "nowhere" in error["error"]["message"]
    assert "a second run goes on" in error["error"]["hint"]
    assert recorded(store) == [READINGS]


@pytest.mark.sqlite_only("it is about the form")
def test_the_table_and_the_tsv(new: Newer) -> None:
    _, table, _ = new.raw("--dry-run", "-F", "table")
    assert [line.split() for line in table.splitlines()] == [
        ["step", "schema", "state", "applied"],
        [READINGS, "2", "pending"],
        [VERSIONS, "3", "pending"],
    ]
    _, tsv, _ = new.raw("--status", "-F", "tsv")
    assert tsv.splitlines()[2] == f"{FINISH}\t2\ttrue\tpending\t"
