"""Outside sources in Python: how far each was taken is stored with the events."""

from __future__ import annotations

import pytest

from evstore import ConcurrencyError, EventData, InvalidInputError, SourceInfo
from evstore.appending.outcomes import Duplicate
from evstore.model.sources import source_of
from evstore.model.versions import MAX_VERSION
from evstore.port import Receipt, SourceTaken

FILE = "orders.csv"


def some(*numbers):
    return [EventData("Placed", n) for n in numbers]


def numbers(found):
    return [each.data for each in found]


def test_an_append_that_takes_what_was_taken_is_an_empty_duplicate(store):
    first = store.append("Order-1", some(1, 2), source=(FILE, 17))
    assert (numbers(first), first.duplicate) == ([1, 2], False)
    for position in (17, 3):
        again = store.append("Order-1", some(1, 2), 0, source=(FILE, position))
        assert (list(again), again.duplicate) == ([], True)
    assert numbers(store.append("Order-1", some(3), source=(FILE, 18))) == [3]
    assert numbers(store.read("Order-1")) == [1, 2, 3]


def test_several_streams_take_a_source_together(store):
    writes = [("Order-1", some(1), -1), ("Order-2", some(2), 0)]
    assert numbers(store.append_many(writes, source=[FILE, 0])) == [1, 2]
    again = store.append_many(writes, source=(FILE, 0))
    assert (list(again), again.duplicate) == ([], True)
    assert store.head() == 2


def test_a_retry_by_id_is_a_duplicate_with_its_events_whatever_its_source(store):
    events = [EventData("Placed", 1, id="0198e5c4-7a2b-7c3d-8e4f-000000000001")]
    store.append("Order-1", events, source=(FILE, 5))
    for source in ((FILE, 5), (FILE, 4), (FILE, 6), ("other", 1), None):
        again = store.append("Order-1", events, source=source)
        assert (numbers(again), again.duplicate) == ([1], True)
    assert [*store.sources()] == [SourceInfo(FILE, 5, 1)]


def test_a_refused_append_takes_nothing(store):
    with pytest.raises(ConcurrencyError):
        store.append("Order-1", some(1), 7, source=(FILE, 5))
    assert store.source_position(FILE) is None
    assert numbers(store.append("Order-1", some(1), 0, source=(FILE, 5))) == [1]


def test_the_position_of_a_source_is_found_by_its_whole_name(store):
    assert store.source_position(FILE) is None
    for position, name in enumerate(["orders", "orders.csv.gz", "Orders.csv", "a", "z"]):
        store.append("Order-1", some(position), source=(name, position))
    assert store.source_position(FILE) is None
    store.append("Order-1", some(5), source=(FILE, MAX_VERSION))
    found = {
        name: store.source_position(name) for name in ("orders", FILE, "orders.csv.gz", "Orders.csv", "", "b")
    }
    assert found == {"orders": 0, FILE: MAX_VERSION, "orders.csv.gz": 1, "Orders.csv": 2, "": None, "b": None}
    assert [info.source for info in store.sources()] == sorted(
        ["a", "Orders.csv", "orders", FILE, "orders.csv.gz", "z"]
    )
    assert [info.source for info in store.sources(prefix="orders.")] == [FILE, "orders.csv.gz"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("orders.csv@17", "a pair"),
        ((FILE,), "a pair"),
        ((FILE, 1, 2), "a pair"),
        ({FILE: 1}, "a pair"),
        (("", 1), "source name is empty"),
        ((7, 1), "source name is a string"),
        (("a\nb", 1), "U+000A"),
        (("x" * 256, 1), "256 bytes"),
        ((FILE, -1), "from 0"),
        ((FILE, MAX_VERSION + 1), "from 0"),
        ((FILE, 1.0), "integer"),
        ((FILE, "1"), "integer"),
        ((FILE, True), "integer"),
        ((FILE, None), "integer"),
    ],
)
def test_a_source_that_is_none_is_refused_before_anything_is_sent(store, source, why):
    with pytest.raises(InvalidInputError) as caught:
        store.append("Order-1", some(1), source=source)
    assert why in str(caught.value)
    assert store.head() == 0


@pytest.mark.parametrize("given", ["ab", 7, None, {1, 2}], ids=repr)
def test_what_is_no_pair_is_no_source(given):
    with pytest.raises(InvalidInputError, match=r"a source is a pair of name and position, .* not "):
        source_of(given)


def test_a_source_is_said_as_its_name_and_how_far_it_was_taken():
    assert str(source_of([FILE, 17])) == "orders.csv@17"


def test_units_in_turn_pass_over_positions_that_were_taken(store):
    def units(*positions):
        return [store.appender.unit([("Order-1", some(n), -1)], source=(FILE, n)) for n in positions]

    first = units(1, 2, 3)
    assert {type(each) for each in store.appender.submit_in_order(first)} == {Receipt}
    mixed = [*first[:1], *units(2, 3, 4), *first[2:], *units(5, 5)]
    found = [*store.appender.submit_in_order(mixed)]
    assert [type(each) for each in found] == [Duplicate, SourceTaken, SourceTaken, Receipt, Duplicate, Receipt, SourceTaken]  # fmt: skip
    assert numbers(store.replay()) == [1, 2, 3, 4, 5]
    assert [numbers(store.appender.stored_of(*each)) for each in zip(mixed, found, strict=True)] == [
        [1], [], [], [4], [3], [5], [],
    ]  # fmt: skip


def test_a_large_unit_takes_a_source_as_well(store):
    for source, count in (((FILE, 1), 5000), ((FILE, 1), 0), ((FILE, 2), 5000)):
        assert len(store.append("Order-1", some(*range(5000)), source=source)) == count
    assert store.head() == 10_000
