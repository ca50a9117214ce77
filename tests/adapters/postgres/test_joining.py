"""Connections of an application to the database of a store: which may append, and how they are left."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

from evstore import DeniedError, EventData, EvstoreError, InvalidInputError, StoreBusyError, connect
from tests.support.postgres_roles import a_role
from tests.support.postgres_sessions import writing
from tests.support.servers import another
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore import EventStore
    from tests.support.servers import Server

AN_EVENT = [EventData("Placed", {"n": 1})]
SETTINGS = {
    "search_path": '"$user", public',
    "row_security": "on",
    "lock_timeout": "1234ms",
    "array_nulls": "off",
}


@pytest.fixture
def schema(newest: Server) -> str:
    return newest.schema()


@pytest.fixture
def store(newest: Server, schema: str) -> Iterator[EventStore]:
    with connect(newest.url(schema)) as store:
        store.initialize()
        yield store
        assert [*store.verify()] == []


@pytest.fixture
def theirs(newest: Server) -> Iterator[psycopg.Connection[Any]]:
    with closing(psycopg.connect(newest.url())) as connection:
        yield connection


def setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = (
        psycopg.Cursor(connection, row_factory=tuple_row).execute("SELECT current_setting(%s)", [name]).fetchone()
    )
    assert row is not None
    return str(row[0])


def refused(store: EventStore, connection: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        store.append("Order-1", AN_EVENT, connection=connection)
    assert store.head() == 0


def test_the_settings_of_the_transaction_stay_as_the_application_made_them(
    store: EventStore, theirs: psycopg.Connection[Any]
) -> None:
    theirs.row_factory, theirs.cursor_factory = dict_row, psycopg.ClientCursor  # type: ignore[assignment]
    for name, value in SETTINGS.items():
        theirs.execute("SELECT set_config(%s, %s, false)", [name, value])
    theirs.commit()
    stored = store.append("Order-1", AN_EVENT, key="k", connection=theirs)
    assert store.append("Order-1", AN_EVENT, key="k", connection=theirs) == stored
    with pytest.raises(EvstoreError):
        store.append("Order-1", AN_EVENT, 7, connection=theirs)
    assert {name: setting(theirs, name) for name in SETTINGS} == SETTINGS
    row: Any = theirs.execute("SELECT '{\"a\": 1}'::json AS its").fetchone()
    assert row == {"its": {"a": 1}}
    theirs.commit()
    assert {name: setting(theirs, name) for name in SETTINGS} == SETTINGS
    assert stored == [*store.replay()]


@pytest.mark.parametrize(("before", "within"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_the_commit_of_an_append_waits_for_the_disk_whatever_the_application_has_set(
    store: EventStore, theirs: psycopg.Connection[Any], before: str, within: str
) -> None:
    theirs.execute("SELECT set_config('synchronous_commit', %s, false)", [before])
    theirs.commit()
    store.append("Order-1", AN_EVENT, connection=theirs)
    assert setting(theirs, "synchronous_commit") == within
    theirs.commit()
    assert setting(theirs, "synchronous_commit") == before


def test_names_in_the_search_path_of_the_application_mislead_no_append(
    newest: Server, store: EventStore, schema: str, theirs: psycopg.Connection[Any]
) -> None:
    newest.execute(f"CREATE SCHEMA {schema}_app")
    try:
        newest.execute(
            f"CREATE FUNCTION {schema}_app.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 1/0 $$"
        )
        theirs.execute(f"SET search_path = {schema}_app, pg_catalog".encode())
        store.append("Order-1", AN_EVENT, connection=theirs)
        theirs.commit()
        assert store.head() == 1
    finally:
        newest.execute(f"DROP SCHEMA {schema}_app CASCADE")


def test_a_rollback_to_a_savepoint_of_the_application_lets_other_writers_go_on(
    store: EventStore, theirs: psycopg.Connection[Any]
) -> None:
    with theirs.transaction():
        with theirs.transaction(force_rollback=True):
            store.append("Order-1", AN_EVENT, connection=theirs)
        assert store.append("Order-2", AN_EVENT)[0].global_position == 1
        store.append("Order-3", AN_EVENT, connection=theirs)
    assert [e.stream_id for e in store.replay()] == ["Order-2", "Order-3"]


def test_a_refused_append_holds_no_other_writer_back(store: EventStore, theirs: psycopg.Connection[Any]) -> None:
    theirs.execute("SELECT 1")
    with pytest.raises(EvstoreError):
        store.append("Order-1", AN_EVENT, 7, connection=theirs)
    assert theirs.info.transaction_status == TransactionStatus.INTRANS
    assert store.append("Order-1", AN_EVENT)[0].global_position == 1


def test_after_a_wait_in_vain_the_transaction_goes_on(newest: Server, schema: str, store: EventStore) -> None:
    with (
        connect(newest.url(schema), timeout=0.2) as hasty,
        closing(psycopg.connect(newest.url())) as theirs,
    ):
        theirs.execute("CREATE TEMP TABLE mine AS SELECT 1 AS n")
        with writing(newest, schema), pytest.raises(StoreBusyError):
            hasty.append("Order-1", AN_EVENT, connection=theirs)
        hasty.append("Order-1", AN_EVENT, connection=theirs)
        theirs.commit()
        assert theirs.execute("SELECT n FROM mine").fetchall() == [(1,)]
    assert store.head() == 1


def _closed(url: str) -> Any:
    connection = psycopg.connect(url)
    connection.close()
    return connection


def _failed(url: str) -> Any:
    connection = psycopg.connect(url)
    with pytest.raises(psycopg.Error):
        connection.execute("SELECT 1/0")
    return connection


def _isolated(url: str) -> Any:
    connection = psycopg.connect(url)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def _latin(url: str) -> Any:
    return psycopg.connect(url, client_encoding="latin1")


def _asynchronous(url: str) -> Any:
    async def made() -> Any:
        connection = await psycopg.AsyncConnection.connect(url)
        await connection.close()
        return connection

    return asyncio.run(made())


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (_closed, "it is closed"),
        (_failed, "roll it back"),
        (_isolated, "isolation_level"),
        (_latin, "client_encoding TO 'UTF8'"),
        (_asynchronous, r"takes a psycopg.Connection, not a psycopg\.\S*AsyncConnection"),
        (lambda url: psycopg.connect(url, autocommit=True), r"within connection.transaction\(\)"),
        (lambda _: "postgresql://", "not a builtins.str"),
    ],
)
def test_a_connection_in_no_state_to_append_is_refused(
    newest: Server, store: EventStore, made: Callable[[str], Any], words: str
) -> None:
    connection = made(newest.url())
    refused(store, connection, words)
    if isinstance(connection, psycopg.Connection):
        assert connection.info.transaction_status != TransactionStatus.INTRANS
        connection.close()


def test_a_connection_in_a_pipeline_is_refused(store: EventStore, theirs: psycopg.Connection[Any]) -> None:
    with theirs.pipeline():
        refused(store, theirs, "after the pipeline")


def test_a_connection_in_autocommit_mode_appends_within_its_transaction(newest: Server, store: EventStore) -> None:
    with closing(psycopg.connect(newest.url(), autocommit=True)) as theirs:
        with theirs.transaction():
            store.append("Order-1", AN_EVENT, connection=theirs)
            assert store.head() == 0
        assert store.head() == 1


def test_a_connection_to_another_database_or_server_is_refused(
    newest: Server, store: EventStore, schema: str
) -> None:
    newest.execute(f"CREATE DATABASE {schema}")
    try:
        with closing(psycopg.connect(newest.url(database=schema))) as elsewhere:
            refused(store, elsewhere, "it does not lead to the event store at")
            with connect(newest.url(schema, database=schema)) as other:
                other.initialize()
            refused(store, elsewhere, "connect to the server and the database of the store")
    finally:
        newest.execute(f"DROP DATABASE {schema} WITH (FORCE)")
    with another(newest) as server, connect(server.url(schema)) as other:
        other.initialize()
        with closing(psycopg.connect(server.url())) as elsewhere:
            refused(store, elsewhere, "it does not lead to the event store at")


def test_a_role_without_rights_is_denied_and_its_transaction_goes_on(newest: Server, store: EventStore) -> None:
    with a_role(newest) as role, closing(role.session()) as session:
        session.autocommit = False
        session.execute("CREATE TEMP TABLE mine AS SELECT 1 AS n")
        with pytest.raises(DeniedError):
            store.append("Order-1", AN_EVENT, connection=session)
        assert session.execute("SELECT n FROM mine").fetchall() == [(1,)]


def test_a_connection_that_is_lost_reports_so(newest: Server, store: EventStore) -> None:
    with closing(psycopg.connect(newest.url())) as theirs:
        store.append("Order-1", AN_EVENT, connection=theirs)
        newest.execute("SELECT pg_terminate_backend(%s)", theirs.info.backend_pid)
        with pytest.raises(EvstoreError) as lost:
            store.append("Order-1", AN_EVENT, connection=theirs)
        assert lost.value.retryable
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(store.append, "Order-2", AN_EVENT).result(PATIENCE)[0].global_position == 1
