"""Appending to one stream and to several: all or nothing, in order, with metadata filled up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from evstore import (
    ANY_VERSION,
    NO_STREAM,
    STREAM_EXISTS,
    ConcurrencyError,
    EventData,
    Metadata,
    StreamNotFoundError,
    Write,
)
from tests.support.odd_names import NFC, NFD, ODD_BUT_FINE


def events(*numbers, type="Placed"):
    return [EventData(type, number) for number in numbers]


def numbers(stored):
    return [event.data for event in stored]


# --- one stream ---


def test_versions_count_from_one_within_a_stream_and_positions_over_all(store):
    for stream_id in ("Order-1", "Order-2", "Order-1", "User-1"):
        store.append(stream_id, events(1, 2))
    assert [(event.stream_id, event.version, event.global_position) for event in store.replay()] == [
        *(("Order-1", 1, 1), ("Order-1", 2, 2), ("Order-2", 1, 3), ("Order-2", 2, 4)),
        *(("Order-1", 3, 5), ("Order-1", 4, 6), ("User-1", 1, 7), ("User-1", 2, 8)),
    ]


@pytest.mark.parametrize(
    ("expected", "at_0", "at_2"),
    [
        (ANY_VERSION, True, True),
        (NO_STREAM, True, False),
        (STREAM_EXISTS, False, True),
        (2, False, True),
        (1, False, False),
    ],
)
def test_an_expectation_is_judged_by_the_version_that_the_stream_has(store, expected, at_0, at_2):
    for stream_id, met in (("New-1", at_0), ("Old-1", at_2)):
        if stream_id == "Old-1":
            store.append(stream_id, events(1, 2))
        if met:
            store.append(stream_id, events(3), expected_version=expected)
        else:
            with pytest.raises((ConcurrencyError, StreamNotFoundError)):
                store.append(stream_id, events(3), expected_version=expected)
        versions = [event.version for event in store.read(stream_id)]
        assert versions == list(range(1, len(versions) + 1))
        assert len(versions) == (2 if stream_id == "Old-1" else 0) + met


@pytest.mark.parametrize(
    "given",
    [list, tuple, iter, lambda found: (each for each in found)],
    ids=["list", "tuple", "iterator", "generator"],
)
def test_events_may_come_in_anything_that_gives_them_in_order(store, given):
    assert numbers(store.append("Order-1", given(events(3, 1, 2)))) == [3, 1, 2]
    assert numbers(store.append_many(given([("Order-2", given(events(3, 1, 2)), 0)]))) == [3, 1, 2]


def test_a_stream_id_and_a_type_come_back_as_they_were_given(store):
    for name in ODD_BUT_FINE:
        store.append(name, [EventData(name, {})])
    assert [(event.stream_id, event.type) for event in store.replay()] == [(name, name) for name in ODD_BUT_FINE]
    assert [[event.type for event in store.read(name)] for name in ODD_BUT_FINE] == [
        [name] for name in ODD_BUT_FINE
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order-1", "order-1"),
        ("we_ird-1", "weXird-1"),
        ("100%-1", "100x-1"),
        (NFC, NFD),
        ("Order-1", "Order-1 "),
        ("ß-1", "ss-1"),
    ],
    ids=ascii,
)
def test_streams_whose_names_look_alike_are_two(store, one, other):
    store.append(one, events(1))
    assert list(store.read(other)) == []
    store.append(other, events(2), expected_version=NO_STREAM)
    assert (numbers(store.read(one)), numbers(store.read(other))) == ([1], [2])


def test_all_events_of_an_append_share_one_time(store):
    stored = store.append_many([("Order-1", events(*range(50)), -1), ("User-1", events(*range(50)), -1)])
    assert len({event.timestamp_us for event in stored}) == 1


def test_ids_that_evstore_makes_are_new_and_in_order(store):
    ids = [event.id for _ in range(3) for event in store.append("Order-1", events(1, 2, 3))]
    assert len({*ids}) == 9
    assert all(one < other for one, other in pairwise(ids))
    assert all(each == each.lower() and len(each) == 36 and each[14] == "7" for each in ids)


# --- metadata ---


def test_metadata_of_an_append_is_the_default_of_each_of_its_events(store):
    default = Metadata("c", "d", custom={"k": "default", "only": "default"})
    own = Metadata(causation_id="own", user_id="own", custom={"k": "own"})
    stored = store.append("Order-1", [EventData("Placed", 1), EventData("Placed", 2, own)], metadata=default)
    filled = Metadata("c", "own", "own", custom={"k": "own", "only": "default"})
    assert [event.metadata for event in stored] == [default, filled]
    assert [event.metadata for event in store.read("Order-1")] == [default, filled]


def test_metadata_of_an_append_to_several_streams_goes_to_all_of_them(store):
    store.append_many([("Order-1", events(1), -1), ("User-1", events(2), -1)], metadata=Metadata("c"))
    assert [event.metadata.correlation_id for event in store.replay()] == ["c", "c"]


def test_an_empty_field_of_an_event_is_a_gap_that_the_default_fills(store):
    own = Metadata(correlation_id="", user_id=None, custom={"k": ""})
    stored = store.append(
        "Order-1", [EventData("Placed", 1, own)], metadata=Metadata("c", user_id="u", custom={"k": "v"})
    )
    assert stored[0].metadata == Metadata("c", user_id="u", custom={"k": ""})


def test_a_default_changes_neither_the_event_nor_itself(store):
    event, default = EventData("Placed", 1, Metadata("own")), Metadata(user_id="u", custom={"k": "v"})
    store.append("Order-1", [event], metadata=default)
    assert (event.metadata, event.id, default) == (Metadata("own"), None, Metadata(user_id="u", custom={"k": "v"}))
    assert store.append("Order-2", [event])[0].metadata == Metadata("own")


# --- several streams ---


def test_several_streams_are_stored_contiguous_in_the_order_given(store):
    store.append("Before-1", events(0))
    stored = store.append_many(
        [
            ("B-1", events(1, 2), NO_STREAM),
            Write("A-1", events(3)),
            ("B-1", events(4), 2),
            ("C-1", events(5, 6), ANY_VERSION),
        ]
    )
    assert numbers(stored) == [1, 2, 3, 4, 5, 6]
    assert [event.global_position for event in stored] == [2, 3, 4, 5, 6, 7]
    assert [(event.stream_id, event.version) for event in stored] == [
        *(("B-1", 1), ("B-1", 2), ("A-1", 1), ("B-1", 3), ("C-1", 1), ("C-1", 2)),
    ]
    assert list(store.replay(after=1)) == stored


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (1, None),
        (ANY_VERSION, None),
        (STREAM_EXISTS, None),
        (NO_STREAM, ConcurrencyError("Order-1", 0, 1)),
        (2, ConcurrencyError("Order-1", 2, 1)),
    ],
)
def test_an_expectation_of_a_stream_that_comes_twice_is_judged_where_it_stands(store, second, outcome):
    writes = [("Order-1", events(1), NO_STREAM), ("User-1", events(2), NO_STREAM), ("Order-1", events(3), second)]
    if outcome is None:
        assert [event.version for event in store.append_many(writes)] == [1, 1, 2]
    else:
        with pytest.raises(ConcurrencyError) as raised:
            store.append_many(writes)
        assert raised.value.args == outcome.args
        assert list(store.replay()) == []


def test_a_stream_that_an_earlier_write_makes_exists_for_a_later_one_and_for_no_earlier_one(store):
    with pytest.raises(StreamNotFoundError):
        store.append_many([("Order-1", events(1), STREAM_EXISTS), ("Order-1", events(2), ANY_VERSION)])
    store.append_many([("Order-1", events(1), ANY_VERSION), ("Order-1", events(2), STREAM_EXISTS)])
    assert numbers(store.read("Order-1")) == [1, 2]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_write_that_is_refused_keeps_all_of_them_out(store, at):
    store.append("Old-1", events(0))
    before = list(store.replay()), list(store.streams()), list(store.categories()), list(store.types())
    writes = [("A-1", events(1, type="New"), -1), ("B-1", events(2), -1), ("C-1", events(3), -1)]
    writes[at] = ("Old-1", events(9), NO_STREAM)
    with pytest.raises(ConcurrencyError) as raised:
        store.append_many(writes)
    assert (raised.value.stream_id, raised.value.actual) == ("Old-1", 1)
    assert (list(store.replay()), list(store.streams()), list(store.categories()), list(store.types())) == before
    assert store.append("A-1", events(1))[0].global_position == 2


def test_the_same_events_may_go_to_several_streams_as_different_ones(store):
    shared = events(1)
    stored = store.append_many([("Order-1", shared, -1), ("User-1", shared, -1)])
    assert len({event.id for event in stored}) == 2
