"""Floors on SQLite: what Python's sqlite3 does with the same tables and the same rows, and nothing else."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Any, Final

WARM: Final = 20
"""Inserts before those that count."""
EVENTS: Final = """
SELECT
  events.id, streams.stream_id, types.name, events.data, events.metadata, events.version, events.global_position,
  events.timestamp
FROM events
JOIN streams ON streams.key = events.stream_key
JOIN types ON types.key = events.type_key
ORDER BY events.global_position
"""


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _insert(connection: sqlite3.Connection, table: str) -> str:
    columns = _columns(connection, table)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _tables(connection: sqlite3.Connection) -> list[str]:
    """The tables that appends fill, in the order of the schema."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'store' ORDER BY rowid"
    return [row[0] for row in connection.execute(query)]


def ready_rows(source: str, target: str) -> float:
    """The seconds of one transaction that inserts every row of a store into an empty store, index by index."""
    with closing(_opened(source)) as connection:
        tables = {
            table: (
                _insert(connection, table),
                connection.execute(f"SELECT {', '.join(_columns(connection, table))} FROM {table}").fetchall(),
            )
            for table in _tables(connection)
        }
    with closing(_opened(target)) as connection:
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for statement, rows in tables.values():
            connection.executemany(statement, rows)
        connection.execute("COMMIT")
        return time.perf_counter() - start


def bare_select(path: str) -> float:
    """The seconds of reading every event as a row."""
    with closing(_opened(path)) as connection:
        start = time.perf_counter()
        for _ in connection.execute(EVENTS):
            pass
        return time.perf_counter() - start


def durable_inserts(path: str, count: str) -> float:
    """The seconds of an insert in a transaction of its own; each adds the next event to the stream of the last."""
    with closing(_opened(path)) as connection:
        rows = _following(connection, WARM + int(count))
        statement = _insert(connection, "events")
        start = 0.0
        for number, row in enumerate(rows):
            if number == WARM:
                start = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(statement, row)
            connection.execute("COMMIT")
        return (time.perf_counter() - start) / int(count)


def _following(connection: sqlite3.Connection, count: int) -> list[tuple[Any, ...]]:
    """Rows of events after the last, with ids of their own and every number in its place."""
    columns = _columns(connection, "events")
    found = connection.execute(f"SELECT {', '.join(columns)} FROM events ORDER BY global_position DESC LIMIT 1")
    last = dict(zip(columns, found.fetchone(), strict=True))
    query = "SELECT max(version) FROM events WHERE stream_key = ?"
    (last["version"],) = connection.execute(query, (last["stream_key"],)).fetchone()
    rows = []
    for _ in range(count):
        for number in ("global_position", "version", "category_number"):
            last[number] += 1
        last["id"] = (int.from_bytes(last["id"], "big") + 1).to_bytes(16, "big")  # ids of evstore grow, too
        rows.append(tuple(last.values()))
    return rows
