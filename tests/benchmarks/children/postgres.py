"""Floors on PostgreSQL: what psycopg does with the same tables and calls, and nothing else."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import uuid4

import psycopg

from evstore import EventData, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TABLES: Final = ("categories", "types", "streams", "events")
COLUMNS: Final = """
SELECT
  events.id, streams.stream_id, types.name, events.data, events.metadata, events.version, events.global_position,
  events.timestamp
FROM {schema}.events
JOIN {schema}.streams ON streams.key = events.stream_key
JOIN {schema}.types ON types.key = events.type_key
ORDER BY events.global_position
"""


def _copied(connection: psycopg.Connection, query: str) -> list[bytes]:
    with connection.cursor().copy(query.encode()) as copy:
        return [bytes(block) for block in copy]


def copy_in(server: str, source: str, target: str) -> float:
    """The seconds of one transaction that copies every row of a store, ready in memory, into an empty store."""
    with psycopg.connect(server) as connection:
        tables = {
            table: _copied(
                connection, f"COPY (SELECT * FROM {source}.{table} ORDER BY 1) TO STDOUT (FORMAT BINARY)"
            )
            for table in TABLES
        }
        connection.commit()
        start = time.perf_counter()
        for table, blocks in tables.items():
            with connection.cursor().copy(f"COPY {target}.{table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                for block in blocks:
                    copy.write(block)
        connection.commit()
        return time.perf_counter() - start


def copy_out(server: str, schema: str) -> float:
    """The seconds of copying the columns of every event to the client."""
    with psycopg.connect(server) as connection:
        start = time.perf_counter()
        with connection.cursor().copy(f"COPY ({COLUMNS.format(schema=schema)}) TO STDOUT".encode()) as copy:
            for _ in copy:
                pass
        return time.perf_counter() - start


def call_of(append: Callable[[], object]) -> tuple[Any, Any]:
    """The statement and the parameters of the one CALL that an append makes."""
    seen: list[tuple[Any, Any]] = []
    execute = psycopg.Cursor.execute

    def noting(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if "CALL " in str(query):
            seen.append((query, params))
        return execute(self, query, params, **options)

    with patch.object(psycopg.Cursor, "execute", noting):
        append()
    assert len(seen) == 1, f"an append made {len(seen)} CALLs by psycopg's cursors"
    return seen[0]


def with_id(given: Any, old: str, new: str) -> Any:
    """The parameters of a call, with another event id in the place of the old."""
    if isinstance(given, dict):
        return {name: with_id(value, old, new) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return type(given)(with_id(value, old, new) for value in given)
    if str(given) == old:
        return type(given)(new)
    return given


def bare_calls(url: str, server: str, count: str) -> float:
    """The seconds of the adapter's own CALL, executed by psycopg alone, for an event with an id of its own."""
    from tests.benchmarks.children.library import DATA

    old = str(uuid4())
    with closing(connect(url)) as store:
        store.append("Order-bench-0", [EventData("OrderPlaced", DATA)])
        statement, given = call_of(lambda: store.append("Order-bench-0", [EventData("OrderPlaced", DATA, id=old)]))
        before = store.head()
        seconds = _calls(server, statement, [with_id(given, old, str(uuid4())) for _ in range(int(count))])
        assert store.head() == before + int(count), "the bare CALL did not append"
    return seconds / int(count)


def _calls(server: str, statement: Any, calls: list[Mapping[str, Any]]) -> float:
    with psycopg.connect(server, autocommit=True) as connection:
        start = time.perf_counter()
        for given in calls:
            connection.execute(statement, given).fetchone()
        return time.perf_counter() - start
