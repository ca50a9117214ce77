"""Filters of a read and of a replay: by category, type, correlation and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest

from evstore import EventData, InvalidInputError, Metadata
from tests.support.sentences import names

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def events(*numbers):
    return [EventData("Placed", number) for number in numbers]


def numbers(found):
    return [event.data for event in found]


@pytest.fixture(scope="module")
def mixed(shared_store):
    """Events of three categories, three types, and with and without a correlation, not in the order of their times."""
    store = shared_store
    axes = (["Order", "User", "we_ird"], ["Placed", "Paid", "placed"], ["c1", None], [0, 2, 1])
    for n, (category, kind, correlation, minute) in enumerate(product(*axes)):
        unit = store.appender.unit([(f"{category}-{n % 2}", [EventData(kind, n, Metadata(correlation))], -1)])
        moment = NOON + timedelta(minutes=minute, microseconds=n % 2)
        timestamp_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        store.appender.submit([unit._replace(times_us=[timestamp_us])])
    store.append("weXird-1", events(100))
    store.append("order-1", events(101))
    store.append("Orders-1", events(102))
    return store


FILTERS = {
    "categories": [None, ["Order"], ["User", "Order"], ["we_ird"], ["none"], ["Order", "none"]],
    "types": [None, ["Placed"], ["Placed", "Paid"], ["PLACED"]],
    "correlation_id": [None, "c1", "c"],
    "since": [None, NOON + timedelta(minutes=1)],
    "until": [None, NOON + timedelta(minutes=2)],
}


def wanted(event, categories, types, correlation_id, since, until):
    return (
        (categories is None or event.category in categories)
        and (types is None or event.type in types)
        and (correlation_id is None or event.metadata.correlation_id == correlation_id)
        and (since is None or event.timestamp >= since)
        and (until is None or event.timestamp < until)
    )


def test_filters_are_anded_and_their_members_ored_and_limit_and_direction_come_after_them(mixed):
    everything = list(mixed.replay())
    for chosen in product(*FILTERS.values()):
        asked = dict(zip(FILTERS, chosen, strict=True))
        expected = [event for event in everything if wanted(event, **asked)]
        assert list(mixed.replay(**asked)) == expected, asked
        assert list(mixed.replay(**asked, backward=True, limit=3)) == expected[::-1][:3], asked
        assert (
            list(mixed.replay(**asked, after=7, to=40, limit=2))
            == [event for event in expected if 7 < event.global_position <= 40][:2]
        ), asked


def test_a_read_filters_by_type_and_time_as_a_replay_does(mixed):
    everything = list(mixed.read("Order-0"))
    for types, since, until in product(FILTERS["types"], FILTERS["since"], FILTERS["until"]):
        expected = [event for event in everything if wanted(event, None, types, None, since, until)]
        assert list(mixed.read("Order-0", types=types, since=since, until=until)) == expected
        found = list(mixed.read("Order-0", types=types, since=since, until=until, backward=True, limit=2))
        assert found == expected[::-1][:2]


@pytest.mark.parametrize("name", ["Order", "we_ird"])
def test_a_name_alone_is_a_list_of_one(mixed, name):
    assert list(mixed.replay(name)) == list(mixed.replay([name])) != []
    assert list(mixed.replay(types="Paid")) == list(mixed.replay(types=["Paid"])) != []


def test_categories_are_matched_by_equality(mixed):
    assert {event.category for event in mixed.replay(["we_ird"])} == {"we_ird"}
    assert {event.category for event in mixed.replay(["Order"])} == {"Order"}
    for pattern in ("we%", "%", "Ord", "order%", "*", "we?ird", "Order-"):
        assert list(mixed.replay([pattern])) == []


def test_since_is_inclusive_and_until_exclusive_to_the_microsecond(store):
    for us in range(3):
        store.appender.submit([store.appender.unit([("Order-1", events(us), -1)])._replace(times_us=[us])])
    second = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)
    elsewhere = second.astimezone(timezone(timedelta(hours=-5)))
    for moment in (second, elsewhere):
        assert numbers(store.replay(since=moment)) == numbers(store.read("Order-1", since=moment)) == [1, 2]
        assert numbers(store.replay(until=moment)) == numbers(store.read("Order-1", until=moment)) == [0]
        assert numbers(store.replay(since=moment, until=moment)) == []


def test_the_order_is_by_position_where_time_steps_back(store):
    for us in (5, 1, 3):
        store.appender.submit([store.appender.unit([("Order-1", events(us), -1)])._replace(times_us=[us])])
    assert numbers(store.replay()) == numbers(store.read("Order-1")) == [5, 1, 3]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert numbers(store.replay(since=epoch + timedelta(microseconds=3))) == [5, 3]


def test_a_time_without_a_zone_is_refused_at_once(store):
    for read in (lambda **asked: store.read("Order-1", **asked), store.replay):
        for bound in ("since", "until"):
            with pytest.raises(InvalidInputError) as raised:
                read(**{bound: NOON.replace(tzinfo=None)})
            assert names(raised.value, NOON.replace(tzinfo=None).isoformat())


def test_an_empty_store_has_nothing_since_or_until_any_time(store):
    assert list(store.replay(since=NOON)) == list(store.replay(until=NOON)) == []
