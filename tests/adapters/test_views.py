"""The views for other tools: they show the log as evstore does, and mean the same to other engines."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from evstore import EventData, Metadata, connect
from evstore.testing.machine import units
from evstore.testing.variety import EVENTS, fill
from tests.support.outside_tools import give_duckdb_its_extension, needs_command, needs_module, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evstore import EventStore
    from evstore.model.events import StoredEvent
    from tests.support.servers import Server

COLUMNS: Final = ["position", "stream_id", "category", "version", "type", "micros", "id", "data", "metadata"]
LOG: Final = "SELECT * FROM log ORDER BY position"
TAGS: Final = [(1, "customer:4"), (1, "order:17"), (3, "order:17")]
TAG_SOME: Final = (
    "INSERT INTO {0}tags (key, name) VALUES (1, 'order:17'), (2, 'customer:4')",
    "INSERT INTO {0}event_tags (tag_key, global_position) VALUES (1, 1), (2, 1), (1, 3)",
)
MANY: Final = 1_234
"""More than 999: as texts, 999 is the greatest number."""


def row_of(event: StoredEvent) -> tuple[Any, ...]:
    """The row that the view shows of an event."""
    return (
        event.global_position, event.stream_id, event.category, event.version, event.type, event.timestamp_us,
        event.id, event.data_json, event.metadata_json,
    )  # fmt: skip


def check_that_the_view_is_the_log(store: EventStore, shown: Callable[[], list[tuple[Any, ...]]]) -> None:
    """Whatever is appended, the view shows what `replay` does."""
    fill(store._adapter)
    seen = 0

    @settings(max_examples=25, deadline=None, phases=(Phase.generate,))
    @given(st.lists(units(), min_size=2, max_size=6))
    def append_and_compare(call: list[Any]) -> None:
        nonlocal seen
        store._adapter.append(call)
        expected = [row_of(event) for event in store.replay()]
        assert shown() == expected
        seen = len(expected)

    append_and_compare()
    assert seen > EVENTS


def many_events(url: str) -> list[tuple[Any, ...]]:
    """The rows of a store with MANY events of two streams, whose data no number of a machine can hold."""
    with connect(url) as store:
        store.initialize()
        for n, size in enumerate((MANY - 20, 20)):
            events = [EventData.from_json("Paid", '{"total": 19.90}', Metadata(f"c{m}")) for m in range(size)]
            store.append(f"Order-{n}", events)
        return [row_of(event) for event in store.replay()]


def on_sqlite(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "events.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def copy(tmp_path: Path) -> list[tuple[Any, ...]]:
    """`copy.db`, the copy of a store, in the folder of the test; the rows of its log."""
    rows = many_events(f"sqlite:{tmp_path}/events.db")
    with connect(f"sqlite:{tmp_path}/events.db") as store:
        store.backup(f"{tmp_path}/copy.db")
    return rows


def test_on_sqlite_the_view_shows_what_replay_shows(tmp_path: Path) -> None:
    with connect(f"sqlite:{tmp_path}/events.db") as store:
        store.initialize()
        check_that_the_view_is_the_log(store, lambda: on_sqlite(tmp_path, LOG))


def test_on_postgresql_the_view_shows_what_replay_shows(server: Server) -> None:
    schema = server.schema()
    columns = ", ".join(f"{each}::text" if each in ("data", "metadata") else each for each in COLUMNS)
    with connect(server.url(schema)) as store:
        store.initialize()
        query = f"SELECT {columns} FROM {schema}.log ORDER BY position"
        check_that_the_view_is_the_log(store, lambda: server.execute(query))


def test_on_sqlite_the_tags_of_events_are_shown_by_name(tmp_path: Path) -> None:
    many_events(f"sqlite:{tmp_path}/events.db")
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        for statement in TAG_SOME:
            connection.execute(statement.format(""))
        connection.commit()
    assert on_sqlite(tmp_path, "SELECT position, tag FROM log_tags ORDER BY position, tag") == TAGS


def test_on_postgresql_the_tags_of_events_are_shown_by_name(server: Server) -> None:
    schema = server.schema()
    many_events(server.url(schema))
    for statement in TAG_SOME:
        server.execute(statement.format(f"{schema}."))
    assert server.execute(f"SELECT position, tag FROM {schema}.log_tags ORDER BY position, tag") == TAGS


def test_an_event_without_its_names_is_shown_without(tmp_path: Path, newest: Server) -> None:
    schema = newest.schema()
    for url in (f"sqlite:{tmp_path}/events.db", newest.url(schema)):
        many_events(url)
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        connection.execute("DROP TRIGGER types_are_not_deleted")
        connection.execute("DELETE FROM types")
        connection.commit()
    newest.execute(f"ALTER TABLE {schema}.types DISABLE TRIGGER ALL")
    newest.execute(f"DELETE FROM {schema}.types")
    query = "SELECT count(*), count(type), count(stream_id) FROM "
    assert on_sqlite(tmp_path, f"{query} log") == newest.execute(f"{query} {schema}.log") == [(MANY, 0, MANY)]


NUMBERS: Final = (
    ("SELECT max(position), min(position) FROM {0}log", (MANY, 1)),
    ("SELECT count(*) FROM {0}log WHERE position > 999", (MANY - 999,)),
    ("SELECT max(version), count(*) FROM {0}log WHERE stream_id = 'Order-0' AND version < 1000", (999, 999)),
    ("SELECT count(*) FROM {0}log WHERE micros > 999999999999999 AND micros < 9999999999999999", (MANY,)),
    ("SELECT max(position) + 1 FROM {0}log WHERE position BETWEEN 99 AND 1000", (1001,)),
)
"""Questions that have other answers where numbers are texts."""


def test_sqlite_compares_the_numbers_of_the_view_as_numbers(tmp_path: Path) -> None:
    many_events(f"sqlite:{tmp_path}/events.db")
    assert [on_sqlite(tmp_path, query.format("")) for query, _ in NUMBERS] == [[row] for _, row in NUMBERS]


FOUND: Final = {
    "stream_id = 'Order-1'": ("streams_by_id (stream_id=?)", "events_by_stream (stream_key=?)"),
    "category = 'Order'": ("categories_by_name (name=?)", "events_by_category (category_key=?)"),
    "type = 'Paid'": ("types_by_name (name=?)", "events_by_type (type_key=?)"),
    "micros > 5": ("events_by_timestamp (timestamp>?)",),
    "position = 5": (),
    "position IN (SELECT position FROM log_tags WHERE tag = 'order:17')": ("tags_by_name (name=?)", "(tag_key=?)"),
}
"""What is asked for, and in which indexes of SQLite it is found."""


@pytest.mark.parametrize("where", FOUND)
def test_what_is_asked_of_the_view_is_found_in_the_indexes(tmp_path: Path, where: str) -> None:
    many_events(f"sqlite:{tmp_path}/events.db")
    plan = [step for *_, step in on_sqlite(tmp_path, f"EXPLAIN QUERY PLAN SELECT * FROM log WHERE {where}")]
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert all(any(index in step for step in plan) for index in FOUND[where]), plan


def test_duckdb_shows_the_same_and_compares_numbers_as_numbers(
    tmp_path: Path, copy: list[tuple[Any, ...]]
) -> None:
    """DuckDB runs the view's text as its own SQL."""
    needs_module("duckdb")
    give_duckdb_its_extension(tmp_path)
    queries = ["SELECT * FROM shop.log ORDER BY position", *(query.format("shop.") for query, _ in NUMBERS)]
    script = f"""
import duckdb, json
duckdb.sql("ATTACH 'copy.db' AS shop (TYPE sqlite, READ_ONLY)")
print(json.dumps([duckdb.sql(query).fetchall() for query in {queries!r}]))
print(json.dumps([row[:2] for row in duckdb.sql("DESCRIBE shop.log").fetchall()]))
"""
    done = run([sys.executable, "-c", script], tmp_path)
    assert done.returncode == 0, done.stderr
    answers, columns = map(json.loads, done.stdout.splitlines())
    assert answers == [[*map(list, copy)], *([[*row]] for _, row in NUMBERS)]
    numbers = {"position", "version", "micros"}
    assert columns == [[name, "BIGINT" if name in numbers else "VARCHAR"] for name in COLUMNS]


