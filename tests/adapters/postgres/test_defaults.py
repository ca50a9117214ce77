"""Whatever a role, a database or a server has for defaults, an append is the same, and so is a read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from evstore import NO_STREAM, DeniedError, EventData, connect
from evstore.adapters.postgres.batches import Batch, calls_of
from evstore.adapters.postgres.statements import in_schema
from tests.support.postgres_roles import a_role
from tests.support.postgres_sessions import waiting, writing
from tests.support.role_defaults import ODD
from tests.support.servers import another, replica
from tests.support.unflushed_appends import AN_EVENT, UNIT, append_unflushed, crashing, given_of
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from tests.support.servers import Server

ROUNDS = 500
ISOLATIONS = ("serializable", "repeatable read")
LARGE = [EventData("Placed", n) for n in range(1001)]
"""More than goes in one call."""


@pytest.mark.parametrize("settings", ODD.values(), ids=ODD)
def test_the_defaults_of_a_role_change_nothing(newest: Server, settings: dict[str, object]) -> None:
    events = [EventData.from_json("Placed", '{"n": 1.10, "text": "\\\\ \' é"}', id=str(uuid4())) for _ in range(3)]
    with a_role(newest, "SUPERUSER", **settings) as role, connect(role.url(newest.schema())) as store:
        store.initialize()
        stored = store.append("Order-1", events, NO_STREAM)
        assert [event.version for event in stored] == [1, 2, 3]
        assert [*store.read("Order-1")] == stored
        assert store.append("Order-1", events, 77).duplicate
        assert len(store.append("Order-1", LARGE, 3)) == len(LARGE)
        assert [info.version for info in store.streams()] == [3 + len(LARGE)]
        assert store.get(events[1].id) == stored[1]
        assert [*store.verify()] == []
        assert store.info().durability["synchronousCommit"] == "on"


def test_a_search_path_does_not_decide_what_is_called(newest: Server) -> None:
    theirs, schema = newest.schema("theirs"), newest.schema()
    newest.execute(f"CREATE SCHEMA {theirs}")
    for name in ("pg_is_in_recovery", "pg_current_wal_insert_lsn", "clock_timestamp"):
        newest.execute(f"CREATE FUNCTION {theirs}.{name}() RETURNS bool RETURN true")
    with a_role(newest, "SUPERUSER", search_path=f"{theirs}, pg_catalog") as role:
        newest.execute(f"ALTER ROLE {role.name} SET search_path = {theirs}, pg_catalog")
        with connect(role.url(schema)) as store:
            store.initialize()
            assert len(store.append("Order-1", AN_EVENT)) == 1
            assert [event.version for event in store.replay()] == [1]
            assert store.info().warnings == ()


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_of_two_first_writers_of_a_stream_without_an_expectation_both_succeed(
    newest: Server, isolation: str
) -> None:
    schema = newest.schema()
    barrier = threading.Barrier(2)

    def write(url: str) -> None:
        with connect(url, pool_size=1) as store:
            store.head()
            for n in range(ROUNDS):
                barrier.wait(60)
                store.append(f"Order-{n}", AN_EVENT)

    with a_role(newest, "SUPERUSER", default_transaction_isolation=isolation) as role:
        with connect(role.url(schema)) as store:
            store.initialize()
        with ThreadPoolExecutor() as threads:
            for each in [threads.submit(write, role.url(schema)) for _ in range(2)]:
                each.result()
        with connect(role.url(schema)) as store:
            assert [info.version for info in store.streams()] == [2] * ROUNDS
            assert [event.global_position for event in store.replay()] == [*range(1, 2 * ROUNDS + 1)]


def test_who_reads_in_serializable_transactions_reads_from_a_replica_too(newest: Server) -> None:
    """A standby has no such transactions, and a default of the role goes there with everything else."""
    schema = newest.schema()
    with a_role(newest, "SUPERUSER", default_transaction_isolation="serializable") as role:
        with connect(role.url(schema)) as store:
            store.initialize()
            store.append("Order-1", AN_EVENT)
        with replica(newest) as standby:
            standby.caught_up()
            with connect(standby.url(schema, user=role.name)) as store:
                for events in (AN_EVENT, LARGE):
                    with pytest.raises(DeniedError, match="replica"):
                        store.append("Order-1", events)
                assert [event.version for event in store.replay()] == [1]


def test_what_was_acknowledged_is_there_after_a_crash_also_where_commits_are_not_synchronous(
    server: Server,
) -> None:
    with another(server, synchronous_commit="off") as own, connect(own.place()) as store:
        own.execute("CREATE TABLE theirs (number integer)")
        store.initialize()
        with crashing(own):
            for n in range(10):
                store.append(f"Order-{n}", AN_EVENT)
            store.append("Large-1", LARGE)
            own.execute("INSERT INTO theirs VALUES (1)")
        assert store.head() == 10 + len(LARGE)
        assert own.execute("SELECT * FROM theirs") == []  # so it was a crash


def test_what_a_reader_was_shown_is_there_after_a_crash_also_if_its_writer_has_not_flushed_it(
    newest: Server,
) -> None:
    with another(newest) as own, connect(own.url(own.schema("s"))) as store:
        store.initialize()
        shown = []
        with crashing(own):
            for n in range(2):
                append_unflushed(own, own.schema("s"), given_of(store, f"Order-{n}"))
                if n == 0:  # to one who may not write, and whose own commits are not synchronous either
                    defaults = "-c default_transaction_read_only=on -c synchronous_commit=off"
                    with connect(own.url(own.schema("s"), options=defaults)) as reader:
                        shown = [*reader.replay()]
        assert len(shown) == 1
        assert [*store.replay()] == shown  # the second, which nobody was shown, went with its writer


def test_a_role_that_may_only_read_is_denied_and_told_so(newest: Server) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as store:
        store.initialize()
        store.append("Order-1", AN_EVENT)
    with a_role(newest, "SUPERUSER", default_transaction_read_only="on") as role:
        with connect(role.url(schema)) as store:
            assert store.head() == 1
            for events in (AN_EVENT, LARGE):
                with pytest.raises(DeniedError, match="read-only"):
                    store.append("Order-1", events)
            assert store.head() == 1
        with connect(role.url(newest.schema())) as store, pytest.raises(DeniedError, match="read-only"):
            store.initialize()


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_the_function_that_appends_refuses_a_transaction_that_would_not_see_what_it_waited_for(
    server: Server, isolation: str
) -> None:
    schema = server.schema()
    with connect(server.url(schema)) as store, server.connect() as caller:
        store.initialize()
        with pytest.raises(psycopg.Error, match="READ COMMITTED") as caught, caller.transaction():
            caller.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
            caller.execute(in_schema(UNIT, schema), given_of(store, "Order-1"))
        assert caught.value.sqlstate == "EV002"
        assert store.head() == 0
        caller.execute(in_schema(UNIT, schema), given_of(store, "Order-1"))
        assert store.head() == 1


@pytest.mark.parametrize("events", [AN_EVENT, LARGE], ids=["append_v1", "append_staged_v1"])
def test_an_append_within_a_transaction_of_the_caller_is_refused_and_writes_nothing(
    server: Server, events: list[EventData]
) -> None:
    schema = server.schema()
    with connect(server.url(schema)) as store, server.connect() as caller:
        store.initialize()
        (call,) = calls_of([store.appender.unit([("Order-1", events, -1)])])
        calls = store._adapter._calls
        attempt = calls._calling(call, False) if isinstance(call, Batch) else calls._staging(call)
        with pytest.raises(psycopg.errors.InvalidTransactionTermination), caller.transaction():
            attempt(caller)
        for table in ("events", "streams", "categories", "types", "staged"):
            assert server.execute(f"SELECT count(*) FROM {schema}.{table}") == [(0,)]


def test_a_wait_is_bounded_by_the_timeout_alone_and_not_by_the_roles(newest: Server) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as store:
        store.initialize()
    with a_role(newest, "SUPERUSER", lock_timeout="1ms") as role, ThreadPoolExecutor() as threads:
        with connect(role.url(schema, application_name=schema)) as store:
            with writing(newest, schema):
                appended = threads.submit(store.append, "Order-1", AN_EVENT)
                wait_for(lambda: waiting(newest, "advisory", schema))
                with newest.connect() as other:
                    other.execute("SELECT pg_sleep(0.05)")
                assert not appended.done()
            assert len(appended.result()) == 1
