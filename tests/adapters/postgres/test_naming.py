"""The names of streams and types in pages of the log: asked for once in a session, and never of another store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.adapters.postgres import naming
from tests.support.proxies import CLIENT, QUERY, Proxy
from tests.support.servers import pgbouncer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from tests.support.proxies import Message
    from tests.support.servers import Server

STREAMS = [f"Order-{n}" for n in range(5)]


def fill(store: EventStore, events: int = 600) -> None:
    store.initialize()
    store.append_many((STREAMS[n % 5], [EventData("Placed", n)], -1) for n in range(events))


def names(store: EventStore) -> list[str]:
    return [event.stream_id for event in store.replay()]


@contextmanager
def asked(server: Server, commands: list[bytes]) -> Iterator[str]:
    """The URL of a place between, which notes the commands of clients."""

    def noted(message: Message) -> bool:
        if message.sender == CLIENT and message.kind in QUERY and message.kind:
            commands.append(message.body)
        return False

    with Proxy(server, noted) as proxy:
        yield proxy.url(server.schema("named"))


def test_replays_ask_once_for_a_name(server: Server) -> None:
    commands: list[bytes] = []
    with asked(server, commands) as url, connect(url, pool_size=1) as store:
        fill(store)
        for _ in range(2):
            assert names(store) == STREAMS * 120
    assert sum(b"FROM" in each and b"tableoid" in each for each in commands) >= 4
    assert sum(b"SELECT key, stream_id" in each for each in commands) == 1
    assert sum(b"SELECT key, name" in each for each in commands) == 1


def test_a_store_that_is_made_again_shows_its_own_names_in_the_same_session(server: Server) -> None:
    with connect(server.place("named"), pool_size=1) as store:
        fill(store, 5)
        assert names(store) == STREAMS
        server.execute(f"DROP SCHEMA {server.schema('named')} CASCADE")
        store.initialize()
        store.append("Bill-1", [EventData("Sent", 1)])
        assert [(event.stream_id, event.type) for event in store.replay()] == [("Bill-1", "Sent")]


def test_names_are_forgotten_where_they_are_too_many(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "MOST_KEPT", 3)
    with connect(server.place("named"), pool_size=1) as store:
        fill(store)
        assert names(store) == STREAMS * 120
        assert [event.stream_id for event in store.replay(backward=True, limit=5)] == STREAMS[::-1]


def test_a_name_that_is_lost_is_no_name_of_the_session(server: Server) -> None:
    schema = server.schema("named")
    with connect(server.place("named"), pool_size=1) as store:
        fill(store, 4)
        assert names(store) == STREAMS[:4]
        store.append(STREAMS[4], [EventData("Placed", 1)])
        with server.connect() as connection:
            connection.execute(f"ALTER TABLE {schema}.streams DISABLE TRIGGER USER".encode())
            connection.execute(f"DELETE FROM {schema}.streams WHERE stream_id = 'Order-4'".encode())
        with pytest.raises(IncompleteLogError):
            names(store)


def test_nothing_is_kept_of_a_session_that_a_pooler_lends(server: Server) -> None:
    with connect(server.place("named")) as store:
        fill(store)
    with pgbouncer(server) as pooler, connect(pooler.url(server.schema("named")), pool_size=1) as reader:
        for _ in range(2):
            assert names(reader) == STREAMS * 120
        assert not len(reader._adapter._names._kept)
