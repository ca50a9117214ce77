"""Subscriptions: the history, then what comes, without a gap or a duplicate between the two."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from evstore import InvalidInputError, Metadata, connect
from evstore.reading.pages import FIRST_PAGE as PAGE
from tests.support.subscriber import PATIENCE, events, following, numbers

pytestmark = pytest.mark.sqlite_too("a database is asked by one connection while others write")

# --- history, then live ---


def test_history_comes_first_and_then_what_is_appended(store):
    store.append("Order-1", events(1, 2, 3))
    with following(store) as found:
        assert numbers(found.take(3)) == [1, 2, 3]
        for n in (4, 5):
            stored = store.append("Order-1", events(n))
            assert found.take(1) == stored
        store.append_many([("User-1", events(6), -1), ("Order-1", events(7), -1)])
        assert numbers(found.take(2)) == [6, 7]


def test_a_subscription_to_an_empty_store_waits_for_its_first_event(store):
    with following(store) as found:
        store.append("Order-1", events(1))
        assert numbers(found.take(1)) == [1]


@pytest.mark.parametrize("attempt", range(3))
def test_between_history_and_live_events_there_is_no_gap_and_no_duplicate(store, attempt):
    """Writers append while subscribers begin, some in the middle of a page."""
    history, live, writers = PAGE + 7, 15, 3
    store.append("Order-1", events(*range(history)))
    start = Barrier(writers + 1)

    def write():
        start.wait(PATIENCE)
        for n in range(live):
            store.append("Order-1", events(n, n))

    threads = [Thread(target=write, daemon=True) for _ in range(writers)]
    for thread in threads:
        thread.start()
    start.wait(PATIENCE)
    everything = history + 2 * live * writers
    with following(store, after=attempt * 100) as found, following(store, stream_id="Order-1") as of_stream:
        positions = [event.global_position for event in found.take(everything - attempt * 100)]
        versions = [event.version for event in of_stream.take(everything)]
        for thread in threads:
            thread.join(PATIENCE)
    assert positions == list(range(attempt * 100 + 1, everything + 1))
    assert versions == list(range(1, everything + 1))


def test_another_process_or_adapter_that_appends_is_seen_too(tmp_path):
    url = f"sqlite:{tmp_path}/events.db"
    with connect(url) as store, connect(url) as other:
        store.initialize()
        other.append("Order-1", events(1))
        with following(store) as found:
            assert numbers(found.take(1)) == [1]
            other.append("Order-1", events(2))
            assert numbers(found.take(1)) == [2]


@pytest.mark.parametrize(("after", "expected"), [(0, [1, 2, 3, 4]), (2, [3, 4]), (3, [4]), (-7, [1, 2, 3, 4])])
def test_after_is_an_exclusive_position_or_version(store, after, expected):
    store.append("Order-1", events(1, 2, 3))
    history = len(expected) - 1
    with following(store, after=after) as found, following(store, stream_id="Order-1", after=after) as of_stream:
        assert numbers(found.take(history)) == numbers(of_stream.take(history)) == expected[:-1]
        store.append("Order-1", events(4))
        assert numbers(found.take(1)) == numbers(of_stream.take(1)) == [4]


def test_after_a_position_beyond_the_end_a_subscription_waits_for_the_one_behind_it(store):
    store.append("Order-1", events(1))
    with following(store, after=3) as found, following(store, stream_id="Order-1", after=3) as of_stream:
        store.append("Order-1", events(2, 3))
        store.append("Order-1", events(4, 5))
        assert numbers(found.take(2)) == numbers(of_stream.take(2)) == [4, 5]


# --- filters ---


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"categories": ["Order"]}, [1, 3, 5]),
        ({"categories": "User"}, [2, 4]),
        ({"categories": ["User", "Order"]}, [1, 2, 3, 4, 5]),
        ({"types": ["Paid"]}, [3, 4]),
        ({"categories": ["Order"], "types": ["Paid"]}, [3]),
        ({"correlation_id": "c"}, [5]),
        ({"stream_id": "Order-1"}, [1, 3]),
        ({"stream_id": "Order-1", "types": ["Paid"]}, [3]),
    ],
    ids=str,
)
def test_a_subscription_is_to_what_was_asked_for_in_history_and_live(store, asked, expected):
    def fill():
        store.append("Order-1", events(1))
        store.append("User-1", events(2))
        store.append_many([("Order-1", events(3, type="Paid"), -1), ("User-1", events(4, type="Paid"), -1)])
        store.append("Order-2", events(5), metadata=Metadata("c"))

    fill()
    with following(store, **asked) as found:
        assert numbers(found.take(len(expected))) == expected
        fill()
        assert numbers(found.take(len(expected))) == expected


def test_a_long_history_that_does_not_match_is_passed_over(store):
    store.append("User-1", events(*range(3 * PAGE)))
    store.append("Order-1", events(1))
    store.append("User-1", events(*range(3 * PAGE)))
    with following(store, "Order") as found:
        assert numbers(found.take(1)) == [1]
        store.append("Order-1", events(2))
        assert numbers(found.take(1)) == [2]


def test_a_stream_that_is_not_there_yet_can_be_subscribed_to(store):
    store.append("Order-1", events(0))
    with following(store, stream_id="User-1") as found:
        store.append("Order-1", events(0))
        store.append("User-1", events(1))
        assert numbers(found.take(1)) == [1]


@pytest.mark.parametrize("filters", [{"categories": ["Order"]}, {"correlation_id": "c"}, {"categories": []}])
def test_a_stream_and_filters_of_the_log_together_are_refused_at_once(store, filters):
    store.subscribe(stream_id="Order-1")
    store.subscribe(**filters)
    with pytest.raises(InvalidInputError):
        store.subscribe(stream_id="Order-1", **filters)
