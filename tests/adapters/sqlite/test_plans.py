"""Each read of the SQLite adapter uses the index it names, and sorts nothing."""

from __future__ import annotations

import ast
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evstore import EventData, adapters, connect
from evstore.adapters.sqlite import audit_statements as audit
from evstore.adapters.sqlite import lists, reading, rows, snapshot_statements, statements
from evstore.adapters.sqlite.adapter import SqliteAdapter
from evstore.adapters.sqlite.matching import first_match
from evstore.appending.preparing import unit_of
from evstore.model.conditions import Query
from evstore.model.filters import Filter
from evstore.port import NamePage, Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EVENTS = {
    "low": 1, "high": 9, "limit": 5, "types": None, "since": None, "until": None,
    "stream_id": "A-1", "category": "A", "type": "T",
    "correlation_id": "c", "correlation_hash": 7, "categories": None, "user_id": None, "tenant_id": None, "custom": None,
    "key": 1, "position": 1,
}  # fmt: skip
NAMES = {"low": "", "high": b"", "after": None, "limit": 5, "category": "A"}

# Statement: parameters, the index that leads, those that the rest is looked up in.
PLANS: dict[str, tuple[Any, str, set[str]]] = {
    "FIND_STREAMS": ({"stream_ids": '["A-1"]'}, "streams_by_id", {"events_by_stream"}),
    "FIND_CATEGORY": ({"name": "A"}, "categories_by_name", {"streams_by_number", "events_by_category"}),
    "FIND_TYPE": ({"name": "T"}, "types_by_name", set()),
    "FIND_TAG": ({"name": "T"}, "tags_by_name", set()),
    "VERSION": ({"stream_id": "A-1"}, "events_by_stream", {"streams_by_id"}),
    "TAGGED_FORWARD": (EVENTS, "event_tags USING PRIMARY KEY (tag_key=? AND global_position>?", set()),
    "TAGGED_BACKWARD": (EVENTS, "event_tags USING PRIMARY KEY (tag_key=? AND global_position>?", set()),
    "TYPED_FORWARD": (EVENTS, "COVERING INDEX events_by_type (type_key=? AND rowid>?", set()),
    "TYPED_BACKWARD": (EVENTS, "COVERING INDEX events_by_type (type_key=? AND rowid>?", set()),
    "READ_MATCH": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "COUNT_MATCH": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "LIST_TAGS": (NAMES, "tags_by_name", {"event_tags USING PRIMARY KEY (tag_key=?"}),
    "LAST_OF_SOURCE": ({"name": "orders.csv"}, "sources USING PRIMARY KEY (name=?)", set()),
    "NEXT_SOURCE": (
        NAMES,
        "sources USING PRIMARY KEY (name=?)",
        {"sources USING PRIMARY KEY (name>? AND name<?)"},
    ),
    "HOLDS_ID": ((b"",), "events_by_id", set()),
    "GET_EVENT": ((b"",), "events_by_id", set()),
    "READ_STREAM_FORWARD": (EVENTS, "events_by_stream", {"streams_by_id"}),
    "READ_STREAM_BACKWARD": (EVENTS, "events_by_stream", {"streams_by_id"}),
    "READ_LOG_FORWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "READ_LOG_BACKWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "READ_KEYED_LOG_FORWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "READ_KEYED_LOG_BACKWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "READ_NAMED_LOG_FORWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "READ_NAMED_LOG_BACKWARD": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "NAMES_OF_STREAMS": ({"keys": "[1]"}, "INTEGER PRIMARY KEY", set()),
    "NAMES_OF_TYPES": ({"keys": "[1]"}, "INTEGER PRIMARY KEY", set()),
    "READ_CATEGORY_FORWARD": (EVENTS, "events_by_category", {"categories_by_name"}),
    "READ_CATEGORY_BACKWARD": (EVENTS, "events_by_category", {"categories_by_name"}),
    "READ_TYPE_FORWARD": (EVENTS, "events_by_type", {"types_by_name"}),
    "READ_TYPE_BACKWARD": (EVENTS, "events_by_type", {"types_by_name"}),
    "READ_CORRELATION_FORWARD": (EVENTS, "events_by_correlation", set()),
    "READ_CORRELATION_BACKWARD": (EVENTS, "events_by_correlation", set()),
    "COUNT_LOG": (EVENTS, "INTEGER PRIMARY KEY", set()),
    "COUNT_CATEGORIES": (EVENTS, "events_by_category", {"categories_by_name"}),
    "COUNT_TYPES": (EVENTS, "events_by_type", {"types_by_name"}),
    "COUNT_CORRELATION": (EVENTS, "events_by_correlation", set()),
    "CATEGORY_NUMBERS": ({"category": "A", "first": 1, "last": 9}, "categories_by_name", {"events_by_category"}),
    "LIST_STREAMS": (NAMES, "streams_by_id", {"events_by_stream"}),
    "LIST_STREAMS_OF_CATEGORY": (NAMES, "streams_by_category", {"categories_by_name", "events_by_stream"}),
    "LIST_CATEGORIES": (NAMES, "categories_by_name", {"streams_by_number", "events_by_category"}),
    "LIST_TYPES": (NAMES, "types_by_name", {"events_by_type"}),
    "LIST_TYPES_OF_CATEGORY": (NAMES, "events_by_category", {"categories_by_name"}),
    "ENDS": ({}, "INTEGER PRIMARY KEY", set()),
    "SPAN": ({"since": 1, "last": 2}, "events_by_timestamp", set()),
}
COUNTS = ("COUNT_LOG", "COUNT_CATEGORIES", "COUNT_TYPES", "COUNT_CORRELATION")
# What `verify` asks goes along a table, and looks each row up in these.
PAGE = {"low": 51, "after": 50, "high": 99, "limit": 5}
AUDITS: dict[str, set[str]] = {
    "AUDIT_EVENTS": {"events_by_id (id=?)", "events_by_stream (stream_key=? AND version=?)", "events_by_category (category_key=? AND rowid<?)", "events_by_category (category_key=? AND rowid=?)", "events_by_type (type_key=? AND rowid=?)", "events_by_timestamp (timestamp=? AND rowid=?)", "events_by_correlation (correlation_hash=? AND rowid=?)"},
    "AUDIT_PAGE": set(),
    "AUDIT_AGREED": {"events_by_id (id=?)", "events_by_stream (stream_key=? AND version=?)", "events_by_type (type_key=? AND rowid=?)", "events_by_timestamp (timestamp=? AND rowid=?)", "events_by_correlation (correlation_hash=? AND rowid=?)"},
    "AUDIT_STREAMS": {"streams_by_id (stream_id=?)", "streams_by_category (category_key=? AND stream_id=?)", "streams_by_number (category_key=? AND category_number=?)", "streams_by_number (category_key=? AND category_number<?)", "events_by_stream (stream_key=?)"},
    "AUDIT_CATEGORIES": {"categories_by_name (name=?)", "events_by_category (category_key=?)"},
    "AUDIT_TYPES": {"types_by_name (name=?)", "events_by_type (type_key=?)"},
    "AUDIT_TAGS": {"tags_by_name (name=?)"},  # and the primary key of event_tags, which is no index of its own
}  # fmt: skip
# Counting a category's types reads its events once and sorts their few names.
SORTS = {"LIST_TYPES_OF_CATEGORY"}
# One row, or the ends of tables: there is nothing to choose.
WITHOUT_PLAN = {
    "ADMITS",
    "STRANGE_TABLES",
    "IS_TAMPER_EVIDENT",
    "LAST_KEYS",
    "HEAD",
    "LOST",
    "COUNT_STREAMS",
    "COUNT_TAGS",
}


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[SqliteAdapter]:
    with connect(f"sqlite:{tmp_path}/events.db") as store:
        store.initialize()
        store.append("A-1", [EventData("T", {})])
        assert isinstance(store._adapter, SqliteAdapter)
        yield store._adapter


