"""A projection of evstore, and the same rows made by hand."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg

import evstore
from evstore import connect
from tests.benchmarks.generating import CATEGORIES

BATCH: Final = 1000
"""The rows of a transaction, on both sides."""


def line_of(event_type: str) -> type:
    @evstore.event(name=event_type)
    @dataclass
    class Line:
        orderId: str  # noqa: N815 - as the input has it
        quantity: int

    return Line


class Lines(evstore.Projection):
    name = "lines"
    values = "VALUES (?, ?)"

    def create(self, tx: Any) -> None:
        tx.execute(f"CREATE TABLE {tx.table('lines')} (order_id TEXT PRIMARY KEY, quantity INTEGER)")

    @evstore.when(*(line_of(each) for types in CATEGORIES.values() for each in types))
    def any_of_them(self, event: Any, tx: Any) -> None:
        tx.execute(f"INSERT INTO {tx.table('lines')} {self.values}", (event.orderId, event.quantity))


class LinesOfPostgres(Lines):
    values = "VALUES (%s, %s)"


def projected(url: str) -> float:
    """The seconds in which a projection is filled, which an earlier sample may have filled already."""
    with closing(connect(url)) as store:
        projection = store.projection(Lines if url.startswith("sqlite") else LinesOfPostgres)
        if projection.status().state != "absent":
            store.consumers.remove(projection.status().consumer)
        start = time.perf_counter()
        projection.run(once=True)
        return time.perf_counter() - start


def by_hand(url: str, place: str) -> float:
    """The seconds in which `replay` and as many inserts into a table elsewhere fill the same table."""
    with closing(connect(url)) as store, closing(_opened(place)) as made:
        made.execute("CREATE TABLE lines_by_hand (order_id TEXT PRIMARY KEY, quantity INTEGER)")
        insert = f"INSERT INTO lines_by_hand {(Lines if isinstance(made, sqlite3.Connection) else LinesOfPostgres).values}"
        start = time.perf_counter()
        made.execute("BEGIN")
        for number, event in enumerate(store.replay(), 1):
            data = json.loads(event.data_json)
            made.execute(insert, (data["orderId"], data["quantity"]))
            if number % BATCH == 0:
                made.execute("COMMIT")
                made.execute("BEGIN")
        made.execute("COMMIT")
        return time.perf_counter() - start


def _opened(place: str) -> Any:
    """A durable connection, in which the table is not yet: to a new file, or to a server."""
    if place.startswith("postgresql:"):
        connection = psycopg.connect(place, autocommit=True)
        connection.execute("DROP TABLE IF EXISTS lines_by_hand")
        return connection
    made = sqlite3.connect(place, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    made.execute("PRAGMA synchronous = FULL")
    return made
