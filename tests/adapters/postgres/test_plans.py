"""Each read of the PostgreSQL adapter uses the index it names, whatever the statistics say of the first column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from evstore import EventData, Metadata, connect
from evstore.adapters.postgres import (
    audit,
    consumer_statements,
    hold_statements,
    reading,
    snapshot_statements,
    statements,
    writing,
)
from evstore.adapters.sql import correlation_hash
from evstore.appending.preparing import unit_of
from evstore.model.filters import Filter
from evstore.port import NamePage, Page
from evstore.reading.ranges import filter_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import psycopg

    from tests.support.servers import Server

EVENTS = {
    "low": 1, "high": 2**63 - 1, "limit": 1000, "types": None, "since": None, "until": None, "stream_id": "Rare-1",
    "categories": ["Rare"], "correlation_id": "c", "correlation_hash": correlation_hash("c"),
    "ids": ["00000000-0000-7000-8000-000000000000"], "all": False,
    "query": None, "user_id": "u", "tenant_id": None, "custom_keys": None, "custom_values": None,
}  # fmt: skip
ONE_CATEGORY = {**EVENTS, "category": "Rare"}
CORRELATED = {**EVENTS, "categories": None}
TYPED = {**EVENTS, "types": ["Rarely", "Kind1"]}
MATCHED = {
    **EVENTS, "query": '[{"tags":["common","rare"]},{"types":["Rarely"]}]', "begin": 0, "end": None, "backward": False,
    "tags": ["rare"],
}  # fmt: skip
NAMES = {"low": "R", "high": "S", "after": None, "limit": 5, "category": "Rare", "stream_id": "Rare-1"}

ENDS = {"events_pkey", "events_by_stream", "events_by_category", "events_by_type", "streams_pkey", "streams_by_category", "streams_by_number", "tags_pkey", "event_tags_pkey"}  # fmt: skip
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
    "DIGEST": ({"low": 1, "high": 9}, {"events_pkey", "streams_pkey"}),
    "NAMES": (
        {"snapshot": None, "streams": "{1,2,3}", "types": "{1}", "new_streams": "{3}", "new_types": "{}"},
        {"streams_pkey"},
    ),
    "READ_CATEGORY_FORWARD": (ONE_CATEGORY, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORY_BACKWARD": (ONE_CATEGORY, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORIES_FORWARD": (EVENTS, {"events_by_category", "streams_pkey"}),
    "READ_CATEGORIES_BACKWARD": (EVENTS, {"events_by_category", "streams_pkey"}),
    "READ_TYPES_FORWARD": (TYPED, {"events_by_type", "streams_pkey"}),
    "READ_TYPES_BACKWARD": (TYPED, {"events_by_type", "streams_pkey"}),
    "READ_CORRELATION_FORWARD": (CORRELATED, {"events_by_correlation", "streams_pkey"}),
    "READ_CORRELATION_BACKWARD": (CORRELATED, {"events_by_correlation", "streams_pkey"}),
    "READ_MATCHES": (MATCHED, {"events_pkey", "streams_pkey"}),
    "COUNT_MATCHES": (MATCHED, {"events_pkey"}),
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
    "LIST_TAGS": (NAMES, {"tags_by_name", "event_tags_pkey"}),
    "LIST_SOURCES": (NAMES | {"low": "", "high": None}, {"sources_pkey"}),
    "SPAN": ({"since": 1, "last": 2**62}, {"events_by_timestamp", "events_pkey"}),
    "HEAD": ({}, ENDS),
    "LOST": (MATCHED, {*ENDS, "streams_by_id", "tags_by_name"}),
}
PAGE = {"low": 51, "after": 50, "high": 2**63 - 1, "limit": 1000, "tags": ["common", "rare"]}
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
    "AUDIT_TAGGED": {"tags_by_name", "event_tags_pkey"},
    "COUNT_TAGS": {"event_tags_pkey"},
}  # fmt: skip
AUDITS_WITHOUT_PLAN = {"BY_INDEX", "OBJECTS"}
# Of the server or of one row: there is nothing to choose.
WITHOUT_PLAN = {
    "SETTLE_REDACTION",
    "REDACT",  # a call: see below
    "ADMITS", "STRANGE_TABLES", "OCCUPIED", "INITIALIZE_LOCK", "INFO", "SWEEP_STAGED", "NOTIFY", "WRITTEN", "AWAITED", "FLUSHED", "FLUSH",
    "MAKE_DURABLE",
    "COUNT_STREAMS",  # of all streams, by whatever is shorter
    "COUNT_TAGS",  # likewise
    "SETTLE", "SETTLE_TRANSACTION", "ADMIT_FILTERS", "IS_STANDBY", "BLOCKERS", "ROLES", "WANTS_USAGE",
    "MAY_EMIT",
}  # fmt: skip
# The pages of several categories or types are brought into one order, and so are the names of types that were counted,
# and of sources that were found one by one.
SORTS = {
    "READ_CATEGORIES_FORWARD", "READ_CATEGORIES_BACKWARD", "READ_TYPES_FORWARD", "READ_TYPES_BACKWARD",
    "LIST_TYPES_OF_CATEGORY", "LIST_SOURCES",
}  # fmt: skip


COUNTED = {"LOST": {"tags"}}
"""The tables that are counted, where a name is absent that somebody asked for."""

QUERY = '[{"tags":["common","rare"]},{"types":["Often","Rarely"],"tags":["rare"]}]'
GUARDS = f'{{"requirements":[["Rare-1",1]],"conditions":[{{"query":{QUERY},"after":6001}}]}}'
AN_ID = "00000000-0000-7000-8000-000000000001"
SLOTS = [*range(64)]
CONSUMER = {
    "name": "consumer 500", "key": AN_ID, "filter": "{}", "position": 500, "event_id": AN_ID, "id": AN_ID,
    "low": "c", "high": None, "after": "consumer 500", "limit": 10, "stream_id": "Rare-1", "state": "drop",
    "slots": SLOTS, "positions": SLOTS, "tokens": SLOTS, "hold_id": AN_ID, "holder": "me", "gives_back": False,
    "reason": "no", "parked_at": 1,
}  # fmt: skip
# Statement about a consumer: all the indexes by which it touches tables.
CONSUMING: dict[str, set[str]] = {
    "FIND_CONSUMER": {"consumers_by_name", "checkpoints_pkey", "parked_pkey"},
    "LIST_CONSUMERS": {"consumers_by_name", "checkpoints_pkey", "parked_pkey"},
    "FIND_PARKED": {"consumers_by_name", "parked_pkey", "events_pkey", "streams_pkey"},
    "FIND_HOLDERS": {"consumers_by_name", "holds_pkey"},
    "TAKE": {"consumers_by_name", "holds_pkey"},
    "RENEW": {"holds_pkey"},
    "BEGINS": {"consumers_pkey", "holds_pkey"},
    "ENDS": {"holds_pkey"},
    "FIND_EVENT": {"events_pkey"},
    "ADD_CONSUMER": set(),
    "MOVE": {"checkpoints_pkey", "events_pkey"},
    "RESET": {"checkpoints_pkey"},
    "DIVIDE": {"checkpoints_pkey"},
    "REFILTER": {"consumers_pkey"},
    "PARK": {"events_pkey"},
    "UNPARK": {"parked_pkey", "streams_by_id"},
    "UNPARK_ALL": {"parked_pkey"},
    "MARK": {"consumers_by_name", "parked_pkey", "events_by_id"},
    "REMOVE": {"consumers_pkey"},
    "REMOVE_CHECKPOINTS": {"checkpoints_pkey"},
    "REMOVE_HOLDS": {"holds_pkey"},
}
CONSUMING_WITHOUT_PLAN = {
    "FILLING", "SETTLE_STEP", "HAND_OUT", "PIN", "UNPIN", "RESET_SESSION",
}  # fmt: skip
# Call of a function, the indexes by which it may touch tables, and the entries it may read: few, of a store with
# thousands of events, tags and types.
FUNCTIONS: dict[str, tuple[str, set[str], int]] = {
    "keyed_v1": (
        """keyed_v1('{"types":["Often","Rarely"],"tags":["common","rare"]}')""",
        {"types_by_name", "tags_by_name"},
        4,
    ),
    "next_match_v1": (
        """next_match_v1({0}.keyed_v1('{"types":["Often","Rarely"],"tags":["rare"]}'), 1, 99999, false)""",
        {"types_by_name", "tags_by_name", "event_tags_pkey", "events_by_type"},
        10,
    ),
    "next_match_v1 backward": (
        """next_match_v1({0}.keyed_v1('{"types":["Often","Rarely"],"tags":["rare"]}'), 99999, 1, true)""",
        {"types_by_name", "tags_by_name", "event_tags_pkey", "events_by_type"},
        14,
    ),
    "matches_v1": (
        f"matches_v1('{QUERY}', 0, NULL, false, NULL)",
        {"types_by_name", "tags_by_name", "event_tags_pkey", "events_by_type", "events_pkey"},
        40,
    ),
    "matches_v1 backward": (
        f"matches_v1('{QUERY}', 99999, 1, true, NULL)",
        {"types_by_name", "tags_by_name", "event_tags_pkey", "events_by_type"},
        40,
    ),
    "guarded_v1": (
        f"guarded_v1('{GUARDS}')",
        {"types_by_name", "tags_by_name", "event_tags_pkey", "events_by_type", "events_pkey", "streams_by_id", "events_by_stream"},
        30,
    ),
    "taken_v1": ("""taken_v1('["orders-7",5]')""", {"sources_pkey"}, 1),
    "tag_v1": (
        "tag_v1(99999, ARRAY['common newest', NULL, 'newest rare'])",
        {"tags_by_name", "tags_pkey", "event_tags_pkey"},
        30,
    ),
    "redact_v1": (
        f"""redact_v1(
          ARRAY(SELECT id FROM {{0}}.events WHERE global_position IN (500, 1000)), false,
          'Rare-1', 'Rare', '{AN_ID}', 'Rarely', NULL, '{{{{}}}}', '{{{{}}}}', NULL, -1, NULL, NULL, false
        )""",
        {
            "events_pkey", "events_by_id", "events_by_stream", "events_by_category", "streams_by_id", "streams_pkey",
            "snapshots_pkey", "types_pkey", "types_by_name", "events_by_type",  # at whose ends the planner looks
        },
        60,
    ),
}  # fmt: skip
TOUCHED = """
SELECT relname, indexrelid::regclass::text, seq_scan, pg_stat_get_xact_tuples_returned(indexrelid)
FROM pg_index JOIN pg_stat_xact_user_tables ON relid = indrelid
WHERE schemaname = %s AND relname <> 'store'
  AND (pg_stat_get_xact_numscans(indexrelid) > 0 OR seq_scan > 0)
