"""Appending again with the same ids: nothing is stored twice, and nothing else passes for the same."""

from __future__ import annotations

import pytest

from evstore import (
    NO_STREAM,
    STREAM_EXISTS,
    ConcurrencyError,
    EventData,
    EventIdConflictError,
    Metadata,
    connect,
)
from tests.support.sentences import names

pytestmark = pytest.mark.sqlite_too("what is stored already is found by the statements of a database")


def an_id(number):
    return f"0198e5c4-7a2b-7c3d-8e4f-{number:012x}"


def event(number, data='{"n": 1}', type="Placed", **metadata):
    return EventData.from_json(type, data, Metadata(**metadata), an_id(number))


@pytest.fixture
def first(store):
    """Three events of a stream, with others around them."""
    store.append("Order-1", [event(90)])
    return store.append("Order-1", [event(1), event(2), event(3)], expected_version=1)


@pytest.fixture
def unchanged(store, first):
    """Checks at the end that the store is as it was."""
    before = list(store.replay())
    yield before
    assert list(store.replay()) == before
    assert store.info().head == len(before)


@pytest.mark.parametrize("expected", [-1, NO_STREAM, STREAM_EXISTS, 1, 4, 77])
def test_a_retry_returns_the_events_as_first_stored_whatever_version_is_expected(
    store, first, unchanged, expected
):
    again = store.append("Order-1", [event(1), event(2), event(3)], expected_version=expected)
    assert again == first
    assert again.duplicate


def test_a_retry_is_known_after_the_stream_has_grown_and_in_another_opening(tmp_path):
    url = f"sqlite:{tmp_path}/events.db"
    with connect(url) as store:
        store.initialize()
        first = store.append("Order-1", [event(1)], expected_version=NO_STREAM)
        store.append("Order-1", [event(2)])
    with connect(url) as store:
        again = store.append("Order-1", [event(1)], expected_version=NO_STREAM)
    assert (again, again.duplicate, first.duplicate) == (first, True, False)


@pytest.mark.parametrize(("start", "end"), [(1, 2), (1, 3), (2, 4), (3, 4), (2, 3)])
def test_part_of_an_earlier_append_is_a_retry_too(store, first, unchanged, start, end):
    again = store.append("Order-1", [event(number) for number in range(start, end)])
    assert again == first[start - 1 : end - 1]
    assert again.duplicate


def test_events_of_two_appends_that_stand_together_are_a_retry(store, first, unchanged):
    again = store.append("Order-1", [event(90), event(1), event(2)])
    assert [each.version for each in again] == [1, 2, 3]


@pytest.mark.parametrize("data", ['{"n":1}', '{ "n" : 1 }', '{\n  "n": 1\n}', '  {"n": 1}\r\n'])
def test_white_space_between_tokens_is_no_difference(store, first, unchanged, data):
    again = store.append("Order-1", [event(1, data), event(2, data)])
    assert again == first[:2]
    assert again[0].data_json == '{"n": 1}'


def test_metadata_stays_as_first_stored(store):
    first = store.append("Order-1", [event(1, correlation_id="first", custom={"k": "v"})])
    again = store.append("Order-1", [event(1, correlation_id="second")], metadata=Metadata(user_id="u"))
    assert again.duplicate
    assert again[0].metadata == first[0].metadata == Metadata("first", custom={"k": "v"})
    assert list(store.read("Order-1")) == first


def test_an_id_is_taken_in_upper_case_and_stored_in_lower_case(store):
    upper = "0198E5C4-7A2B-7C3D-8E4F-00000000ABCD"
    first = store.append("Order-1", [EventData("Placed", 1, id=upper)])
    assert first[0].id == upper.lower()
    assert store.get(upper) == store.get(upper.lower()) == first[0]
    assert store.append("Order-1", [EventData("Placed", 1, id=upper.lower())]).duplicate
    assert store.append("Order-1", [EventData("Placed", 1, id=upper)]).duplicate


CONFLICTS = {
    "other data": ([event(1), event(2, '{"n": 2}'), event(3)], 2),
    "the same number spelt otherwise": ([event(1, '{"n": 1.0}')], 1),
    "another type": ([event(1, type="Shipped")], 1),
    "another order": ([event(2), event(1), event(3)], 1),
    "a gap": ([event(1), event(3)], 3),
    "only some are stored": ([event(1), event(2), event(3), event(4)], 1),
    "only the last is stored": ([event(4), event(1)], 1),
    "a new one between": ([event(1), event(4), event(2)], 1),
    "one without an id more": ([event(1), EventData("Placed", 1)], 1),
}


