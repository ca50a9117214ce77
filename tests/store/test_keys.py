"""A caller's key makes the ids of an append, so that a retry is known without an id of its own."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evstore import ConcurrencyError, EventData, EventIdConflictError, InvalidInputError, connect
from evstore.model.ids import key_id

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def events(*numbers):
    return [EventData("Placed", number) for number in numbers]


def test_the_id_of_a_key_is_a_uuid_5_that_never_changes():
    """Another id would make a retry across versions of evstore store twice."""
    assert key_id("Order-1", "invoice-7", 1) == "e9256b9e-fda6-56c5-a3b4-2a6dc41c72d5"
    assert key_id("Order-é", "😀", 2) == "26b986b4-9aa8-59b8-b1e5-fb04aa75e03a"
    assert UUID(key_id("Order-1", "invoice-7", 1)).version == 5


# Digits and colons, out of which one pair could be made to look like another.
TRICKY = st.text("1:2-é", min_size=1, max_size=5)
PLACES = st.tuples(TRICKY, TRICKY, st.integers(1, 12))


@given(PLACES, PLACES)
@settings(deadline=None, max_examples=150, print_blob=True)
def test_another_stream_key_or_place_makes_another_id(one, other):
    assume(one != other)
    assert key_id(*one) != key_id(*other)


@pytest.mark.parametrize("key", ["", None, 5, b"k", "a\ud800"], ids=ascii)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(InvalidInputError):
        key_id("Order-1", key, 1)
    assert key_id("Order-1", "k", 1)  # it is the key


@pytest.mark.parametrize("key", ["", 5, "a\ud800"], ids=ascii)
def test_an_append_with_what_is_no_key_is_refused_and_writes_nothing(store, key):
    with pytest.raises(InvalidInputError) as raised:
        store.append("Order-1", events(1), key=key)
    with pytest.raises(InvalidInputError) as refused:
        key_id("Order-1", key, 1)
    assert str(raised.value) == str(refused.value)
    assert list(store.replay()) == []


def test_an_append_with_the_same_key_is_a_retry(store):
    first = store.append("Order-1", events(1, 2), 0, key="invoice-7")
    again = store.append("Order-1", events(1, 2), 0, key="invoice-7")
    assert (again, again.duplicate, first.duplicate) == (first, True, False)
    assert [event.id for event in first] == [key_id("Order-1", "invoice-7", place) for place in (1, 2)]


def test_a_key_that_was_used_for_something_else_is_a_conflict(store):
    store.append("Order-1", events(1, 2), key="invoice-7")
    for changed in (events(1, 3), events(2, 1), events(1, 2, 3)):
        with pytest.raises(EventIdConflictError):
            store.append("Order-1", changed, key="invoice-7")
    assert store.info().head == 2


def test_the_same_key_in_another_stream_is_another_append(store):
    store.append("Order-1", events(1), key="invoice-7")
    assert not store.append("Order-2", events(1), key="invoice-7").duplicate


def test_another_key_is_another_append(store):
    store.append("Order-1", events(1), key="invoice-7")
    with pytest.raises(ConcurrencyError):
        store.append("Order-1", events(1), 0, key="invoice-8")
    assert not store.append("Order-1", events(1), key="invoice-8").duplicate


def test_an_event_that_brings_its_id_keeps_it_and_its_place_counts(store):
    given_events = [EventData("Placed", 1, id=ID), *events(2)]
    stored = store.append("Order-1", given_events, key="k")
    assert [event.id for event in stored] == [ID, key_id("Order-1", "k", 2)]
    assert store.append("Order-1", given_events, key="k").duplicate


def test_one_key_serves_an_append_to_several_streams(store):
    writes = [("Order-1", events(1, 2), -1), ("User-1", events(3), -1), ("Order-1", events(4), -1)]
    first = store.append_many(writes, key="k")
    assert len({event.id for event in first}) == 4
    again = store.append_many(writes, key="k")
    assert (again, again.duplicate) == (first, True)


def test_without_a_key_an_append_is_new_each_time():
    store = connect("memory:")
    assert [store.append("Order-1", events(1)).duplicate for _ in range(2)] == [False, False]
