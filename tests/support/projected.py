"""Projections for tests, and the connection of a reader who knows nothing of evstore."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import psycopg

import evstore
from evstore import EventData, EventStore, StoredEvent


@evstore.event
@dataclass(frozen=True)
class Deposited:
    account: str
    amount: int


@evstore.event(name="account-closed")
@dataclass(frozen=True)
class Closed:
    account: str


class Balances(evstore.Projection):
    """The sum of each account. It is right only if each event is handled exactly once."""

    name, version = "balances", 1
    columns = ""
    values = ""

    def create(self, tx: Any) -> None:
        tx.execute(
            f"CREATE TABLE {tx.table('balances')} (account TEXT PRIMARY KEY, amount INTEGER, events INTEGER{self.columns})"
        )

    @evstore.when
    def deposited(self, event: Deposited, stored: StoredEvent, tx: Any) -> None:
        tx.execute(
            f"INSERT INTO {tx.table('balances')} AS its VALUES ('{event.account}', {event.amount}, 1{self.values})"
            " ON CONFLICT (account) DO UPDATE SET amount = its.amount + excluded.amount, events = its.events + 1"
        )

    @evstore.when
    def closed(self, event: Closed, tx: Any) -> None:
        tx.execute(f"DELETE FROM {tx.table('balances')} WHERE account = '{event.account}'")


class BalancesInCents(Balances):
    """The next version, with another column."""

    version = 2
    columns = ", cents INTEGER"
    values = ", 100"


def deposit(store: EventStore, *amounts: int, account: str = "ann") -> None:
    store.append(
        f"Account-{account}", [EventData("Deposited", {"account": account, "amount": each}) for each in amounts]
    )


class Reader:
    """Reads the database of a store as other programs do."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite:"):
            self.connection: Any = sqlite3.connect(f"file:{url.removeprefix('sqlite:')}?mode=ro", uri=True)
        else:
            self.connection = psycopg.connect(url, autocommit=True)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(statement).fetchall()]

    def names(self) -> set[str]:
        """The tables and views that are not evstore's own."""
        if isinstance(self.connection, sqlite3.Connection):
            rows = self.rows(
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name LIKE '%balances%'"
            )
        else:
            rows = self.rows(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relname LIKE '%balances%'"
            )
        return {name for (name,) in rows}
