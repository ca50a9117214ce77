"""A file that says it is a store, and holds what somebody else wrote: opening and reading it runs none of that."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import CorruptStoreError, EventData, connect
from tests.support.command import Command
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

ENDLESS: Final = "WITH RECURSIVE endless (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless)"
LOADS: Final = "load_extension('/nowhere/evstore-test.so')"
SECONDS: Final = 20.0
"""Longer than a loaded machine takes for a command, shorter than what has no end."""


class Hostile(NamedTuple):
    sql: str
    read: int
    """The exit code of the commands that read."""
    found: tuple[str, ...]
    """What `verify` names."""


def moved(table: str, made: str) -> str:
    """Something else in the place of a table, which lies beside it."""
    return f"PRAGMA legacy_alter_table = ON; ALTER TABLE {table} RENAME TO moved; {made}"


def rewritten(change: str) -> str:
    return f"PRAGMA writable_schema = ON; {change}; PRAGMA writable_schema = RESET"


HOSTILE: Final = {
    "a view that never ends in the place of the events": Hostile(
        moved("events", f"CREATE VIEW events AS {ENDLESS} SELECT moved.* FROM moved, endless"),
        10, ('"events" is a view',),
    ),
    "a view that never ends in the place of the row that is read first": Hostile(
        moved("store", f"CREATE VIEW Store AS {ENDLESS} SELECT moved.* FROM moved, endless WHERE n < 0"),
        10, ('"Store" is a view',),
    ),
    "a view that calls a function in the place of the types": Hostile(
        moved("types", f"CREATE VIEW types AS SELECT key, {LOADS} AS name FROM moved"), 10, ('"types" is a view',)
    ),
    "a virtual table in the place of the tags": Hostile(
        moved("tags", "CREATE VIRTUAL TABLE tags USING fts4 (key, name)"), 10, ('"tags" is a virtual table',)
    ),
    "a column that takes all memory when it is read": Hostile(
        rewritten(
            "UPDATE sqlite_master SET sql = replace(sql, 'data TEXT NOT NULL', 'data TEXT AS (hex(zeroblob(499999999)))')"
            " WHERE name = 'events'"
        ),
        10, ('"events" is a table with generated columns',),
    ),
    "a table whose columns may hold anything": Hostile(
        rewritten("UPDATE sqlite_master SET sql = replace(sql, ') STRICT', ')') WHERE name = 'types'"),
        10, ('"types" is a table that is not STRICT',),
    ),
    "a view of the log that calls a function": Hostile(
        f"DROP VIEW log; CREATE VIEW log AS SELECT {LOADS} AS position", 0, ('view "log"',)
    ),
    "a trigger that never ends": Hostile(
        f"CREATE TRIGGER theirs AFTER INSERT ON events BEGIN SELECT count(*) FROM ({ENDLESS} SELECT n FROM endless); END",
        0, ('trigger "theirs"', '"events"'),
    ),
    "a trigger that refuses nothing any more": Hostile(
        "DROP TRIGGER events_are_not_deleted;"
        "CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT 1; END",
        0, ('trigger "events_are_not_deleted"',),
    ),
    "an index that refuses the next event": Hostile(
        "CREATE UNIQUE INDEX theirs ON events (type_key, stream_key) WHERE version > 3", 0, ('index "theirs"',)
    ),
    "a check that is computed for long": Hostile(
        rewritten("UPDATE sqlite_master SET sql = replace(sql, 'data TEXT NOT NULL', 'data TEXT NOT NULL CHECK (length(hex(zeroblob(9))))') WHERE name = 'events'"),
        0, ('table "events"',),
    ),
    "a schema that cannot be parsed": Hostile(
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('table', 'bad', 'bad', 0, 'CREATE TABLE bad (((')",
        10, ("malformed database schema",),
    ),
    "a table whose rows lie on no page": Hostile(
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'events'",
        10, ("invalid rootpage",),
    ),
    "two tables on one page": Hostile(
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'types') WHERE name = 'tags'",
        0, ('tag "Placed"',),
    ),
}  # fmt: skip
HARMLESS: Final = {
    "a thousand tables of others": "".join(f"CREATE TABLE theirs_{n} (a);" for n in range(1000)),
    "a view of nothing": "CREATE VIEW theirs AS SELECT * FROM nowhere",
    "an index that refuses nothing": "CREATE INDEX theirs ON events (type_key, version)",
    "a trigger on a table of others": f"CREATE TABLE own (a); CREATE TRIGGER theirs AFTER INSERT ON own BEGIN SELECT {LOADS}; END",
}  # fmt: skip
READS: Final = (("info",), ("replay", "--all"), ("read", "Order-1"), ("streams",), ("export",))


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    with connect(command.url) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n, tags=["t"]) for n in range(3)])
    return command


def change(command: Command, script: str) -> None:
    with closing(sqlite3.connect(command.folder / "evstore.db", isolation_level=None)) as connection:
        connection.executescript(script)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_does_not_run_and_is_named(command: Command, name: str) -> None:
    hostile = HOSTILE[name]
    change(command, hostile.sql)
    begin = time.monotonic()
    for words in READS:
        done = command(*words)
        assert done.code == hostile.read, (words, done)
        if hostile.read:
            (line,) = done.err.splitlines()
            assert (done.out, line.startswith("evstore: ")) == (b"", True)
            assert names(line, f"{command.folder}/evstore.db")
    done = command("verify")
    assert done.code == 1
    assert all(each in done.out.decode().replace('\\"', '"') for each in hostile.found), done
    assert time.monotonic() - begin < SECONDS


@pytest.mark.parametrize("name", HARMLESS)
def test_what_others_keep_in_the_file_is_none_of_a_stores_business(command: Command, name: str) -> None:
    change(command, HARMLESS[name])
    for words in (*READS, ("append", "Order-1", "-t", "Placed", "-d", "4"), ("verify",)):
        assert command(*words).code == 0, words


SWALLOWED: Final = ("events", "streams", "categories", "types", "tags", "event_tags")


@pytest.mark.parametrize("table", SWALLOWED)
def test_an_append_that_a_trigger_swallows_is_not_acknowledged(command: Command, table: str) -> None:
    change(command, f"CREATE TRIGGER theirs BEFORE INSERT ON {table} BEGIN SELECT raise(IGNORE); END")
    with connect(command.url) as store:
        before = [*store.replay()]
        for count in (1, 3):
            with pytest.raises(CorruptStoreError) as caught:
                store.append("Stock-1", [EventData("Taken", n, tags=["u"]) for n in range(count)])
            assert names(caught.value, store.location, "swallows", "evstore verify")
        assert [*store.replay()] == before


def test_a_trigger_that_calls_a_function_ends_the_append(command: Command) -> None:
    change(command, f"CREATE TRIGGER theirs AFTER INSERT ON events BEGIN SELECT {LOADS}; END")
    done = command("append", "Order-1", "-t", "Placed", "-d", "4")
    assert (done.code, done.out) == (10, b"")
    assert names(done.err, "unsafe use of load_extension")
    assert len(command.ok("replay", "--all").lines) == 3


def test_every_table_that_evstore_makes_is_looked_at(command: Command) -> None:
    with closing(sqlite3.connect(command.folder / "evstore.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert len(tables) > 10
    for table in tables:
        change(command, moved(table, f"CREATE VIEW {table} AS SELECT * FROM moved"))
        with connect(command.url) as store, pytest.raises(CorruptStoreError, match=f'"{table}" is a view'):
            store.head()
        change(command, f"DROP VIEW {table}; PRAGMA legacy_alter_table = ON; ALTER TABLE moved RENAME TO {table}")
        with connect(command.url) as store:
            assert store.head() == 3
