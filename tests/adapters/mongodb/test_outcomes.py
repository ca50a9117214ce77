"""Appends whose answer is lost, whose server stops, or that others come before."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from evstore.adapters.mongodb import connect as adapter_of
from evstore.errors import AppendOutcomeUnknownError, StoreBusyError, UnavailableError
from evstore.port import AlreadyStored, Receipt
from evstore.testing.asking import accepted, answer, log
from evstore.testing.builders import an_append
from tests.support.mongo_servers import Proxy, an_own_server

AN_INSERT = b"\x02insert\x00\x06\x00\x00\x00units\x00"


@pytest.fixture(scope="module")
def own():
    made = an_own_server()
    yield made
    made.close()


@pytest.fixture
def proxy(own):
    made = Proxy(own, AN_INSERT)
    yield made
    made.close()
    own.drop_places()


@pytest.mark.parametrize("cuts", [1, 3])
def test_an_append_whose_answer_is_lost_is_stored_once(proxy, cuts):
    with closing(adapter_of(proxy.place())) as adapter:
        adapter.initialize()
        accepted(adapter, an_append("Order-1"))
        proxy.cuts = cuts
        unit = an_append("Order-1", 2, 1)
        outcome = answer(adapter, unit)
        assert proxy.cuts == 0
        assert isinstance(outcome, Receipt)
        assert (outcome.first_position, outcome.first_versions) == (2, [2])
        assert [event.id for event in log(adapter)[1:]] == [*unit.ids()]
        assert answer(adapter, unit) == AlreadyStored([*unit.ids()])


def test_an_append_whose_every_answer_is_lost_says_that_its_outcome_is_unknown(proxy, own):
    url = proxy.place()
    with closing(adapter_of(url.replace(str(proxy.port), str(own.port)))) as other:
        other.initialize()
        with closing(adapter_of(url, timeout=1.0)) as adapter:
            adapter.head(0, 0)
            proxy.cuts = 10**6
            unit = an_append("Order-1")
            with pytest.raises(AppendOutcomeUnknownError) as raised:
                answer(adapter, unit)
            assert [*raised.value.ids] == [*unit.ids()]
        assert answer(other, unit) == AlreadyStored([*unit.ids()])


def test_an_append_waits_for_a_server_that_starts_again(own):
    with closing(adapter_of(own.place())) as adapter:
        adapter.initialize()
        accepted(adapter, an_append("Order-1"))
        own.kill()
        starter = threading.Timer(0.5, own.start)
        starter.start()
        outcome = answer(adapter, an_append("Order-1", 1, 1))
        starter.join()
        assert isinstance(outcome, Receipt)
        assert [event.version for event in log(adapter)] == [1, 2]


def test_without_a_server_nothing_is_stored_and_that_is_told_after_the_timeout():
    with closing(adapter_of("mongodb://127.0.0.1:1/shop", timeout=0.3)) as adapter:
        begin = time.monotonic()
        with pytest.raises(UnavailableError) as raised:
            answer(adapter, an_append())
        assert not isinstance(raised.value, AppendOutcomeUnknownError)
        assert raised.value.retryable
        assert time.monotonic() - begin < 5


def test_an_append_that_others_always_come_before_is_busy(own):
    url = own.place()
    with closing(adapter_of(url, timeout=0.2)) as adapter, closing(adapter_of(url)) as other:
        adapter.initialize()
        writing = adapter._writing
        stored = writing._stored
        begun = time.monotonic()

        def late(unit, draft, place):
            accepted(other, an_append("Order-2"))
            return stored(unit, draft, place)

        writing._stored = late
        with pytest.raises(StoreBusyError):
            answer(adapter, an_append("Order-1"))
        assert time.monotonic() - begun < 10
        assert {event.stream_id for event in log(other)} == {"Order-2"}
    own.drop_places()
