"""Who may do what: without a grant nothing, and with the few that a reader or a writer needs all that it is for."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from evstore import DeniedError, EventData, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from tests.support.daemons import freeze
from tests.support.postgres_roles import ALL_READER, ALL_WRITER, READER, WRITER, a_role, grant, revoke
from tests.support.sentences import names
from tests.support.servers import another

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import EventStore
    from tests.support.postgres_roles import Role
    from tests.support.servers import Server


@pytest.fixture
def schema(server: Server) -> str:
    schema = server.schema("granted")
    with connect(server.url(schema)) as store:
        store.initialize()
        store.append("Order-1", some(2))
    return schema


@pytest.fixture
def role(server: Server, schema: str) -> Iterator[Role]:
    with a_role(server) as role:
        yield role


def some(count: int) -> list[EventData]:
    return [EventData("Placed", n) for n in range(count)]


def read(store: EventStore) -> None:
    assert [event.version for event in store.replay()] == [1, 2]
    assert (
        [*store.replay(["Order"], types=["Placed"])] == [*store.read("Order-1")] == [*store.subscribe(timeout=0)]
    )
    assert len([*store.streams()]) == len([*store.categories()]) == len([*store.types()]) == 1
    assert [*store.sources()] == []
    assert store.stream_info("Order-1").version == store.head() == store.info().head == 2


def write(store: EventStore, size: int) -> None:
    """Twice, as after an answer that was lost."""
    unit = store.appender.unit([("Order-2", some(size), -1)])
    store.appender.submit([unit])
    store.appender.submit([unit])


def denied(error: DeniedError, store: EventStore) -> None:
    """By the server, for the want of a right."""
    assert error.code == "denied"
    assert not error.retryable
    assert getattr(error.__cause__, "sqlstate", None) == "42501"
    assert names(error, store.location)


def test_a_role_without_a_grant_is_denied_everything(server: Server, schema: str, role: Role) -> None:
    with connect(role.url(schema)) as store:
        for ask in (lambda: read(store), lambda: write(store, 1), store.initialize, store.info):
            with pytest.raises(DeniedError) as caught:
                ask()
            denied(caught.value, store)
    with connect(role.url(server.schema("new"))) as store, pytest.raises(DeniedError) as caught:
        store.initialize()
    denied(caught.value, store)


@pytest.mark.parametrize("rights", [READER, ALL_READER], ids=["few", "all"])
def test_a_reader_reads_and_cannot_write(schema: str, role: Role, rights: tuple[str, ...]) -> None:
    grant(role, schema, *rights)
    with connect(role.url(schema)) as store:
        read(store)
        store.initialize()  # there is nothing to make
        for size in (1, MOST_EVENTS + 1):
            with pytest.raises(DeniedError) as caught:
                store.append("Order-1", some(size))
            denied(caught.value, store)
        read(store)


@pytest.mark.parametrize("rights", [WRITER, ALL_WRITER], ids=["few", "all"])
def test_a_writer_appends_what_is_small_and_what_is_large_and_changes_nothing_by_hand(
    server: Server, schema: str, role: Role, rights: tuple[str, ...]
) -> None:
    grant(role, schema, *rights)
    with connect(role.url(schema)) as store:
        write(store, 1)
        write(store, MOST_EVENTS + 1)
    assert server.execute(f"SELECT max(global_position) FROM {schema}.events") == [(2 + 1 + MOST_EVENTS + 1,)]
    assert server.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]
    with psycopg.connect(
        role.url(schema).partition("?schema=")[0].partition("&schema=")[0], autocommit=True
    ) as session:
        for cheat in (
            "INSERT INTO {0}.events SELECT * FROM {0}.events",
            "INSERT INTO {0}.streams SELECT * FROM {0}.streams",
            "INSERT INTO {0}.types VALUES (9, 'Cheated')",
            "UPDATE {0}.store SET min_reader = 9",
            "DELETE FROM {0}.staged",
            "TRUNCATE {0}.events",
            "ALTER TABLE {0}.events DISABLE TRIGGER ALL",
            "SELECT {0}.add_names_v1('{{}}', '{{}}', '{{Cheated}}')",
            "CREATE TABLE {0}.mine (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(cheat.format(schema).encode())


def test_a_reader_needs_each_of_its_grants(newest: Server) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as store, a_role(newest) as role:
        store.initialize()
        store.append("Order-1", some(2))
        grant(role, schema, *READER)
        for right in READER:
            revoke(role, schema, right)
            with connect(role.url(schema)) as reader, pytest.raises(DeniedError):
                read(reader)
            grant(role, schema, right)


def test_where_nobody_may_emit_messages_into_the_log_the_owner_does_for_others(server: Server) -> None:
    """Everybody has that right, until somebody takes it away; a reader then needs a grant."""
    with another(server) as own, ExitStack() as meanwhile:
        schema = own.schema()
        store = meanwhile.enter_context(connect(own.url(schema)))
        store.initialize()
        for (function,) in own.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'pg_logical_emit_message'"
        ):
            own.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        reader, writer = (meanwhile.enter_context(a_role(own)) for _ in range(2))
        grant(reader, schema, *READER)
        grant(writer, schema, *WRITER)
        with connect(writer.url(schema)) as store:
            write(store, 1)
            write(store, MOST_EVENTS + 1)
        # A writer that dies between its two commits leaves to the readers what is not flushed.
        own.execute(f"CREATE OR REPLACE FUNCTION {schema}.make_it_seem_v1() RETURNS void LANGUAGE sql AS ''")
        ((text,),) = own.execute(f"SELECT pg_get_functiondef('{schema}.append_v1'::regproc)")
        own.execute(text.replace("make_durable_v1();", "make_it_seem_v1();"))
        (walwriter,) = own.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")[0]
        freeze(walwriter)  # who flushes what nobody waits for
        meanwhile.callback(os.kill, walwriter, signal.SIGCONT)
        with connect(own.url(schema)) as store:
            store.append("Order-3", some(1))
        unflushed = "SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()"
        assert own.execute(unflushed) == [(True,)]
        with connect(reader.url(schema)) as store:
            with pytest.raises(DeniedError):
                list(store.read("Order-3"))
            grant(reader, schema, "EXECUTE ON FUNCTION {0}.make_durable_v1")
            assert [event.data for event in store.read("Order-3")] == [0]
        assert own.execute(unflushed) == [(False,)]


def test_a_writer_that_may_not_make_durable_is_denied_before_anything_is_stored(newest: Server) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as store, a_role(newest) as role:
        store.initialize()
        grant(role, schema, *WRITER)
        revoke(role, schema, "EXECUTE ON FUNCTION {0}.make_durable_v1")
        for size in (1, MOST_EVENTS + 1):
            with connect(role.url(schema)) as writer, pytest.raises(DeniedError, match="make_durable_v1"):
                writer.append("Order-1", some(size))
        assert store.head() == 0


@pytest.mark.parametrize("right", WRITER)
def test_a_writer_needs_each_of_its_grants_and_writes_nothing_where_it_is_denied(
    newest: Server, right: str
) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as store, a_role(newest) as role, connect(role.url(schema)) as writer:
        store.initialize()
        grant(role, schema, *WRITER)
        revoke(role, schema, right)
        denied = False
        for size in (1, MOST_EVENTS + 1):
            before = store.head()
            try:
                writer.append("Order-1", some(size))
            except DeniedError:
                denied = True
                assert store.head() == before
        try:
            write(writer, 1)
        except DeniedError:
            denied = True
    left = newest.execute(f"SELECT count(*) FROM {schema}.staged") != [(0,)]
    assert denied or (left and "sweep_staged_v1" in right)
