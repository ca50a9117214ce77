"""`init` makes a store, and only a store."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from tests.support.command import files
from tests.support.damage import Damage, plant
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command


FILE = pytest.mark.sqlite_only("it is about the file of the store")
MADE = {
    "sqlite": ("sqlite", {"journalMode": "wal", "synchronous": "full"}),
    "postgres": ("postgresql", {"fsync": "on", "fullPageWrites": "on", "synchronousCommit": "on"}),
}


def test_init_makes_a_store_and_prints_what_it_made(evstore: Command, backend: str) -> None:
    info = json.loads(evstore.ok("init").out)
    assert (info["backend"], info["durability"]) == MADE[backend]
    assert info["place"] == evstore.place
    assert (info["schemaVersion"], info["events"]) == (1, 0)


def test_init_again_changes_nothing_and_succeeds(evstore: Command, backend: str) -> None:
    def seen() -> tuple[bytes, bytes]:
        file = b"" if backend == "postgres" else (evstore.folder / "evstore.db").read_bytes()
        return file, evstore.ok("replay", "--all").out

    evstore.ok("init")
    evstore.ok("append", "Order-1", "-t", "Placed", "-d", "{}")
    before = seen()
    assert json.loads(evstore.ok("init").out)["events"] == 1
    assert seen() == before


NOT_ONE = {
    "none": Damage("DELETE FROM store", "DELETE FROM store", set()),
    "two": Damage(
        "INSERT INTO store (id, min_reader, min_writer) VALUES (2, 1, 1)",
        "ALTER TABLE store DROP CONSTRAINT store_id_check; INSERT INTO store VALUES (2, 'EVST', 1, 1, 1)",
        set(),
    ),
}
TOO_OLD = Damage("PRAGMA user_version = 0", "UPDATE store SET schema_version = 0", set())


@pytest.mark.parametrize("rows", NOT_ONE)
@pytest.mark.parametrize(
    "words", [("init",), ("replay", "--all"), ("append", "A-1", "-t", "T", "-d", "1"), ("verify",)]
)
def test_what_does_not_say_once_who_may_use_it_is_no_store(
    store: Command, rows: str, words: tuple[str, ...]
) -> None:
    plant(store, NOT_ONE[rows])
    done = store(*words, "--errors", "json")
    assert (done.code, done.out) == (6, b"")
    assert json.loads(done.err)["error"]["class"] == "NotAStoreError"


@pytest.mark.parametrize(
    "words", [("init",), ("replay", "--all"), ("append", "A-1", "-t", "T", "-d", "1"), ("verify",)]
)
def test_a_store_of_a_schema_before_the_first_is_too_old(store: Command, words: tuple[str, ...]) -> None:
    plant(store, TOO_OLD)
    done = store(*words, "--errors", "json")
    assert (done.code, done.out) == (6, b"")
    error = json.loads(done.err)["error"]
    assert error["class"] == "SchemaTooOldError"
    assert names(error["message"], store.place, 0, 1)
    assert error["hint"].startswith("evstore migrate")


@FILE
def test_only_the_owner_can_read_what_init_makes(evstore: Command, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        evstore.ok("init")
        evstore.ok("append", "Order-1", "-t", "Placed", "-d", "{}")
        evstore.ok("read", "Order-1")
    finally:
        os.umask(old)
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes


@FILE
def test_an_empty_file_becomes_a_store(evstore: Command, tmp_path: Path) -> None:
    (tmp_path / "evstore.db").touch()
    assert json.loads(evstore.ok("init").out)["events"] == 0


def _database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("Dear diary")


@pytest.mark.parametrize("make", [_database, _text])
@pytest.mark.parametrize("words", [("init",), ("read", "Order-1"), ("append", "A-1", "-t", "T", "-d", "1")])
@FILE
def test_what_is_not_a_store_is_refused_and_left_as_it_was(
    evstore: Command, tmp_path: Path, make: object, words: tuple[str, ...]
) -> None:
    path = tmp_path / "evstore.db"
    make(path)
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    done = evstore(*words, "--errors", "json")
    assert (done.code, done.out) == (6, b"")
    error = json.loads(done.err)["error"]
    assert error["class"] == "NotAStoreError"
    assert names(error["message"], path)
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


@FILE
def test_a_folder_is_refused(evstore: Command, tmp_path: Path) -> None:
    (tmp_path / "evstore.db").mkdir()
    done = evstore("init", "--errors", "json")
    assert (done.code, done.out) == (6, b"")
    error = json.loads(done.err)["error"]
    assert error["class"] == "NotAStoreError"
    assert names(error["message"], tmp_path / "evstore.db")
    (tmp_path / "evstore.db").rmdir()
    _text(tmp_path / "evstore.db")
    assert json.loads(evstore("init", "--errors", "json").err)["error"]["message"] != error["message"]


@FILE
def test_a_missing_folder_is_named(evstore: Command, tmp_path: Path) -> None:
    done = evstore("init", "--db", "sqlite:nowhere/x.db")
    assert (done.code, done.out) == (2, b"")
    assert str(tmp_path / "nowhere") in done.err


@FILE
def test_what_a_removed_store_left_behind_is_not_taken_for_the_new_ones_log(
    evstore: Command, tmp_path: Path
) -> None:
    evstore.ok("init")
    evstore.ok("append", "Order-1", "-t", "Placed", "-d", "{}")
    evstore.ok("read", "Order-1")  # a reader leaves the log's files
    (tmp_path / "evstore.db").unlink()
    (tmp_path / "evstore.db-shm").write_bytes(b"x" * 5000)
    (tmp_path / "evstore.db-wal").write_bytes(b"")
    assert json.loads(evstore.ok("init").out)["events"] == 0
    assert evstore.ok("replay", "--all").out == b""


@FILE
@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_the_log_of_a_database_that_was_moved_is_kept_until_it_is_back(
    evstore: Command, tmp_path: Path, suffix: str, empty: bool
) -> None:
    evstore.ok("init")
    with connect(evstore.url) as store:
        store.append("Order-1", [EventData("Placed", {})])
        left = (tmp_path / "evstore.db-wal").read_bytes()
        moved = (tmp_path / "evstore.db").read_bytes()
    for each in tmp_path.iterdir():
        each.unlink()
    if empty:
        (tmp_path / "evstore.db").touch()
    log = tmp_path / f"evstore.db{suffix}"
    log.write_bytes(left)
    before = files(tmp_path)
    for words in (("init",), ("read", "Order-1"), ("append", "A-1", "-t", "T", "-d", "1"), ("export", "-O", "x")):
        done = evstore(*words)
        assert (done.code, done.out) == (6, b"")
        assert f"no event store at {evstore.place}, but {log} is there" in done.err
        assert f"hint: move the database back to {evstore.place}" in done.err
        assert "evstore init" not in done.err
        assert (files(tmp_path), log.read_bytes()) == (before, left)
    if suffix == "-wal":
        (tmp_path / "evstore.db").write_bytes(moved)
        assert len(evstore.ok("read", "Order-1").lines) == 1


@FILE
def test_a_backup_keeps_the_log_of_a_database_that_was_moved(store: Command, tmp_path: Path) -> None:
    (tmp_path / "copy.db-wal").write_bytes(b"events")
    for force in ((), ("--force",)):
        done = store("backup", "copy.db", *force)
        assert (done.code, done.out) == (2, b"")
        assert "copy.db-wal is there, the log of a database that was moved" in done.err
        assert (tmp_path / "copy.db-wal").read_bytes() == b"events"


@pytest.mark.sqlite_only("a server has roles")
@pytest.mark.parametrize("flag", ["--grant-read", "--grant-append"])
@pytest.mark.parametrize("where", ["a new file", "a store", "memory"])
def test_where_there_are_no_roles_a_grant_is_a_usage_error_and_makes_nothing(
    evstore: Command, where: str, flag: str
) -> None:
    if where == "a store":
        evstore.ok("init")
    before = files(evstore.folder)
    memory = ("--db", "memory:") if where == "memory" else ()
    done = evstore("init", flag, "reporting", *memory)
    assert (done.code, done.out) == (2, b"")
    engine, place = ("memory", "memory:") if where == "memory" else ("SQLite", evstore.place)
    assert f"evstore: no rights can be granted at {place}: {engine} has no roles\n" in done.err
    assert ("hint: owner, group and mode of the file" in done.err) == (where != "memory")
    assert files(evstore.folder) == before


@pytest.mark.sqlite_only("a server has roles")
def test_no_grant_is_no_grant(evstore: Command) -> None:
    with connect(evstore.url) as store:
        store.initialize(grant_read=(), grant_append=iter(()))
        assert store.head() == 0
