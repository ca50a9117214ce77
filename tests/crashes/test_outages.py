"""What a server that goes away may do to those who are in the middle of something."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL
from typing import TYPE_CHECKING

import pytest

from evstore import (
    AppendOutcomeUnknownError,
    EventData,
    EvstoreError,
    StoreClosedError,
    UnavailableError,
    connect,
)
from evstore.adapters.postgres import session
from tests.support import changed_procedures
from tests.support.servers import pgbouncer
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import OwnServer

pytestmark = pytest.mark.long("servers are away for seconds")

ENDED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%append_v1%'
"""
PID = "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim'"


def an_event() -> EventData:
    return EventData("Placed", {"total": 4})


@pytest.fixture
def schema(own: OwnServer) -> str:
    """A store with one event."""
    schema = own.schema()
    with connect(own.url(schema)) as store:
        store.initialize()
        store.append("Order-1", [an_event()])
    return schema


def test_a_server_that_recovers_from_a_crash_is_away_and_denies_nothing(own: OwnServer, schema: str) -> None:
    with connect(own.url(schema), pool_size=1) as store, own.connect(application_name="victim"):
        errors: list[EvstoreError] = []
        os.kill(own.execute(PID)[0][0], SIGKILL)

        def answers() -> bool:
            try:
                return store.head() == 1
            except EvstoreError as error:
                errors.append(error)
                return False

        wait_for(answers)
    assert {type(each) for each in errors} <= {UnavailableError}, errors


def test_a_server_that_was_away_for_long_is_reached_as_soon_as_it_is_back(own: OwnServer, schema: str) -> None:
    with connect(own.url(schema), connect_timeout=2) as store:
        assert store.head() == 1
        own.stop("immediate")
        for _ in range(3):
            with pytest.raises(UnavailableError):
                store.head()
        own.start()
        assert store.head() == 1


def stopping_before(own: OwnServer, call: Callable[..., object]) -> Callable[..., object]:
    """The call, before the first of which the server stops and starts."""
    stopped: list[bool] = []

    def called(*what: object) -> object:
        if not stopped:
            stopped.append(True)
            own.restart("immediate")
        return call(*what)

    return called


def test_a_read_through_a_pooler_does_not_show_what_a_stop_has_taken_since(
    own: OwnServer, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_procedures.without_the_barrier_of_writers(own, schema)
    with pgbouncer(own) as pooler, connect(own.url(schema)) as writer, connect(pooler.url(schema)) as reader:
        assert [event.version for event in reader.read("Order-1")] == [1]
        writer.append("Order-1", [an_event()])
        monkeypatch.setattr(session, "wait_for_flush", stopping_before(own, session.wait_for_flush))
        shown = [event.version for event in reader.read("Order-1")]
        assert shown == [version for (version,) in own.execute(f"SELECT version FROM {schema}.events")]


def test_an_append_whose_try_again_finds_it_stored_and_the_store_gone_tells_its_ids(
    own: OwnServer, schema: str
) -> None:
    changed_procedures.with_a_gate(own, schema)
    gate = changed_procedures.Gate(own)
    with connect(own.url(schema), pool_size=1) as store, ThreadPoolExecutor(1) as pool:
        adapter = store._adapter
        held, get = [], adapter.get

        def gone(ids: list[str]) -> object:
            held.extend(ids)
            own.stop("immediate")
            return get(ids)

        adapter.get = gone
        gate.shut()
        appended = pool.submit(store.append, "Order-1", [an_event()])
        wait_for(lambda: gate.before() == 1)
        own.execute(ENDED)
        gate.open()
        error = appended.exception(PATIENCE)
    assert isinstance(error, AppendOutcomeUnknownError), repr(error)
    assert list(error.ids) == held


def test_an_append_over_which_the_server_panics_is_not_refused(own: OwnServer, schema: str) -> None:
    """Its events are on the disk, and the server dies because it cannot begin another file of its log."""
    changed_procedures.with_a_gate(own, schema)
    gate = changed_procedures.Gate(own)
    log = own.folder / "data" / "pg_wal"
    with connect(own.url(schema), pool_size=1) as store, ThreadPoolExecutor(1) as pool:
        gate.shut()
        appended = pool.submit(store.append, "Order-1", [an_event()])
        wait_for(lambda: gate.before() == 1)
        while own.execute("SELECT max(name) > pg_walfile_name(pg_switch_wal()) FROM pg_ls_waldir()") == [(True,)]:
            continue
        log.chmod(0o500)
        try:
            own.execute("SELECT pg_logical_emit_message(false, '', '')")  # so that there is something to flush
            gate.open()
            wait_for(lambda: not own.running)
        finally:
            log.chmod(0o700)
        own.start()
        assert [event.version for event in appended.result(PATIENCE)] == [2]
        assert [event.version for event in store.read("Order-1")] == [1, 2]


def test_a_thread_that_was_about_to_ask_a_store_makes_no_connection_once_it_is_closed(
    own: OwnServer, schema: str
) -> None:
    store = connect(own.url(schema), pool_size=1)
    assert store.head() == 1
    store.close()
    with pytest.raises(StoreClosedError), store._adapter._connections.connection() as connection:
        connection.close()