def _plan(adapter: SqliteAdapter, statement: str, given: Any) -> list[str]:
    with adapter._reading() as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]


@pytest.mark.parametrize(
    ("module", "known"),
    [
        (statements, {*PLANS, *WITHOUT_PLAN}),
        (audit, {*AUDITS, "AUDIT_NUMBERS", "AUDIT_TAGGED", "COUNT_TAGS"}),
    ],
)
def test_every_statement_that_reads_has_its_plan_here(module: ModuleType, known: set[str]) -> None:
    reads = {
        name
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and text.strip().startswith("SELECT")
    }
    assert reads == known


@pytest.mark.parametrize("name", AUDITS)
def test_an_audit_goes_along_its_table_and_looks_everything_up_in_its_index(
    adapter: SqliteAdapter, name: str
) -> None:
    plan = _plan(adapter, getattr(audit, name), PAGE)
    assert re.fullmatch(r"SEARCH \w+ USING INTEGER PRIMARY KEY \(rowid>\?.*", plan[0]), plan
    assert all(re.match("SEARCH|CORRELATED SCALAR SUBQUERY", line) for line in plan), plan
    searches = {line.partition(" INDEX ")[2].removesuffix(" LEFT-JOIN") for line in plan}
    assert searches - {""} == AUDITS[name]


