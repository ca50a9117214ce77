"""A projection of evstore, and the same rows made by hand."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

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

    def create(self, tx: Any) -> None:
        tx.execute(f"CREATE TABLE {tx.table('lines')} (order_id TEXT PRIMARY KEY, quantity INTEGER)")

    @evstore.when(*(line_of(each) for types in CATEGORIES.values() for each in types))
    def any_of_them(self, event: Any, tx: Any) -> None:
        tx.execute(f"INSERT INTO {tx.table('lines')} VALUES (?, ?)", (event.orderId, event.quantity))


def projected(url: str) -> float:
    """The seconds in which a projection is filled."""
    with closing(connect(url)) as store:
        start = time.perf_counter()
        store.projection(Lines).run(once=True)
        return time.perf_counter() - start


def by_hand(url: str, path: str) -> float:
    """The seconds in which `replay` and as many inserts into a file fill the same table."""
    with closing(connect(url)) as store, closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = FULL")
        made.execute("CREATE TABLE lines (order_id TEXT PRIMARY KEY, quantity INTEGER)")
        start = time.perf_counter()
        made.execute("BEGIN")
        for number, event in enumerate(store.replay(), 1):
            data = json.loads(event.data_json)
            made.execute("INSERT INTO lines VALUES (?, ?)", (data["orderId"], data["quantity"]))
            if number % BATCH == 0:
                made.execute("COMMIT")
                made.execute("BEGIN")
        made.execute("COMMIT")
        return time.perf_counter() - start
