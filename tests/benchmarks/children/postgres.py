"""Floors on PostgreSQL: what psycopg does with the same tables and calls, and nothing else."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

import psycopg

from evstore import connect
from tests.benchmarks.calls import call_of

WARM: Final = 20
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


def bare_calls(url: str, server: str, count: str) -> float:
    """The seconds of the adapter's own CALL, executed by psycopg alone, for an event with an id of its own."""
    with closing(connect(url)) as store:
        call = call_of(store)
        before = store.head()
        calls = [call.again() for _ in range(WARM + int(count))]
        with psycopg.connect(server, autocommit=True) as connection:
            for given in calls[:WARM]:  # afterwards the statement is prepared
                connection.execute(call.statement, given)
            start = time.perf_counter()
            for given in calls[WARM:]:
                connection.execute(call.statement, given).fetchone()
            seconds = time.perf_counter() - start
        assert store.head() == before + len(calls), "the bare CALL did not append"
    return seconds / int(count)
