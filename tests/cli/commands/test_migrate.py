"""`migrate`: nothing to do today, and made-up steps of a later evstore."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.project.test_schemas import check
from tests.support.made_up_steps import ALL, FINISH, READINGS, VERSIONS, kept, newer_command, recorded, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("steps"))


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


def test_steps_are_shown_tried_applied_and_finished(store: Command, folder: Path) -> None:
    """Each form of the command in the order in which an operator meets them."""

    def run(*words: str) -> tuple[int, list[str], str]:
        done = newer_command(store, folder, "migrate", *words)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            check("migration", line)
        return done.returncode, [f"{line['step']} {line['state']}" for line in lines], done.stderr

    pending = [f"{step} pending" for step in ALL]
    code, lines, err = run("--status")
    assert (code, lines) == (1, pending)
    assert err == "next: evstore migrate\n"
    assert run("--dry-run")[:2] == (0, pending[:2])
    assert run("--dry-run", "--finish")[:2] == (0, pending)
    assert recorded(store) == []
    code, lines, err = run()
    assert (code, lines) == (0, [f"{READINGS} applied", f"{VERSIONS} applied"])
    assert "has schema 3\n" in err
    assert err.endswith("next: when every evstore that uses the store is new: evstore migrate --finish\n")
    code, lines, err = run("--status")
    assert (code, lines) == (1, [*(f"{step} applied" for step in ALL[:2]), f"{FINISH} pending"])
    assert err == "next: evstore migrate --finish\n"
    assert run("--finish")[:2] == (0, [f"{FINISH} applied"])
    assert run("--status")[:2] == (0, [f"{step} applied" for step in ALL])
    assert "nothing to do" in run("--finish")[2]


@pytest.mark.sqlite_first("both databases answer alike")
def test_a_step_that_fails_is_an_error_with_a_next_step(store: Command, folder: Path) -> None:
    written(folder, versions="INSERT INTO nowhere VALUES (1);")
    done = newer_command(store, folder, "migrate", "--errors", "json")
    assert (done.returncode, done.stdout) == (6, "")
    error = json.loads(done.stderr)
    check("error", error)
    assert (error["error"]["class"], error["error"]["step"]) == ("MigrationError", VERSIONS)
    assert "nowhere" in error["error"]["message"]
    assert "a second run goes on" in error["error"]["hint"]
    assert recorded(store) == [READINGS]


@pytest.mark.sqlite_only("it is about the form")
def test_the_table_and_the_tsv(store: Command, folder: Path) -> None:
    table = newer_command(store, folder, "migrate", "--dry-run", "-F", "table").stdout.splitlines()
    assert [line.split() for line in table] == [
        ["step", "schema", "state", "applied"],
        [READINGS, "2", "pending"],
        [VERSIONS, "3", "pending"],
    ]
    tsv = newer_command(store, folder, "migrate", "--status", "-F", "tsv").stdout
    assert tsv.splitlines()[2] == f"{FINISH}\t2\ttrue\tpending\t"
