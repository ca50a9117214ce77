"""Names that a connection knows already: not asked for again while nothing ends there, missed as soon as they go."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, connect
from evstore.adapters.postgres import naming
from evstore.adapters.postgres.naming import Names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.support.servers import Server

SERVER = 1


class Asking:
    """Names, and those that a server was asked for."""

    def __init__(self, schema: str) -> None:
        self.learned: list[str] = []
        self._names = Names(schema, self._form)

    def _form(self, name: str) -> str:
        self.learned.append(name)
        return name

    def of(self, connection: psycopg.Connection, *keys: int, server: object = SERVER) -> list[str | None]:
        streams, _ = self._names.of(connection, server, [(None, key, 1) for key in keys])
        return [streams.get(key) for key in keys]


@pytest.fixture
def schema(newest: Server) -> str:
    """A store with the streams Order-1 to Order-3, whose keys are those numbers, and one type."""
    place = newest.place("known")
    with connect(place) as store:
        store.initialize()
        for n in (1, 2, 3):
            store.append(f"Order-{n}", [EventData("Placed", n)])
    return newest.schema("known")


@pytest.fixture
def connection(newest: Server) -> Iterator[psycopg.Connection]:
    with closing(newest.connect()) as made:
        yield made


def _state(connection: psycopg.Connection) -> object:
    return connection.execute("SELECT pg_current_snapshot()").fetchone()


def test_a_name_is_asked_for_once_while_no_transaction_ends(connection: psycopg.Connection, schema: str) -> None:
    before = None
    while before != _state(connection):  # a server ends transactions of its own, now and then
        before = _state(connection)
        asking = Asking(schema)
        assert asking.of(connection, 1, 2) == ["Order-1", "Order-2"]
        assert asking.of(connection, 2, 3, 1) == ["Order-2", "Order-3", "Order-1"]
    assert sorted(asking.learned) == ["Order-1", "Order-2", "Order-3", "Placed"]


def test_names_are_asked_for_again_after_a_transaction(connection: psycopg.Connection, schema: str) -> None:
    asking = Asking(schema)
    asking.of(connection, 1)
    connection.execute("CREATE TEMPORARY TABLE anything (n integer)")
    assert asking.of(connection, 1) == ["Order-1"]
    assert asking.learned.count("Order-1") == 2


def test_a_name_that_was_taken_away_is_missed(connection: psycopg.Connection, newest: Server, schema: str) -> None:
    asking = Asking(schema)
    asking.of(connection, 1, 2)
    with closing(newest.connect()) as other:
        other.execute("SET session_replication_role = replica")  # no triggers
        other.execute(f"DELETE FROM {schema}.streams WHERE key = 2".encode())
    assert asking.of(connection, 1, 2, 3) == ["Order-1", None, "Order-3"]


def test_names_of_another_server_are_asked_for_anew(connection: psycopg.Connection, schema: str) -> None:
    asking = Asking(schema)
    asking.of(connection, 1)
    asking.of(connection, 1, server=SERVER + 1)
    assert asking.learned.count("Order-1") == 2


def test_no_more_names_are_kept_than_fit_in_memory(
    connection: psycopg.Connection, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MOST_KNOWN", 2)
    asking = Asking(schema)
    for keys in ((1, 2), (2, 3), (3, 1), (1, 2, 3)):
        assert asking.of(connection, *keys) == [f"Order-{key}" for key in keys]
    assert asking.learned.count("Order-2") > 1


def test_no_rows_need_no_names(connection: psycopg.Connection) -> None:
    assert Asking("absent").of(connection) == []
