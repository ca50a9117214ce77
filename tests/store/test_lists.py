"""What a store holds: one event by its id, streams, categories, types, and how much of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from evstore import CategoryInfo, EventData, EventNotFoundError, InvalidInputError, StreamNotFoundError, TypeInfo
from evstore.port import MOST_IN_PAGE
from tests.support.sentences import names

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def append_at(store, minute, stream_id, *types):
    """Append, at that minute of 1970."""
    unit = store.appender.unit([(stream_id, [EventData(each, {}) for each in types], -1)])
    store.appender.submit([unit._replace(times_us=[minute * 60_000_000] * len(types))])


@pytest.fixture(scope="module")
def filled(shared_store):
    store = shared_store
    append_at(store, 1, "Order-1", "Placed", "Paid")
    append_at(store, 2, "User-1", "Named")
    append_at(store, 3, "Order-2", "Placed")
    append_at(store, 4, "Order-1", "Shipped")
    append_at(store, 5, "order-1", "placed")
    append_at(store, 6, "NoHyphen", "Placed")
    append_at(store, 7, "we_ird-1", "Placed")
    append_at(store, 8, "weXird-1", "Placed")
    return store


# --- one event ---


def test_an_event_is_found_by_its_id(store):
    stored = store.append("Order-1", [EventData("Placed", {"n": 1}, id=ID)])
    assert store.get(ID) == store.get(ID.upper()) == store.get(UUID(ID)) == stored[0]


def test_an_id_that_is_not_stored_is_not_found_and_told(store):
    store.append("Order-1", [EventData("Placed", {})])
    with pytest.raises(EventNotFoundError, match=ID) as raised:
        store.get(ID.upper())
    assert raised.value.event_id == ID


@pytest.mark.parametrize("event_id", ["", "1", ID[:-1], f"{{{ID}}}", None])
def test_what_is_no_id_is_bad_input_and_not_absent(store, event_id):
    with pytest.raises(InvalidInputError) as raised:
        store.get(event_id)
    assert names(raised.value, f'"{event_id}"')


# --- one stream ---


def test_a_stream_tells_its_version_category_and_times(filled):
    info = filled.stream_info("Order-1")
    assert (info.stream_id, info.category, info.version, info.events) == ("Order-1", "Order", 3, 3)
    assert (info.created_us, info.updated_us, info.last_type) == (60_000_000, 240_000_000, "Shipped")
    times = [event.timestamp for event in filled.read("Order-1")]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (times[0], times[-1]) == tuple(
        epoch + timedelta(microseconds=us) for us in (info.created_us, info.updated_us)
    )


def test_a_missing_stream_is_not_found_and_told(filled, subtests):
    for stream_id in ["Order-3", "Order", "Order-", "ORDER-1", "Order-1 ", "Order-%", "Order-10"]:
        with subtests.test(stream_id=stream_id):
            with pytest.raises(StreamNotFoundError) as raised:
                filled.stream_info(stream_id)
            assert raised.value.stream_id == stream_id


# --- lists ---


def test_streams_are_listed_by_id_in_code_point_order(filled):
    listed = list(filled.streams())
    assert [info.stream_id for info in listed] == [
        *("NoHyphen", "Order-1", "Order-2", "User-1", "order-1", "weXird-1", "we_ird-1"),
    ]
    assert listed == [filled.stream_info(info.stream_id) for info in listed]


def test_streams_are_listed_by_category_and_by_prefix_both_literally(filled, subtests):
    for asked, expected in [
        ({"category": "Order"}, ["Order-1", "Order-2"]),
        ({"category": "order"}, ["order-1"]),
        ({"category": "we_ird"}, ["we_ird-1"]),
        ({"category": "NoHyphen"}, ["NoHyphen"]),
        ({"category": "Order-1"}, []),
        ({"category": "Or"}, []),
        ({"category": ""}, []),
        ({"prefix": "Order"}, ["Order-1", "Order-2"]),
        ({"prefix": "Order-2"}, ["Order-2"]),
        ({"prefix": "o"}, ["order-1"]),
        ({"prefix": "we_"}, ["we_ird-1"]),
        ({"prefix": "%"}, []),
        ({"prefix": "_"}, []),
        ({"category": "Order", "prefix": "Order-2"}, ["Order-2"]),
        ({"category": "Order", "prefix": "User"}, []),
    ]:
        with subtests.test(asked=asked, expected=expected):
            assert [info.stream_id for info in filled.streams(**asked)] == expected


def test_categories_are_listed_with_their_counts_and_positions(filled):
    assert list(filled.categories()) == [
        CategoryInfo("NoHyphen", 1, 1, 7, 7, 360_000_000),
        CategoryInfo("Order", 2, 4, 1, 5, 240_000_000),
        CategoryInfo("User", 1, 1, 3, 3, 120_000_000),
        CategoryInfo("order", 1, 1, 6, 6, 300_000_000),
        CategoryInfo("weXird", 1, 1, 9, 9, 480_000_000),
        CategoryInfo("we_ird", 1, 1, 8, 8, 420_000_000),
    ]
    assert [info.category for info in filled.categories(prefix="we_")] == ["we_ird"]


def test_types_are_listed_with_their_counts_and_positions(filled):
    assert list(filled.types()) == [
        TypeInfo("Named", 1, 3, 3),
        TypeInfo("Paid", 1, 2, 2),
        TypeInfo("Placed", 5, 1, 9),
        TypeInfo("Shipped", 1, 5, 5),
        TypeInfo("placed", 1, 6, 6),
    ]
    assert list(filled.types("Order")) == [
        TypeInfo("Paid", 1, 2, 2),
        TypeInfo("Placed", 2, 1, 4),
        TypeInfo("Shipped", 1, 5, 5),
    ]
    assert [info.type for info in filled.types(prefix="P")] == ["Paid", "Placed"]
    assert [info.type for info in filled.types("Order", prefix="S")] == ["Shipped"]
    assert list(filled.types("none")) == []


def test_the_store_tells_how_much_it_holds(filled):
    info = filled.info()
    assert (info.streams, info.categories, info.head) == (7, 6, 9)
    assert info.size_bytes > 0


def test_the_store_tells_what_it_is_and_where(store, url):
    info = store.info()
    assert info.backend == url.partition(":")[0]
    assert url.endswith(info.location)


def test_an_empty_store_lists_nothing(store):
    assert list(store.streams()) == list(store.categories()) == list(store.types()) == []
    info = store.info()
    assert (info.streams, info.categories, info.head) == (0, 0, 0)


@pytest.mark.sqlite_too("a database orders by a collation")
def test_names_are_ordered_by_code_point_not_by_letter_or_by_utf_16(store):
    names = ["A", "B", "Z", "a", "z", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]
    store.append_many([(f"{name}-1", [EventData(name, {})], -1) for name in reversed(names)])
    assert [info.category for info in store.categories()] == names
    assert [info.type for info in store.types()] == names
    assert [info.stream_id for info in store.streams()] == [f"{name}-1" for name in names]


@pytest.mark.sqlite_too("memory has no pages to read")
@pytest.mark.parametrize("many", [MOST_IN_PAGE, MOST_IN_PAGE + 1])
def test_more_names_than_a_page_come_each_once_and_in_order(store, many):
    names = [f"{n:05}" for n in range(many)]
    store.append_many([(name, [EventData(name, {})], -1) for name in names])
    assert [info.stream_id for info in store.streams()] == names
    assert [info.stream_id for info in store.streams(prefix="0")] == names
    assert [info.category for info in store.categories()] == names
    assert [info.type for info in store.types()] == names
