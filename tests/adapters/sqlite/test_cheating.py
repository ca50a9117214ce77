"""The schema defends itself against whoever opens the file without evstore."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import CorruptStoreError, EventData, connect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.db"
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", {"n": n}) for n in range(3)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO tags (key, name) VALUES (1, 'order:1')")
        connection.execute("INSERT INTO event_tags (tag_key, global_position) VALUES (1, 3)")
        connection.execute("INSERT INTO sources (name, position, global_position) VALUES ('orders.csv', 7, 3)")
    return path


def _insert(**changed: object) -> tuple[str, tuple[object, ...]]:
    row = {
        "global_position": 4, "id": b"x" * 16, "stream_key": 1, "version": 4, "category_key": 1,
        "category_number": 4, "type_key": 1, "timestamp": 1, "metadata": "{}", "data": "{}", **changed,
    }  # fmt: skip
    marks = ", ".join("?" for _ in row)
    return f"INSERT INTO events ({', '.join(row)}) VALUES ({marks})", tuple(row.values())


@pytest.mark.parametrize(
    "cheat",
    [
        "UPDATE events SET data = '{}'",
        "UPDATE events SET timestamp = 0 WHERE global_position = 2",
        "DELETE FROM events",
        "DELETE FROM events WHERE global_position = 3",
        "UPDATE streams SET stream_id = 'Other-1'",
        "DELETE FROM streams",
        "UPDATE categories SET name = 'Other'",
        "DELETE FROM categories",
        "UPDATE types SET name = 'Other'",
        "DELETE FROM types",
        "UPDATE tags SET name = 'order:2'",
        "DELETE FROM tags",
        "UPDATE event_tags SET global_position = 2",
        "DELETE FROM event_tags",
        "UPDATE sources SET position = 6",
        "UPDATE sources SET name = 'other.csv'",
        "DELETE FROM sources",
    ],
)
def test_triggers_refuse_to_change_or_delete_what_is_stored(path: Path, cheat: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="evstore: "):
            connection.execute(cheat)
    with connect(f"sqlite:{path}") as store:
        assert [event.data["n"] for event in store.read("Order-1")] == [0, 1, 2]


@pytest.mark.parametrize(
    "changed",
    [
        {"global_position": 3},
        {"global_position": 0},
        {"version": 3},
        {"version": 0},
        {"id": b"short"},
        {"data": None},
        {"data": b"{}"},
        {"metadata": None},
        {"timestamp": "now"},
        {"category_number": 0},
    ],
    ids=str,
)
def test_the_tables_refuse_rows_that_break_their_rules(path: Path, changed: dict[str, object]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(*_insert())  # the row itself is fine
        statement, row = _insert(**{"global_position": 5, "version": 5, "id": b"y" * 16, **changed})
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement, row)


def test_an_id_cannot_come_twice(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (held,) = connection.execute("SELECT id FROM events WHERE global_position = 1").fetchone()
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(*_insert(id=held))


def test_a_store_whose_tables_were_dropped_is_called_damaged(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ALTER TABLE events RENAME TO gone")
    with connect(f"sqlite:{path}") as store, pytest.raises(CorruptStoreError, match=str(path)):
        list(store.read("Order-1"))


def test_text_that_is_not_utf_8_is_called_damage(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER events_are_not_updated")
        connection.execute("UPDATE events SET data = CAST(x'22ff22' AS TEXT) WHERE global_position = 3")
    with connect(f"sqlite:{path}") as store:
        with pytest.raises(CorruptStoreError, match="UTF-8"):
            list(store.read("Order-1"))
        assert [event.version for event in store.read("Order-1", to=2)] == [1, 2]


def test_an_insert_that_the_tables_refuse_is_called_damage_not_conflict(path: Path) -> None:
    """Known ids are looked for after a refusal; where there are none, somebody changed the schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TRIGGER theirs BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'no more'); END"
        )
    with connect(f"sqlite:{path}") as store:
        with pytest.raises(CorruptStoreError, match="no more"):
            store.append("Order-2", [EventData("Placed", {})])
        assert [info.stream_id for info in store.streams()] == ["Order-1"]


def test_functions_in_a_hostile_schema_do_not_run(path: Path) -> None:
    with connect(f"sqlite:{path}") as store:
        list(store.read("Order-1"))
        with store._adapter._reading() as connection:
            assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