"""


@pytest.fixture(scope="module")
def crowds() -> Iterator[dict[Server, str]]:
    """The schema of the store that each server has for all these tests, once one has asked for it."""
    made: dict[Server, str] = {}
    yield made
    for server, schema in made.items():
        server.drop(schema)


@pytest.fixture
def crowded(server: Server, crowds: dict[Server, str]) -> Iterator[tuple[psycopg.Connection, str]]:
    """A store where one category, type and stream are common, and thousands are not. It stays as it is."""
    if server not in crowds:
        crowds[server] = _crowd(server)
    with server.connect() as connection:
        yield connection, crowds[server]


@pytest.fixture
def changing(server: Server) -> Iterator[tuple[psycopg.Connection, str]]:
    """Such a store for one test, which changes it."""
    schema = _crowd(server)
    with server.connect() as connection:
        yield connection, schema
    server.drop(schema)


def _crowd(server: Server) -> str:
    schema = server.new_schema()
    with connect(server.url(schema)) as store:
        store.initialize()
        for low in range(0, 3000, 500):
            store.append_many(
                (f"Common-{n}", [EventData("Often", {"n": n}, tags=["common", f"own:{n}"])], -1)
                for n in range(low, low + 500)
            )
            store.append_many((f"Kind{n}-1", [EventData(f"Kind{n}", {})], -1) for n in range(low, low + 500))
        store.append(
            "Rare-1", [EventData("Rarely", {}, tags=["common", "rare"])], metadata=Metadata(correlation_id="c")
        )
        for _ in range(8):
            store.append("Common-1", [EventData("Often", {"n": n}, tags=["common"]) for n in range(900)])
    with server.connect() as connection:
        connection.execute(
            f"INSERT INTO {schema}.sources SELECT 'orders-' || n / 100, n % 100, n + 1 FROM generate_series(0, 9999) AS n".encode()
        )
        for table in ("events", "streams", "types", "categories", "tags", "event_tags", "sources"):
            connection.execute(f"VACUUM ANALYZE {schema}.{table}".encode())
    return schema


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
        used = set(
            re.findall(
                r"(?:using|Scan on|Scan Backward using) ((?:events|streams|tags|event_tags|sources)_\w+)", plan
            )
        )
        assert used, (name, plan)
        assert used <= allowed, (name, plan)
        walked = set(re.findall(r"Seq Scan on (events|streams|tags|event_tags|sources)\b", plan))
        assert walked <= COUNTED.get(name, set()), (name, plan)
        assert name in SORTS or "Sort" not in plan, (name, plan)


@pytest.mark.parametrize("backward", [False, True])
def test_a_page_of_a_stream_by_its_tags_is_read_in_the_order_of_the_stream(
    crowded: tuple[psycopg.Connection, str], backward: bool
) -> None:
    connection, schema = crowded
    question = reading.of_stream("Common-1", Page(1000, backward=backward), filter_of(tags=["common"]))
    statement = statements.in_schema(question.statement, schema).strip()
    plan = "\n".join(row[0] for row in connection.execute(b"EXPLAIN " + statement, question.given))
    assert "using events_by_stream" in plan.replace("Backward ", ""), plan
    assert "Sort" not in plan, plan


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


@pytest.fixture
def employed(crowded: tuple[psycopg.Connection, str]) -> Iterator[tuple[psycopg.Connection, str]]:
    """The same store with a thousand consumers, each divided, and with parked events."""
    connection, schema = crowded
    for statement in (
        "consumers SELECT md5(n::text)::uuid, 'consumer ' || n, '{}', 0 FROM generate_series(1, 1000) AS n",
        "checkpoints SELECT key, slot, 500, key, 0 FROM {0}.consumers, generate_series(0, 63) AS slot",
        "holds SELECT key, slot, 1, key, 'somebody', 0 FROM {0}.consumers, generate_series(0, 63) AS slot",
        "parked SELECT key, n, n, 'no', 0, 'parked' FROM {0}.consumers, generate_series(1, 20) AS n",
    ):
        connection.execute(f"INSERT INTO {schema}.{statement.replace('{0}', schema)}".encode())
    tables = ("consumers", "checkpoints", "holds", "parked")
    for table in tables:
        connection.execute(f"VACUUM ANALYZE {schema}.{table}".encode())
    yield connection, schema
    connection.execute(f"TRUNCATE {', '.join(f'{schema}.{table}' for table in tables)}".encode())


def test_every_statement_about_consumers_has_its_plan_here() -> None:
    known = {
        name
        for module in (consumer_statements, hold_statements)
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str)
    }
    assert known == {*CONSUMING, *CONSUMING_WITHOUT_PLAN}


def test_a_statement_about_a_consumer_touches_tables_by_its_indexes_alone(
    employed: tuple[psycopg.Connection, str], subtests: pytest.Subtests
) -> None:
    connection, schema = employed
    for name, indexes in CONSUMING.items():
        with subtests.test(name=name):
            text = getattr(consumer_statements, name, None) or getattr(hold_statements, name)
            asked = b"EXPLAIN (COSTS OFF) " + statements.in_schema(text, schema).strip()
            plan = "\n".join(row[0] for row in connection.execute(asked, CONSUMER))
            found = set(re.findall(r"(?:using|Scan on|Backward using) (\w+_(?:pkey|by_\w+))", plan))
            assert found == indexes, plan
            assert not re.search("Seq Scan on", plan), plan


def test_a_snapshot_is_found_and_kept_by_its_key(crowded: tuple[psycopg.Connection, str]) -> None:
    connection, schema = crowded
    given = {"stream_id": "Common-1", "kind": "A", "version": 1, "event_id": str(uuid4()), "code": "", "state": ""}
    with connection.transaction(force_rollback=True):
        filling = (
            f"INSERT INTO {schema}.snapshots SELECT key, 'A', 1, gen_random_uuid(), '', '' FROM {schema}.streams"
        )
        connection.execute(filling.encode())
        connection.execute(f"ANALYZE {schema}.snapshots".encode())
        for name, index in (
            ("FIND_SNAPSHOT", "snapshots_pkey"),
            ("KEEP_SNAPSHOT", "snapshots_pkey"),
            ("VERSION", "events_by_stream"),
        ):
            text = getattr(snapshot_statements, name)
            asked = b"EXPLAIN (COSTS OFF) " + statements.in_schema(text, schema).strip()
            plan = "\n".join(row[0] for row in connection.execute(asked, given))
            assert "streams_by_id" in plan, plan
            assert index in plan, plan
            assert not re.search("Seq Scan on", plan), plan


def test_a_large_append_looks_everything_up_in_its_index(changing: tuple[psycopg.Connection, str]) -> None:
    """Of names that are there and of others, whatever the rest of the store holds: it is never walked through."""
    connection, schema = changing
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
        call = f"SELECT {schema}.append_staged_unit_v1(%s, %s, NULL, 1, NULL) ->> 'status'"
        assert connection.execute(call.encode(), [staged_as, count]).fetchall() == [("stored",)]
        found = connection.execute(asked, [schema]).fetchall()
    assert {name.partition(".")[2] for name, *_ in found} >= {"events_by_id", "streams_by_id", "staged_pkey"}
    for index, walks_of_the_table, entries in found:
        assert walks_of_the_table == 0, index
        assert entries <= 6 * count, index


def test_sources_are_listed_by_the_entries_that_are_shown(crowded: tuple[psycopg.Connection, str]) -> None:
    connection, schema = crowded
    question = reading.of_sources(NamePage(5, after="orders-3"))
    with connection.transaction(force_rollback=True):
        rows = connection.execute(statements.in_schema(question.statement, schema), question.given).fetchall()
        found = connection.execute(TOUCHED, [schema]).fetchall()
    assert [row[:2] for row in rows] == [(f"orders-3{n}", 99) for n in range(5)]
    assert {table for table, _, walks, _ in found if walks} == set()
    assert 0 < sum(entries for *_, entries in found) <= 10, found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_looks_few_entries_up_in_its_indexes(
    crowded: tuple[psycopg.Connection, str], function: str
) -> None:
    connection, schema = crowded
    call, indexes, most = FUNCTIONS[function]
    with connection.transaction(force_rollback=True):
        connection.execute(
            f"SELECT {schema}.{call.replace('{0}', schema).replace('{{', '{').replace('}}', '}')}".encode()
        )
        found = connection.execute(TOUCHED, [schema]).fetchall()
    assert {table for table, _, walks, _ in found if walks} == set()
    assert {name.partition(".")[2] for _, name, _, _ in found} <= indexes, found
    assert 0 < sum(entries for *_, entries in found) <= most, found
