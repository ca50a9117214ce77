"""A search_path that leads to operators, types and functions of somebody else: none of them is ever used."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from evstore import ConcurrencyError, EventData, NotInitializedError, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from tests.support.command import Command
from tests.support.hostile_schema import HIJACKED, hostile
from tests.support.postgres_roles import a_role
from tests.support.servers import NOT_OWNED, needs, pgbouncer
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.postgres_roles import Role
    from tests.support.servers import Server

PINNED = "pg_catalog, pg_temp"


@pytest.fixture
def misled(server: Server) -> Iterator[Role]:
    """A role whose search_path lists somebody else's schema first."""
    theirs = server.schema("theirs")
    hostile(server, theirs)
    with a_role(server, "SUPERUSER") as role:
        server.execute(f"ALTER ROLE {role.name} SET search_path = {theirs}, pg_catalog")
        yield role


@pytest.fixture(params=["directly", "behind a pooler"])
def url(request: pytest.FixtureRequest, server: Server, misled: Role) -> Iterator[str]:
    """A place for a store, as the misled role connects to it."""
    with ExitStack() as meanwhile:
        if request.param == "directly":
            yield misled.url(server.schema("store"))
            return
        needs(NOT_OWNED, server.owned)
        users = server.account.new_folder() / "users"
        users.write_text(f'"{misled.name}" ""\n')
        pooler = meanwhile.enter_context(pgbouncer(server, auth_file=users))
        yield pooler.url(server.schema("store"), user=misled.name)


def test_the_foreign_schema_misleads_whoever_trusts_the_path(misled: Role) -> None:
    with psycopg.connect(misled.url("").partition("?schema=")[0]) as session:
        for statement in ("SELECT 1 = 1", "SELECT pg_is_in_recovery()", "SELECT 'a'::text", "SELECT 'a' || 'b'"):
            with pytest.raises((psycopg.errors.RaiseException, psycopg.errors.DataError)):
                session.execute(statement.encode())
            session.rollback()


def used(store: EventStore) -> None:
    """Every way through the adapter, also those that end in a refusal."""
    with pytest.raises(NotInitializedError):
        store.head()
    store.initialize()
    store.initialize()
    stored = store.append("A-1", [EventData("Placed", n) for n in range(3)], 0)
    store.append("B-1", [EventData("Paid", n) for n in range(MOST_EVENTS + 1)])
    store.append_many([("A-1", [EventData("Sent", 1)], 3), ("C-1", [EventData("Sent", 1)], 0)])
    assert store.append("A-1", [EventData("Placed", n.data, id=n.id) for n in stored], 0).duplicate
    for count in (1, MOST_EVENTS + 1):
        with pytest.raises(ConcurrencyError):
            store.append("A-1", [EventData("Placed", n) for n in range(count)], 77)
    assert [event.stream_id for event in store.read("A-1")] == ["A-1"] * 4
    assert [event.version for event in store.read("A-1", backward=True, types=["Placed"])] == [3, 2, 1]
    assert len([*store.replay()]) == store.head() == MOST_EVENTS + 6
    assert len([*store.replay(backward=True, limit=5)]) == 5
    assert [event.stream_id for event in store.replay(["A", "C"])] == ["A-1"] * 4 + ["C-1"]
    assert len([*store.replay(types=["Sent"])]) == 2
    assert [*store.replay(correlation_id="none")] == []
    assert [*store.replay(since=stored[0].timestamp)][:3] == [*stored]
    assert store.get(stored[0].id) == stored[0]
    assert [each.stream_id for each in store.streams()] == ["A-1", "B-1", "C-1"]
    assert [each.stream_id for each in store.streams("A")] == ["A-1"]
    assert [each.category for each in store.categories()] == ["A", "B", "C"]
    assert [each.type for each in store.types()] == ["Paid", "Placed", "Sent"]
    assert [each.type for each in store.types("A")] == ["Placed", "Sent"]
    assert store.stream_info("A-1").version == 4
    assert store.info().head == MOST_EVENTS + 6
    assert [*store.verify(engine=True)] == []
    assert len([*store.subscribe(timeout=0.1)]) == MOST_EVENTS + 6


@pytest.mark.parametrize("pool_size", [1, 3])
def test_no_name_is_looked_up_there(url: str, pool_size: int) -> None:
    with connect(url, pool_size=pool_size) as store:
        used(store)


def test_a_stream_shows_its_own_events_and_completion_its_own_names(url: str, tmp_path: Path) -> None:
    command = Command(tmp_path, url)
    for words in (
        ("init",),
        ("append", "A-1", "-t", "Placed", "-d", "1"),
        ("append", "B-1", "-t", "Paid", "-d", "2"),
    ):
        assert command(*words).code == 0
    done = command("read", "A-1")
    assert (done.code, len(done.lines)) == (0, 1)
    assert HIJACKED not in done.err
    done = command("--complete", "streams", "A", env={"EVSTORE_COMPLETE_REMOTE": "1"})
    assert done.lines == ["A-1"]


def test_every_session_is_pinned_before_its_first_statement(server: Server, misled: Role) -> None:
    with connect(misled.url(server.schema("store"))) as store:
        store.initialize()

        def listener() -> Any:
            """The session of a subscription that listens, as soon as it has one."""
            assert [*store.subscribe(timeout=0.1)] == []
            return store._adapter._hints._listener

        listening = wait_for(listener)
        with store._adapter._connections.connection() as lent:
            for session in (lent, listening):
                assert session.execute("SHOW search_path").fetchone() == (PINNED,)
