"""Each read of the PostgreSQL adapter uses the index it names, whatever the statistics say of the first column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from evstore import EventData, Metadata, connect
from evstore.adapters.postgres import audit, reading, statements, writing
from evstore.adapters.sql import correlation_hash
from evstore.appending.preparing import unit_of
from evstore.model.filters import Filter
from evstore.port import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import psycopg

    from tests.support.servers import Server

EVENTS = {
    "low": 1, "high": 2**63 - 1, "limit": 1000, "types": None, "since": None, "until": None, "stream_id": "Rare-1",
    "categories": ["Rare"], "correlation_id": "c", "correlation_hash": correlation_hash("c"),
    "ids": ["00000000-0000-7000-8000-000000000000"], "all": False,
    "user_id": "u", "tenant_id": None, "custom_keys": None, "custom_values": None,
}  # fmt: skip
ONE_CATEGORY = {**EVENTS, "category": "Rare"}
CORRELATED = {**EVENTS, "categories": None}
TYPED = {**EVENTS, "types": ["Rarely", "Kind1"]}
NAMES = {"low": "R", "high": "S", "after": None, "limit": 5, "category": "Rare", "stream_id": "Rare-1"}

ENDS = {"events_pkey", "events_by_stream", "events_by_category", "events_by_type", "streams_pkey", "streams_by_category", "streams_by_number"}  # fmt: skip
"""The indexes at whose ends the last keys stand."""

# Statement: parameters, and the indexes by which it may touch the large tables.
PLANS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "HOLDS": (EVENTS, {"events_by_id"}),
    "GET_EVENTS": (EVENTS, {"events_by_id", "streams_pkey"}),
    "READ_STREAM_FORWARD": (EVENTS, {"events_by_stream", "streams_by_id"}),
    "READ_STREAM_BACKWARD": (EVENTS, {"events_by_stream", "streams_by_id"}),
    "READ_LOG_FORWARD": (EVENTS, {"events_pkey", "streams_pkey"}),
    "READ_LOG_BACKWARD": (EVENTS, {"events_pkey", "streams_pkey"}),
    "READ_KEYED_LOG_FORWARD": (EVENTS, {"events_pkey"}),
    "READ_KEYED_LOG_BACKWARD": (EVENTS, {"events_pkey"}),
    "NAMES": ({"streams": "{1,2,3}", "types": "{1}"}, {"streams_pkey"}),
    "READ_CATEGORY_FORWARD": (ONE_CATEGORY, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORY_BACKWARD": (ONE_CATEGORY, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORIES_FORWARD": (EVENTS, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORIES_BACKWARD": (EVENTS, {"events_by_category", "streams_pkey"}),
    "READ_TYPES_FORWARD": (TYPED, {"events_by_type", "streams_pkey"}),
    "READ_TYPES_BACKWARD": (TYPED, {"events_by_type", "streams_pkey"}),
    "READ_CORRELATION_FORWARD": (CORRELATED, {"events_by_correlation", "streams_pkey"}),
    "READ_CORRELATION_BACKWARD": (CORRELATED, {"events_by_correlation", "streams_pkey"}),
    "COUNT_LOG": ({**EVENTS, "high": 9}, {"events_pkey"}),
    "COUNT_CATEGORIES": (EVENTS, {"events_by_category"}),
    "COUNT_TYPES": (TYPED, {"events_by_type"}),
    "COUNT_CORRELATION": (CORRELATED, {"events_by_correlation"}),
    "FIND_STREAM": (NAMES, {"streams_by_id", "events_by_stream"}),
    "LIST_STREAMS": (NAMES, {"streams_by_id", "events_by_stream"}),
    "LIST_STREAMS_OF_CATEGORY": (NAMES, {"streams_by_category", "events_by_stream"}),
    "LIST_CATEGORIES": (NAMES, {"streams_by_number", "events_by_category"}),
    "LIST_TYPES": (NAMES, {"events_by_type"}),
    "LIST_TYPES_OF_CATEGORY": (NAMES, {"events_by_category"}),
    "SPAN": ({"since": 1, "last": 2**62}, {"events_by_timestamp", "events_pkey"}),
    "HEAD": ({}, ENDS),
    "LOST": (EVENTS, {*ENDS, "streams_by_id"}),
}
PAGE = {"low": 51, "after": 50, "high": 2**63 - 1, "limit": 1000}
# What `verify` asks: all the indexes by which it touches the tables, and no other.
AUDITS: dict[str, set[str]] = {
    "AUDIT_EVENTS": {
        "events_pkey", "events_by_id", "events_by_stream", "events_by_category", "events_by_type", "events_by_timestamp",
        "events_by_correlation", "streams_pkey", "types_pkey", "categories_pkey",
    },
    "AUDIT_STREAMS": {
        "streams_pkey", "streams_by_id", "streams_by_category", "streams_by_number", "events_by_stream",
        "categories_pkey",
    },
    "AUDIT_CATEGORIES": {"categories_pkey", "categories_by_name", "events_by_category"},
    "AUDIT_TYPES": {"types_pkey", "types_by_name", "events_by_type"},
    "AUDIT_TAGS": {"tags_pkey", "tags_by_name", "event_tags_pkey"},
}  # fmt: skip
AUDITS_WITHOUT_PLAN = {"BY_INDEX", "OBJECTS"}
# Of the server or of one row: there is nothing to choose.
WITHOUT_PLAN = {
    "ADMITS", "OCCUPIED", "INITIALIZE_LOCK", "INFO", "SWEEP_STAGED", "NOTIFY", "WRITTEN", "FLUSHED", "FLUSH",
    "MAKE_DURABLE",
    "NAME_TYPES",  # of a small table
    "COUNT_STREAMS",  # of all streams, by whatever is shorter
    "SETTLE", "SETTLE_TRANSACTION", "ADMIT_FILTERS", "IS_STANDBY", "BLOCKERS", "ROLES", "WANTS_USAGE",
    "MAY_EMIT",
}  # fmt: skip
# The pages of several categories or types are brought into one order, and so are the names of types that were counted.
SORTS = {
    "READ_CATEGORIES_FORWARD", "READ_CATEGORIES_BACKWARD", "READ_TYPES_FORWARD", "READ_TYPES_BACKWARD",
    "LIST_TYPES_OF_CATEGORY",
}  # fmt: skip


@pytest.fixture
def crowded(server: Server) -> Iterator[tuple[psycopg.Connection, str]]:
    """A store where one category, type and stream are common, and thousands are not."""
    schema = server.schema("crowded")
    with connect(server.place("crowded")) as store:
        store.initialize()
        for low in range(0, 3000, 500):
            store.append_many((f"Common-{n}", [EventData("Often", {"n": n})], -1) for n in range(low, low + 500))
            store.append_many((f"Kind{n}-1", [EventData(f"Kind{n}", {})], -1) for n in range(low, low + 500))
        store.append("Rare-1", [EventData("Rarely", {})], metadata=Metadata(correlation_id="c"))
        for _ in range(8):
            store.append("Common-1", [EventData("Often", {"n": n}) for n in range(900)])
    with server.connect() as connection:
        for table in ("events", "streams", "types", "categories"):
            connection.execute(f"VACUUM ANALYZE {schema}.{table}".encode())
        yield connection, schema


def _plan(connection: psycopg.Connection, name: str, given: dict[str, Any], schema: str) -> list[str]:
    statement = statements.in_schema(getattr(statements, name), schema)
    return [row[0] for row in connection.execute(b"EXPLAIN (COSTS OFF) " + statement.strip(), given).fetchall()]


@pytest.mark.parametrize(("module", "known"), [(statements, {*PLANS, *WITHOUT_PLAN}), (audit, {*AUDITS, *AUDITS_WITHOUT_PLAN})])  # fmt: skip
def test_every_statement_that_reads_has_its_plan_here(module: ModuleType, known: set[str]) -> None:
    reads = {
        name
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and text.strip().startswith(("SELECT", "WITH"))
    }
    assert reads == known


def test_a_read_touches_large_tables_by_its_index_alone(crowded: tuple[psycopg.Connection, str]) -> None:
    connection, schema = crowded
    for name, (given, allowed) in PLANS.items():
        plan = "\n".join(_plan(connection, name, given, schema))
        used = set(re.findall(r"(?:using|Scan on|Scan Backward using) ((?:events|streams)_\w+)", plan))
        assert used, (name, plan)
        assert used <= allowed, (name, plan)
        assert not re.search(r"Seq Scan on (events|streams)\b", plan), (name, plan)
        assert name in SORTS or "Sort" not in plan, (name, plan)


@pytest.mark.parametrize("backward", [False, True])
def test_types_are_read_by_their_index_however_many_there_are(backward: bool) -> None:
    statement = statements.READ_TYPES_BACKWARD if backward else statements.READ_TYPES_FORWARD
    for types in (("Rarely",), ("Rarely", "Kind1")):
        assert reading.of_log(Page(9, backward=backward), Filter(types=types)).statement == statement


def test_a_time_that_is_longer_than_the_log_is_not_counted_through(
    crowded: tuple[psycopg.Connection, str],
) -> None:
    connection, schema = crowded
    statement = (
        b"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statements.in_schema(statements.SPAN, schema).strip()
    )
    for since, never in ((1, True), (2**62, False)):
        plan = "\n".join(row[0] for row in connection.execute(statement, {"since": since, "last": 2**62}))
        (asked,) = re.findall(r"events_by_timestamp on events.* \((.*)\)", plan)
        assert (asked == "never executed") is never, plan


def test_an_audit_looks_everything_up_in_its_index(crowded: tuple[psycopg.Connection, str]) -> None:
    """With as many rows as here, and with the few that the planner would rather read the table for."""
    connection, schema = crowded
    for name, indexes in AUDITS.items():
        for limit in (1, 1000):
            statement = statements.in_schema(getattr(audit, name), schema).strip()
            with connection.transaction():
                connection.execute(audit.BY_INDEX)
                rows = connection.execute(b"EXPLAIN (COSTS OFF) " + statement, {**PAGE, "limit": limit}).fetchall()
            plan = "\n".join(row[0] for row in rows)
            assert set(re.findall(r"(?:using|Scan on) (\w+_(?:pkey|by_\w+))", plan)) == indexes, plan
            assert not re.search("Seq Scan|Sort|Hash|Merge", plan), plan


def test_a_large_append_looks_everything_up_in_its_index(crowded: tuple[psycopg.Connection, str]) -> None:
    """Of names that are there and of others, whatever the rest of the store holds: it is never walked through."""
    connection, schema = crowded
    count, staged_as = 600, str(uuid4())
    unit = unit_of(
        [(f"{('Common', 'New')[n % 2]}-{n}", [EventData(f"Kind{n}", n)], -1) for n in range(count)],
    )
    asked = """
    SELECT indexrelid::regclass::text, seq_scan, pg_stat_get_xact_tuples_returned(indexrelid)
    FROM pg_index JOIN pg_stat_xact_user_tables ON relid = indrelid
    WHERE schemaname = %s AND relname IN ('events', 'streams', 'staged')
    """
    with connection.transaction():
        with connection.cursor().copy(statements.in_schema(statements.STAGE, schema)) as copy:
            writing.stage(copy, staged_as, unit)
        call = f"SELECT {schema}.append_staged_unit_v1(%s, %s, NULL, 1) ->> 'status'"
        assert connection.execute(call.encode(), [staged_as, count]).fetchall() == [("stored",)]
        found = connection.execute(asked, [schema]).fetchall()
    assert {name.partition(".")[2] for name, *_ in found} >= {"events_by_id", "streams_by_id", "staged_pkey"}
    for index, walks_of_the_table, entries in found:
        assert walks_of_the_table == 0, index
        assert entries <= 6 * count, index