def test_an_audit_of_categories_reads_a_range_of_their_index(adapter: SqliteAdapter) -> None:
    plan = _plan(adapter, audit.AUDIT_NUMBERS, {**PAGE, "categories": "[1]"})
    assert {line for line in plan if line.startswith(("SEARCH", "SCAN"))} == {
        "SCAN given VIRTUAL TABLE INDEX 1:",
        "SEARCH categories USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH before USING INDEX events_by_category (category_key=? AND rowid<?)",
        "SEARCH held USING COVERING INDEX events_by_category (category_key=? AND rowid>? AND rowid<?)",
    }
    assert not any("TEMP B-TREE" in line for line in plan)


def test_an_audit_of_tags_reads_a_range_of_their_key(adapter: SqliteAdapter) -> None:
    plan = _plan(adapter, audit.AUDIT_TAGGED, {**PAGE, "tags": '["g"]'})
    assert {line for line in plan if line.startswith(("SEARCH", "SCAN"))} == {
        "SCAN given VIRTUAL TABLE INDEX 1:",
        "SEARCH tags USING COVERING INDEX tags_by_name (name=?)",
        "SEARCH held USING PRIMARY KEY (tag_key=? AND global_position>? AND global_position<?)",
    }


def test_the_count_of_tags_reads_their_key_alone(adapter: SqliteAdapter) -> None:
    assert _plan(adapter, audit.COUNT_TAGS, PAGE) == ["SCAN event_tags"]


@pytest.mark.parametrize("name", PLANS)
def test_a_read_is_led_by_its_index(adapter: SqliteAdapter, name: str) -> None:
    given, leading, others = PLANS[name]
    plan = _plan(adapter, getattr(statements, name), given)
    searches = [line for line in plan if line.startswith(("SEARCH", "SCAN")) and "VIRTUAL TABLE" not in line]
    assert leading in searches[0], plan
    for index in others:
        assert any(index in line for line in searches), plan


@pytest.mark.parametrize("name", PLANS)
def test_a_read_scans_no_table_and_sorts_nothing(adapter: SqliteAdapter, name: str) -> None:
    given, _, _ = PLANS[name]
    for line in _plan(adapter, getattr(statements, name), given):
        assert not line.startswith("SCAN") or "VIRTUAL TABLE" in line, line
        assert "TEMP B-TREE" not in line or name in SORTS, line


@pytest.mark.parametrize("name", [n for n in PLANS if n.startswith(("READ_", *COUNTS))])
def test_filters_do_not_change_the_index(adapter: SqliteAdapter, name: str) -> None:
    given, leading, _ = PLANS[name]
    filtered = {
        **given,
        "types": '["T","U"]',
        "since": 5,
        "until": 9,
        "categories": '["A"]',
        "user_id": "u",
        "tenant_id": "t",
        "custom": '[["k","v"]]',
    }
    searches = [
        line
        for line in _plan(adapter, getattr(statements, name), filtered)
        if line.startswith(("SEARCH", "SCAN")) and "VIRTUAL TABLE" not in line
    ]
    assert leading in searches[0]


@pytest.mark.parametrize("name", [n for n in PLANS if re.match("(READ|COUNT)_(CAT|TYPE|CORR)", n)])
def test_a_range_of_positions_is_searched_for_in_the_index(adapter: SqliteAdapter, name: str) -> None:
    given, leading, _ = PLANS[name]
    (found,) = (line for line in _plan(adapter, getattr(statements, name), given) if leading in line)
    assert found.endswith("=? AND rowid>? AND rowid<?)")


