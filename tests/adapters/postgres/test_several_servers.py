"""Reads that reach several servers, of which some are late: an answer comes from a single server."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.adapters.wholeness import MOST_RECOUNTED
from evstore.model.filters import Filter
from evstore.port import NamePage, Page
from tests.support.servers import OwnServer, Replica, another, replica
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore import EventStore
    from tests.support.servers import Server

EARLY, ALL = 3, 8
"""Events of the category Order on the late server, and on its primary."""
MOST_TRIES = 60


Both = tuple[OwnServer, Replica, str]
"""A primary, a replica that is late, and the schema of a store."""


@contextmanager
def _of_the_kind_of(server: Server) -> Iterator[Both]:
    with another(server) as primary, replica(primary) as late:
        schema = primary.schema()
        with connect(primary.url(schema)) as store:
            store.initialize()
            store.append("Order-1", [EventData("Placed", n) for n in range(EARLY)])
            late.caught_up()
            late.execute("SELECT pg_wal_replay_pause()")
            wait_for(lambda: late.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
            store.append("Order-2", [EventData("Placed", n) for n in range(EARLY, ALL)])
            store.append("Invoice-1", [EventData("Sent", {})])
        yield primary, late, schema


@pytest.fixture(scope="module")
def kept() -> Iterator[Callable[[Server], Both]]:
    """Two servers of each kind for all the tests, which only read."""
    with ExitStack() as running:
        yield cache(lambda server: running.enter_context(_of_the_kind_of(server)))


@pytest.fixture
def both(server: Server, kept: Callable[[Server], Both]) -> Both:
    return kept(server)


@contextmanager
def in_turn(primary: OwnServer, late: Replica, schema: str) -> Iterator[EventStore]:
    """A store with two connections, one to each server, which it uses in turn."""
    hosts = {"host": f"{primary.folder},{late.folder}", "port": f"{primary.port},{late.port}"}
    url = primary.url(schema, **hosts, load_balance_hosts="random")
    for _ in range(MOST_TRIES):
        with connect(url, pool_size=2) as store, ExitStack() as lent:
            connections = store._adapter._connections
            ports = {lent.enter_context(connections.connection()).info.port for _ in range(2)}
            lent.close()
            if len(ports) == 2:
                yield store
                return
    pytest.fail("chance gave both connections to one server each time")


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize(("category", "counts"), [("Order", {EARLY, ALL}), ("Invoice", {0, 1})])
def test_a_page_of_a_category_is_not_checked_against_another_server(
    both: Both, category: str, counts: set[int], backward: bool
) -> None:
    with in_turn(*both) as store:
        adapter = store._adapter
        found = set()
        for n in range(4):
            found.add(len(adapter.read_all(Page(ALL, backward=backward), Filter(categories=(category,)))))
            for _ in range(n):  # so that pages come from either server
                assert adapter.stream("Order-1")
        assert found == counts


def test_streams_that_were_counted_are_counted_again_on_the_server_that_takes_the_place(server: Server) -> None:
    """After a lost connection: it may lack what was there."""
    schema = server.schema("counted")
    every = NamePage(MOST_RECOUNTED * 2)
    with connect(server.url(schema, application_name=schema), pool_size=1) as store:
        store.initialize()
        store.append_many((f"Order-{n}", [EventData("Placed", n)], 0) for n in range(MOST_RECOUNTED + 1))
        assert len(store._adapter.streams(every, None)) == MOST_RECOUNTED + 1
        server.execute(f"ALTER TABLE {schema}.streams DISABLE TRIGGER USER")
        server.execute(f"DELETE FROM {schema}.streams WHERE stream_id = 'Order-5'")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", schema
        )
        with pytest.raises(IncompleteLogError):
            store._adapter.streams(every, None)
