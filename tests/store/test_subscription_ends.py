"""When a subscription ends, and that it does not end before."""

from __future__ import annotations

from itertools import cycle
from threading import Event
from time import monotonic, sleep

import pytest

from evstore.reading.pages import FIRST_PAGE as PAGE
from tests.support.subscriber import PATIENCE, Following, events, following, numbers

pytestmark = pytest.mark.sqlite_too("a wait in a database is interrupted")


@pytest.mark.parametrize("asked", [{}, {"stream_id": "Order-1"}, {"categories": ["Order"]}], ids=str)
@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_subscription_ends_after_a_quiet_time_with_its_history_given(store, asked, timeout):
    store.append("Order-1", events(*range(PAGE + 1)))
    start = monotonic()
    assert numbers(store.subscribe(**asked, timeout=timeout)) == list(range(PAGE + 1))
    assert timeout <= monotonic() - start < PATIENCE


def test_the_quiet_time_begins_anew_with_each_event(store):
    """What the handler of an event takes of it is not the store's silence."""
    store.append("Order-1", events(0))
    found = []
    for event in store.subscribe(timeout=0.05):
        found.append(event.data)
        if len(found) < 5:
            store.append("Order-1", events(len(found)))
    assert found == [0, 1, 2, 3, 4]


@pytest.fixture
def waits(monkeypatch):
    """How long the store was asked to wait, each time, with waits that last a hundredth of a second at most."""
    monkeypatch.setattr("evstore.reading.following.WAIT_SECONDS", 0.01)

    def spied(store):
        head, asked = store._adapter.head, []
        monkeypatch.setattr(
            store._adapter, "head", lambda beyond, timeout: asked.append(timeout) or head(beyond, timeout)
        )
        return asked

    return spied


@pytest.mark.parametrize("asked", [{}, {"stream_id": "Order-1"}], ids=str)
def test_a_quiet_time_may_be_longer_than_one_wait(store, waits, asked):
    store.append("Order-1", events(1))
    found = waits(store)
    start = monotonic()
    assert numbers(store.subscribe(**asked, timeout=0.1)) == [1]
    assert monotonic() - start >= 0.1
    assert 0 <= max(found) <= 0.01
    # It waits in the store, and does not ask again and again.
    assert len(found) < 20


def test_without_a_timeout_one_wait_follows_the_other(store, waits):
    found = waits(store)
    with following(store) as live:
        while len(found) < 4:
            sleep(0)
        store.append("Order-1", events(1))
        assert numbers(live.take(1)) == [1]


@pytest.mark.parametrize("asked", [{}, {"stream_id": "Order-1"}, {"types": ["Placed"]}], ids=str)
def test_a_subscription_ends_at_its_deadline_also_while_others_append(store, asked):
    """As `--within` must, where the events that come are not those that are waited for."""
    store.append("Order-1", events(0))
    head = store._adapter.head
    kinds = cycle(["Placed", "Paid"])
    give_up = monotonic() + 1.5

    def busy(beyond, timeout):
        if monotonic() < give_up:  # else a subscription that does not end would not let the test end
            store.append("Order-1", events(1, type=next(kinds)))
        return head(beyond, timeout)

    store._adapter.head = busy
    for _ in store.subscribe(**asked, deadline=monotonic() + 0.1):
        pass
    assert monotonic() < give_up


def test_whichever_of_timeout_and_deadline_comes_first_ends_a_subscription(store):
    for asked in (
        {"timeout": 0.02, "deadline": monotonic() + 2 * PATIENCE},
        {"timeout": 2 * PATIENCE, "deadline": 0},
    ):
        start = monotonic()
        assert list(store.subscribe(**asked)) == []
        assert monotonic() - start < PATIENCE


@pytest.mark.parametrize(
    "asked", [{}, {"stream_id": "Order-1"}, {"stream_id": "Missing-1"}, {"categories": ["Missing"]}], ids=str
)
def test_a_subscription_that_waits_ends_when_the_store_is_closed(store, monkeypatch, asked):
    store.append("Order-1", events(1))
    head, waits = store._adapter.head, Event()

    def spy(beyond, timeout):
        if beyond >= 1:
            waits.set()
        return head(beyond, timeout)

    monkeypatch.setattr(store._adapter, "head", spy)
    found = Following(store.subscribe(**asked))
    assert waits.wait(PATIENCE)
    found.take(0 if "Missing" in str(asked) else 1)
    store.close()
    assert found.ended()


@pytest.mark.parametrize("asked", [{}, {"stream_id": "Order-1"}], ids=str)
def test_a_subscription_in_the_middle_of_its_history_ends_when_the_store_is_closed(store, asked):
    store.append("Order-1", events(*range(3 * PAGE)))
    found = []
    for event in store.subscribe(**asked):
        store.close()
        found.append(event.data)
    assert found == list(range(len(found)))
    assert len(found) < 3 * PAGE


def test_a_subscriber_that_stops_reading_leaves_the_store_as_it_is(store):
    store.append("Order-1", events(1, 2))
    subscription = store.subscribe()
    assert next(subscription).data == 1
    subscription.close()
    assert numbers(store.append("Order-1", events(3))) == [3]
    assert numbers(store.subscribe(timeout=0)) == [1, 2, 3]


def test_a_slow_subscriber_loses_nothing(store):
    store.append("Order-1", events(0))
    found = []
    for event in store.subscribe(timeout=0):
        if len(found) < 5:
            store.append("Order-1", events(*range(PAGE)))
        found.append(event.global_position)
    assert found == list(range(1, 5 * PAGE + 2))