@contextmanager
def few_steps(adapter: SqliteAdapter) -> Iterator[Any]:
    """What is done with this connection is done without reading the log."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with adapter._reading() as connection:
        connection.set_progress_handler(count, 10)  # each time SQLite has done so many things
        yield connection
        connection.set_progress_handler(None, 0)
    assert steps < 50


@pytest.mark.parametrize("where", [Filter(types=("X", "Y")), Filter(categories=("X", "Y"))])
def test_rare_types_or_categories_are_found_without_reading_the_rest(
    adapter: SqliteAdapter, where: Filter
) -> None:
    with connect(f"sqlite:{adapter._path}") as store:
        store.append("A-1", [EventData("T", {})] * 900)
        store.append_many([("Y-1", [EventData("Y", {})], 0), ("X-1", [EventData("X", {})], 0)])
    with few_steps(adapter) as connection:
        names = rows.Names(connection)
        found = reading.read_all(connection, adapter.location, names, adapter._counted_tags, Page(5), where)
    assert [event.type for event in found] == ["Y", "X"]


@pytest.mark.parametrize(
    "query",
    [
        Query(["Taken"], ["seat:1"]),
        Query(tags=["show:7", "seat:1"]),
        Query(tags=["seat:1", "show:7"]),
        Query(["Missing"]) | Query(tags=["show:7", "missing"]),
    ],
    ids=str,
)
def test_a_condition_costs_by_the_narrowest_of_its_names_and_not_by_the_log(
    adapter: SqliteAdapter, query: Query
) -> None:
    with connect(f"sqlite:{adapter._path}") as store:
        store.append("S-1", [EventData("Taken", {}, tags=["show:7"])] * 5000)
        store.append("S-1", [EventData("Taken", {}, tags=["show:7", "seat:1"])])
        store.append("S-1", [EventData("Taken", {}, tags=["show:7"])] * 5000)
        head = store.head()
    with few_steps(adapter) as connection:
        found = first_match(connection, query, 0, head)
        assert found == (5002 if "seat:1" in str(query) else None)


def test_sources_are_listed_by_the_entries_that_are_shown(adapter: SqliteAdapter) -> None:
    units = [
        unit_of([("A-1", [EventData("T", {})], -1)], source=(f"orders-{n // 100}", n % 100)) for n in range(1000)
    ]
    adapter.append(units)
    with few_steps(adapter) as connection:
        found = lists.sources(connection, adapter._path, NamePage(5, after="orders-3"))
    assert [info[:2] for info in found] == [(f"orders-{n}", 99) for n in range(4, 9)]


def test_a_time_that_is_longer_than_the_log_is_not_counted_through(adapter: SqliteAdapter) -> None:
    with connect(f"sqlite:{adapter._path}") as store:
        store.append("A-1", [EventData("T", {})] * 900)
    with few_steps(adapter) as connection:
        assert reading.span(connection, 1, 2**62) == (1, 901)


def test_head_and_last_keys_read_the_ends_of_tables(adapter: SqliteAdapter) -> None:
    for statement in (statements.HEAD, statements.LAST_KEYS):
        for line in _plan(adapter, statement, {}):
            assert line.startswith(("SEARCH", "SCAN CONSTANT ROW", "SCALAR SUBQUERY")), line


@pytest.mark.parametrize("name", ["FIND_SNAPSHOT", "KEEP_SNAPSHOT", "FORGET_SNAPSHOTS"])
def test_snapshots_are_found_by_their_key(adapter: SqliteAdapter, name: str) -> None:
    given = {"stream_id": "A-1", "kind": "A", "version": 1, "event_id": b"", "code": "", "state": ""}
    plan = _plan(adapter, getattr(snapshot_statements, name), given)
    assert any("streams_by_id (stream_id=?)" in line for line in plan), plan
    assert not any(line.startswith("SCAN") for line in plan), plan
    if name != "KEEP_SNAPSHOT":  # whose conflict is found by the index that it is about
        assert any("sqlite_autoindex_snapshots_1 (stream_key=?" in line for line in plan), plan


@pytest.mark.parametrize(
    ("module", "least"),
    [
        ("sqlite/statements", 6),
        ("sqlite/consumer_statements", 6),
        ("sqlite/snapshot_statements", 3),
        ("sqlite/audit_statements", 6),
        ("postgres/statements", 6),
        ("postgres/consumer_statements", 6),
        ("postgres/hold_statements", 3),
        ("postgres/snapshot_statements", 2),
        ("postgres/audit", 6),
    ],
)
def test_statements_are_whole(module: str, least: int) -> None:
    """No statement is put together: what stands in the file is what runs. The columns of an event stand there once."""
    source = ast.parse((Path(adapters.__file__).parent / f"{module}.py").read_text())
    constants = [each for each in source.body if isinstance(each, ast.AnnAssign)]
    statements = [each for each in constants if ast.unparse(each.target).isupper() and each.target.id[0] != "_"]
    assert len(statements) >= least
    for node in (inner for each in statements for inner in ast.walk(each)):
        assert not isinstance(node, ast.BinOp | ast.Call), ast.dump(node)
        if isinstance(node, ast.FormattedValue):
            assert ast.unparse(node.value) in ("EVENT", "NAMED", "OWN", "METADATA", "WAIT")
