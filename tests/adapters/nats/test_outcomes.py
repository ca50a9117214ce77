"""Answers that are lost, servers that go away, and batches that lose their race."""

from __future__ import annotations

from contextlib import closing
from threading import Thread

import pytest

from evstore import EventData, connect
from evstore.adapters.nats import connect as adapter_of
from evstore.errors import AppendOutcomeUnknownError, UnavailableError
from evstore.port import AlreadyStored
from evstore.testing.asking import ANYTHING, WHOLE, answer, log
from evstore.testing.builders import an_append
from tests.support.nats_servers import NatsServer, Proxy


@pytest.fixture
def proxy(nats_server):
    made = Proxy(nats_server)
    yield made
    made.close()


def test_an_append_whose_answer_was_lost_is_stored_once_and_found_by_its_ids(proxy):
    with closing(adapter_of(proxy.place(), timeout=20)) as adapter:
        adapter.initialize()
        answer(adapter, an_append())
        unit = an_append("Order-1", 3)
        proxy.cuts = 1
        outcome = answer(adapter, unit)
        assert proxy.cuts == 0
        assert outcome == AlreadyStored([*unit.ids()], after_lost_answer=True)
        assert [event.id for event in log(adapter)][1:] == [*unit.ids()]


def test_whoever_appends_in_python_gets_a_receipt_all_the_same(proxy):
    with connect(proxy.place(), timeout=20) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", 1)])
        proxy.cuts = 2
        found = store.append("Order-1", [EventData("Paid", 2)])
        assert (found[0].version, found.duplicate) == (2, False)
        assert [event.type for event in store.read("Order-1")] == ["Placed", "Paid"]


def test_the_outcome_is_unknown_if_the_servers_stay_away_after_an_answer_was_lost():
    server = NatsServer()
    proxy = Proxy(server)
    try:
        with closing(adapter_of(proxy.place(), timeout=2)) as adapter:
            adapter.initialize()
            answer(adapter, an_append())
            proxy.cuts, proxy.stays_cut = 1, True
            unit = an_append("Order-1", 2)
            with pytest.raises(AppendOutcomeUnknownError) as raised:
                answer(adapter, unit)
            assert raised.value.ids == (*unit.ids(),)
            proxy.open()
            assert isinstance(answer(adapter, unit), AlreadyStored)
    finally:
        proxy.close()
        server.close()


def test_calls_wait_while_a_server_restarts():
    server = NatsServer()
    try:
        with closing(adapter_of(server.place(), timeout=30)) as adapter:
            adapter.initialize()
            answer(adapter, an_append("Order-1"))
            server.kill()
            restart = Thread(target=server.start)
            restart.start()
            assert len(adapter.read_stream("Order-1", WHOLE, ANYTHING)) == 1
            restart.join()
            server.kill()
            restart = Thread(target=server.start)
            restart.start()
            answer(adapter, an_append("Order-1"))
            restart.join()
            assert [event.version for event in log(adapter)] == [1, 2]
    finally:
        server.close()


def test_a_server_that_is_not_there_is_unavailable():
    with closing(adapter_of("nats://127.0.0.1:1/evstore", timeout=2)) as adapter:
        with pytest.raises(UnavailableError) as raised:
            adapter.head(0, 0)
    assert raised.value.retryable