@pytest.mark.parametrize(("events", "about"), CONFLICTS.values(), ids=CONFLICTS)
@pytest.mark.parametrize("expected", [-1, 4])
def test_what_is_not_the_same_append_is_a_conflict_and_writes_nothing(
    store, first, unchanged, events, about, expected
):
    with pytest.raises(EventIdConflictError) as raised:
        store.append("Order-1", events, expected_version=expected)
    assert raised.value.event_id == an_id(about)


@pytest.mark.parametrize("stream_id", ["Order-2", "order-1", "Order"])
def test_an_id_in_another_stream_is_a_conflict_and_writes_nothing(store, first, unchanged, stream_id):
    with pytest.raises(EventIdConflictError) as raised:
        store.append(stream_id, [event(1)])
    assert names(raised.value, '"Order-1"')
    with pytest.raises(EventIdConflictError):
        store.append(stream_id, [event(7), event(1)])
    assert list(store.read(stream_id)) == []


def test_an_append_that_was_refused_left_its_ids_free(store, first):
    with pytest.raises(ConcurrencyError):
        store.append("Order-1", [event(7)], expected_version=77)
    assert not store.append("Order-1", [event(7)], expected_version=4).duplicate


def test_more_events_than_a_page_are_known_again(store):
    events = [event(number) for number in range(2500)]
    first = store.append("Order-1", events)
    again = store.append("Order-1", events)
    assert (again, again.duplicate) == (first, True)
    with pytest.raises(EventIdConflictError) as raised:
        store.append("Order-1", [*events[:2400], *events[2401:]])
    assert raised.value.event_id == events[2401].id  # which does not follow events[2399]


def test_long_events_are_known_again_and_looked_up_all_at_once(store):
    events = [event(n, f'"{n}{"x" * (1 << 20)}"') for n in range(6)]
    first = store.append("Order-1", events)
    again = store.append("Order-1", events)
    assert (again, again.duplicate) == (first, True)
    assert list(store.get_many(each.id for each in events).values()) == first


# --- several streams ---


WRITES = [
    ("Order-1", [event(1), event(2)], 0),
    ("User-1", [event(3)], 0),
    ("Order-1", [event(4)], 2),
]


def test_an_append_to_several_streams_is_one_unit_for_retries(store):
    first = store.append_many(WRITES)
    store.append("Order-1", [event(5)])
    again = store.append_many(WRITES)
    assert (again, again.duplicate, first.duplicate) == (first, True, False)
    assert store.info().head == 5


@pytest.mark.parametrize("stored", [WRITES[:1], WRITES[:2], WRITES[1:2]])
def test_of_several_streams_all_is_stored_or_none_of_it(store, stored):
    store.append_many(stored)
    before = list(store.replay())
    with pytest.raises(EventIdConflictError) as raised:
        store.append_many(WRITES)
    assert raised.value.event_id in {each.id for each in before}
    assert list(store.replay()) == before


@pytest.mark.parametrize(
    "changed",
    [
        [WRITES[2], WRITES[1], WRITES[0]],
        [("Order-1", [event(1), event(2)], 0), ("User-2", [event(3)], 0), WRITES[2]],
        [("Order-1", [event(1), event(2)], 0), ("User-1", [event(3, "{}")], 0), WRITES[2]],
        [("Order-1", [event(1), event(4)], 0), ("User-1", [event(3)], 0)],
        [("User-1", [event(1), event(2)], 0)],
    ],
    ids=["the other order", "another stream", "other data", "a gap within a write", "wrong stream"],
)
def test_of_several_streams_whatever_is_not_the_same_is_a_conflict(store, changed):
    store.append_many(WRITES)
    before = list(store.replay())
    with pytest.raises(EventIdConflictError):
        store.append_many(changed)
    assert list(store.replay()) == before


def test_of_several_units_in_one_commit_each_is_judged_alone(store):
    units = [
        store.appender.unit([("Order-1", [event(1)], NO_STREAM)]),
        store.appender.unit([("Order-1", [event(1)], NO_STREAM)]),
        store.appender.unit([("Order-1", [event(2)], NO_STREAM)]),
        store.appender.unit([("Order-1", [event(1), event(3)], -1)]),
        store.appender.unit([("Order-1", [event(4)], 1)]),
    ]
    receipt, duplicate, conflict, partly, last = store.appender.submit(units)
    stored = list(store.replay())
    assert [each.id for each in stored] == [an_id(1), an_id(4)]
    assert (receipt.first_position, receipt.size, last.first_position) == (1, 1, 2)
    assert duplicate == (stored[0], stored[0], 1, True)
    assert (type(conflict), conflict.args) == (ConcurrencyError, ("Order-1", 0, 1))
    assert (type(partly), partly.event_id) == (EventIdConflictError, an_id(1))