def test_datasette_shows_the_same_and_compares_numbers_as_numbers(
    tmp_path: Path, copy: list[tuple[Any, ...]]
) -> None:
    needs_command("datasette")

    def asked(path: str) -> list[dict[str, Any]]:
        done = run(["datasette", "copy.db", "--get", path], tmp_path)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    rows = asked(f"/copy/log.json?_shape=array&position__gt=999&_sort=position&_size={MANY - 1000}")
    assert [(*row.values(),) for row in rows] == copy[999:-1]
    for query, row in NUMBERS:
        sql = query.format("").replace(" ", "%20").replace("+", "%2B").replace("<", "%3C").replace(">", "%3E")
        assert [(*each.values(),) for each in asked(f"/copy.json?_shape=array&sql={sql}")] == [row]


def test_psql_shows_the_same_and_compares_numbers_as_numbers(tmp_path: Path, server: Server) -> None:
    needs_command("psql")
    schema = server.schema()
    rows = many_events(server.url(schema))
    queries = [
        f"SELECT * FROM {schema}.log ORDER BY position",
        *(query.format(f"{schema}.") for query, _ in NUMBERS),
    ]
    words = [word for query in queries for word in ("-c", query)]
    done = run(["psql", server.url(), "-XAtF", "|", *words], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["|".join(map(str, row)) for row in (*rows, *(row for _, row in NUMBERS))]
