"""The module that SQLite is used by, and other programs that use the file by another."""

from __future__ import annotations

import json
import pickle
import sqlite3
from contextlib import closing
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, MissingDependencyError, StoreBusyError, connect
from evstore.adapters.sqlite.lists import _wal_reset_bug

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command


def like_sqlite3(name: str, left_out: tuple[str, ...] = (), **changed: object) -> ModuleType:
    made = ModuleType(name)
    for each in ("sqlite_version", "sqlite_version_info", "connect", "Error", "DatabaseError", "OperationalError",
                 "IntegrityError"):  # fmt: skip
        if each not in left_out:
            setattr(made, each, changed.get(each, getattr(sqlite3, each)))
    return made


def without_uris(database: str) -> sqlite3.Connection:
    raise AssertionError(database)


class Codeless(sqlite3.Connection):
    """Whose errors have no code, as those of Python 3.10."""

    def execute(self, *given: object) -> sqlite3.Cursor:
        try:
            return super().execute(*given)
        except sqlite3.Error as error:
            raise sqlite3.OperationalError(str(error)) from None


UNSUITABLE = {
    "no module of SQLite": (json, "json does not have the interface of Python's sqlite3: it has no sqlite_version_info"),
    "other arguments": (like_sqlite3("turso", connect=without_uris), "turso does not have .* unexpected keyword argument"),
    "other errors": (like_sqlite3("odd", connect=lambda *a, **k: sqlite3.connect(*a, factory=Codeless, **k)), "odd .* its errors have no sqlite_errorcode"),
    "no errors": (like_sqlite3("bare", ("IntegrityError",)), "bare .*IntegrityError"),
    "an old SQLite": (like_sqlite3("old", sqlite_version="3.36.0", sqlite_version_info=(3, 36, 0)), "SQLite 3.37 or newer, this is 3.36.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSUITABLE)
@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.head(),
        lambda store: store.initialize(),
        lambda store: store.append("A-1", [EventData("T", 1)]),
    ],
)
@pytest.mark.sqlite_only("it is about SQLite's module")
def test_a_module_that_does_not_suit_is_refused_by_name(store: Command, case: str, ask: Callable) -> None:
    module, reason = UNSUITABLE[case]
    with pytest.raises(MissingDependencyError, match=reason):
        with connect(store.url, sqlite=module) as opened:
            ask(opened)


@pytest.mark.sqlite_only("it is about SQLite's module")
def test_a_module_like_the_standard_one_serves(store: Command) -> None:
    with connect(store.url, sqlite=like_sqlite3("newer")) as opened:
        opened.append("A-1", [EventData("T", 1)])
        assert opened.head() == 1


def test_the_advice_on_an_old_sqlite_is_not_what_is_installed() -> None:
    assert _wal_reset_bug(sqlite3).endswith("or with evstore[sqlite]")
    assert _wal_reset_bug(ModuleType("pysqlite3")).endswith("or with pip install 'pysqlite3>=0.6.1'")


@pytest.mark.sqlite_only("it is about the lock of SQLite's file")
@pytest.mark.parametrize("words", [("read", "A-1"), ("append", "A-1", "-t", "T", "-d", "1")])
def test_another_program_that_keeps_the_file_locked_is_named(store: Command, words: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(store.folder / "evstore.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        done = store(*words, "--timeout", "100ms", "--errors", "json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["class"]) == (7, "StoreBusyError")
    assert error["message"].endswith(
        "was busy for more than 0.1 s: another program than evstore, or a transaction of an application, keeps the file locked"
    )
    assert error["hint"].startswith("close that program")


def test_a_busy_store_keeps_its_words_when_it_is_pickled() -> None:
    error = StoreBusyError("e.db", 2, "another program")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
