"""Following in pages: the events, and how far a cursor may move with them."""

from __future__ import annotations

import pytest

from evstore import EventData, IncompleteLogError
from evstore.adapters.memory import MemoryAdapter
from evstore.model.filters import Filter
from evstore.reading.following import Patience, follow_log, follow_stream
from evstore.reading.pages import FIRST_PAGE
from evstore.store import EventStore

NOW = Patience(quiet=0.0)
ORDERS = Filter(categories=("Order",))


@pytest.fixture
def adapter():
    return MemoryAdapter()


def append(adapter, stream_id, count=1):
    EventStore(adapter).append(stream_id, [EventData("Placed", n) for n in range(count)])


def seen(pages):
    return [([event.global_position for event in events], cursor) for events, cursor in pages]


def test_what_a_filter_passes_over_is_seen_as_well(adapter):
    append(adapter, "User-1", 3)
    assert seen(follow_log(adapter, ORDERS, 0, NOW)) == [([], 3)]


def test_the_cursor_moves_to_the_head_after_the_last_event_that_matches(adapter):
    append(adapter, "Order-1", 2)
    append(adapter, "User-1", 3)
    assert seen(follow_log(adapter, ORDERS, 0, NOW)) == [([1, 2], 2), ([], 5)]


def test_without_a_filter_no_page_is_empty(adapter):
    append(adapter, "Order-1", FIRST_PAGE + 1)
    pages = seen(follow_log(adapter, Filter(), 0, NOW))
    assert [cursor for _, cursor in pages] == [FIRST_PAGE, FIRST_PAGE + 1]
    assert all(events for events, _ in pages)


def test_nothing_new_moves_no_cursor(adapter):
    append(adapter, "Order-1", 2)
    assert seen(follow_log(adapter, ORDERS, 2, NOW)) == []
    assert seen(follow_log(adapter, ORDERS, 7, NOW)) == []


def test_the_cursor_of_a_stream_is_the_version_of_its_last_event(adapter):
    append(adapter, "User-1", 3)
    append(adapter, "Order-1", 2)
    assert seen(follow_stream(adapter, "Order-1", Filter(), 0, NOW)) == [([4, 5], 2)]
    assert seen(follow_stream(adapter, "Order-1", Filter(), 2, NOW)) == []


class Incomplete(MemoryAdapter):
    """An adapter that cannot show its log, for so many tries."""

    tries = 3

    def read_all(self, page, where):
        if self.tries:
            self.tries -= 1
            raise IncompleteLogError("memory:", 2, "stream name")
        return super().read_all(page, where)


def test_a_follower_waits_for_what_is_missing_and_passes_over_nothing(monkeypatch):
    monkeypatch.setattr("evstore.reading.following.time.sleep", lambda _: None)
    adapter = Incomplete()
    append(adapter, "Order-1", 3)
    reasons = []
    patience = Patience(quiet=5.0, on_wait=reasons.append)
    assert next(follow_log(adapter, Filter(), 0, patience))[1] == 3
    assert [error.position for error in reasons] == [2]


def test_a_follower_that_ends_while_it_waits_has_moved_no_cursor():
    adapter = Incomplete()
    append(adapter, "Order-1", 3)
    assert seen(follow_log(adapter, Filter(), 0, Patience(quiet=0.0))) == []
