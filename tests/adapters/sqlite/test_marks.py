"""A store that went through `.dump` lost the marks by which it is known: it is recognised, and mended by hand."""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, NotAStoreError, connect
from tests.support.command import files

if TYPE_CHECKING:
    from tests.support.command import Command

pytestmark = pytest.mark.sqlite_only("it is about the header of SQLite's file")


@pytest.fixture
def restored(store: Command) -> Command:
    """A store that was written to text and read from there, in the place of the first."""
    with connect(store.url) as before:
        before.append("A-1", [EventData("T", {"n": 1})])
    path = store.folder / "evstore.db"
    with closing(sqlite3.connect(path)) as connection:
        text = "\n".join(connection.iterdump())
    for each in store.folder.iterdir():
        each.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
    return store


def refused(command: Command, *words: str) -> dict[str, str]:
    done = command(*words, "--errors", "json")
    assert (done.code, done.out) == (6, b""), done
    return json.loads(done.err)["error"]


@pytest.mark.parametrize(
    "words", [("init",), ("read", "A-1"), ("append", "A-1", "-t", "T", "-d", "1"), ("verify",)]
)
def test_a_restored_dump_is_recognised_and_left_as_it_is(restored: Command, words: tuple[str, ...]) -> None:
    path = restored.folder / "evstore.db"
    before = path.read_bytes()
    error = refused(restored, *words)
    assert error["class"] == "NotAStoreError"
    assert error["message"].endswith("it has the tables of one, but lost its marks, as in a restored .dump")
    assert "PRAGMA application_id = 1163285332; PRAGMA user_version = 1" in error["hint"]
    assert path.read_bytes() == before
    assert files(restored.folder) == ["evstore.db"]


def test_the_hint_mends_a_restored_dump(restored: Command) -> None:
    if not shutil.which("sqlite3"):
        pytest.skip("the shell of SQLite is not installed")
    hint = refused(restored, "read", "A-1")["hint"]
    command = shlex.split(hint.removesuffix(" makes it one again"))
    subprocess.run(command, check=True, cwd=restored.folder)
    assert restored.ok("read", "A-1").lines[0].count('"data":{"n":1}') == 1
    restored.ok("append", "A-1", "-t", "T", "-d", "2")
    assert restored.ok("verify").code == 0


def test_a_lost_number_alone_is_too_old_and_the_hint_mends_it(store: Command) -> None:
    with closing(sqlite3.connect(store.folder / "evstore.db")) as connection:
        connection.execute("PRAGMA user_version = 0")
    hint = refused(store, "info")["hint"]
    assert "PRAGMA application_id = 1163285332; PRAGMA user_version = 1" in hint


def test_a_database_with_some_tables_of_those_names_is_another_programs(store: Command) -> None:
    path = store.folder / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE events (x); CREATE TABLE streams (x)")
    with connect(f"sqlite:{path}") as theirs, pytest.raises(NotAStoreError, match="another program's database"):
        theirs.info()
