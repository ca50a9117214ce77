"""Appends of several threads that share a batch: each is judged, answered and fails as if it were alone."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from evstore.adapters.nats import connect as adapter_of
from evstore.adapters.nats.sharing import MOST_EVENTS
from evstore.errors import ConcurrencyError
from evstore.port import AlreadyStored, Receipt
from evstore.testing.asking import answer, history, log
from evstore.testing.builders import an_append
from tests.support.nats_servers import NatsServer, Proxy
from tests.support.waiting import PATIENCE, wait_for


class Crowd:
    """Threads that append while the server sleeps: the first is on its way, the others wait for the next batch."""

    def __init__(self, adapter, sleeper, pool):
        self._adapter, self._server, self._pool = adapter, sleeper, pool

    def __enter__(self):
        self._server.pause()
        self.first = self._appends(an_append())
        wait_for(lambda: self._sharing._is_going and not self._sharing._waiting)
        self._joined = 0
        return self

    def __exit__(self, *_):
        self._server.resume()

    def joins(self, unit):
        self._joined += 1
        future = self._appends(unit)
        wait_for(lambda: len(self._sharing._waiting) == self._joined)
        return future

    def _appends(self, unit):
        return self._pool.submit(answer, self._adapter, unit)

    @property
    def _sharing(self):
        return self._adapter._loops._own.parts.writing.sharing


@pytest.fixture(scope="module")
def sleeper():
    made = NatsServer()
    yield made
    made.close()


@pytest.fixture
def adapter(sleeper):
    with closing(adapter_of(sleeper.place())) as made:
        made.initialize()
        answer(made, an_append("First-1"))
        yield made


@pytest.fixture
def crowd(adapter, sleeper):
    with ThreadPoolExecutor(32) as pool:
        yield Crowd(adapter, sleeper, pool)


def _outcomes(futures):
    return [each.result(PATIENCE) for each in futures]


def _batches(sleeper, adapter):
    """The batch of each event, by position."""
    name = adapter._location.name
    found = []
    for event in log(adapter):
        message = sleeper.ask(f"STREAM.MSG.GET.{name}", {"seq": 2 * event.global_position - 1})["message"]
        lines = base64.b64decode(message["hdrs"]).decode().split("\r\n")
        found.append(next(line for line in lines if line.startswith("Nats-Batch-Id")))
    return found


def test_appends_that_come_while_others_are_stored_share_a_batch(crowd, adapter, sleeper):
    with crowd:
        joined = [crowd.joins(an_append(f"Order-{n % 3}", n % 2 + 1)) for n in range(9)]
    outcomes = _outcomes([crowd.first, *joined])
    assert all(isinstance(each, Receipt) for each in outcomes)
    assert len({*_batches(sleeper, adapter)[2:]}) == 1
    for n in range(3):
        stored = sum(each % 2 + 1 for each in range(n, 9, 3))
        assert [event.version for event in history(adapter, f"Order-{n}")] == [*range(1, stored + 1)]
    for outcome in outcomes:
        event = log(adapter)[outcome.first_position - 1]
        assert (event.global_position, event.version) == (outcome.first_position, outcome.first_versions[0])


def test_each_append_gets_its_own_refusal(crowd, adapter):
    stored = an_append("Order-1", 2)
    answer(adapter, stored)
    with crowd:
        joined = [
            crowd.joins(each)
            for each in (an_append("Order-1"), an_append("Order-1", 1, 2), stored, an_append("Order-1", 1, 3))
        ]
    first, late, again, last = _outcomes(joined)
    assert isinstance(first, Receipt)
    assert isinstance(late, ConcurrencyError)
    assert (late.expected, late.actual) == (2, 3)
    assert again == AlreadyStored([*stored.ids()])
    assert isinstance(last, Receipt)
    assert [event.version for event in history(adapter, "Order-1")] == [1, 2, 3, 4]


def test_another_process_that_writes_to_one_stream_hinders_no_other(crowd, adapter, sleeper):
    answer(adapter, an_append("Order-1"))
    with closing(adapter_of(adapter.location)) as other:
        answer(other, an_append("Order-1"))  # so that the guess of the first adapter is wrong
    with crowd:
        joined = [crowd.joins(an_append(f"Order-{n}")) for n in range(1, 5)]
    assert all(isinstance(each, Receipt) for each in _outcomes(joined))
    assert [event.version for event in history(adapter, "Order-1")] == [1, 2, 3]


def test_no_more_events_share_a_batch_than_it_takes(crowd, adapter, sleeper):
    with crowd:
        joined = [crowd.joins(an_append(f"Order-{n}", MOST_EVENTS // 2)) for n in range(3)]
    assert all(isinstance(each, Receipt) for each in _outcomes([crowd.first, *joined]))
    assert len({*_batches(sleeper, adapter)[2:]}) == 2


def test_what_was_in_a_batch_whose_answer_was_lost_is_stored_once(sleeper):
    proxy = Proxy(sleeper)
    try:
        with closing(adapter_of(proxy.place(), timeout=20)) as adapter, ThreadPoolExecutor(8) as pool:
            adapter.initialize()
            answer(adapter, an_append("First-1"))
            units = [an_append(f"Order-{n}", 2) for n in range(4)]
            with Crowd(adapter, sleeper, pool) as crowd:
                joined = [crowd.joins(unit) for unit in units]
                proxy.cuts = 1
            outcomes = _outcomes([crowd.first, *joined])
            assert all(isinstance(each, Receipt | AlreadyStored) for each in outcomes)
            assert any(isinstance(each, AlreadyStored) and each.after_lost_answer for each in outcomes)
            assert len(log(adapter)) == 2 + 8
    finally:
        proxy.close()
