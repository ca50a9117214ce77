"""The checks of wholeness: what each of them finds missing, also where a store changes within a read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.adapters.sqlite.reading import read_all
from evstore.adapters.sqlite.rows import Names
from evstore.adapters.wholeness import (
    MOST_RECOUNTED,
    Counted,
    check_category,
    check_count,
    check_log,
    check_named,
    check_part,
    check_stream,
    is_whole_list,
    names_wanted,
    numbered,
)
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.port import NamePage, Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_category_that_is_gone_before_its_page_is_checked_is_reported_as_lost(tmp_path: Path) -> None:
    path = str(tmp_path / "events.db")
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n) for n in range(3)])
    with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(path, isolation_level=None)) as other:

        def lose(statement: str) -> None:
            if "category_number" in statement:  # the page has been read
                other.execute("DELETE FROM categories")

        other.execute("DROP TRIGGER categories_are_not_deleted")
        reader.set_trace_callback(lose)
        with pytest.raises(IncompleteLogError) as caught:
            read_all(reader, path, Names(reader), Counted(), Page(9), Filter(categories=("Order",)))
        assert (caught.value.position, caught.value.missing) == (3, "complete table of categories")


def stored(position: int, version: int = 1) -> StoredEvent:
    return StoredEvent(f"id-{position}", "Order-1", "Placed", "{}", "{}", version, position, 0)


def lacking(check: Callable[..., None], *given: object) -> tuple[int, str] | None:
    """The position and the missing part that the check tells of, None if it finds nothing missing."""
    try:
        check(*given)
    except IncompleteLogError as error:
        return error.position, error.missing
    return None


def test_a_count_of_the_whole_log_is_the_number_of_its_positions() -> None:
    everything, some = Filter(), Filter(types=("Placed",))
    assert lacking(check_count, 3, 4, 6, everything, "here") is None
    assert lacking(check_count, 2, 4, 6, everything, "here") == (6, "event before the event")
    assert lacking(check_count, 2, 4, 6, some, "here") is None
    assert lacking(check_count, 0, None, None, everything, "here") is None
    assert lacking(check_count, 0, None, 6, everything, "here") is None
    assert lacking(check_count, 0, 4, None, everything, "here") is None


def test_a_part_of_the_log_has_each_of_its_positions_and_names() -> None:
    assert lacking(check_part, "here", 4, 3, None, None, 6) is None
    assert lacking(check_part, "here", 0, 3, None, None, 3) is None
    assert lacking(check_part, "here", 4, 0, None, None, 0) is None
    assert lacking(check_part, "here", 4, 2, None, None, 6) == (6, "event before the event")
    assert lacking(check_part, "here", 4, 3, 5, 6, 6) == (5, "name of the stream")
    assert lacking(check_part, "here", 4, 3, None, 6, 6) == (6, "name of the event type")


def test_a_row_of_an_event_has_the_names_of_its_stream_and_its_type() -> None:
    whole = stored(7)
    assert lacking(check_named, [whole], "here") is None
    assert lacking(check_named, [whole, whole._replace(stream_id=None)], "here") == (7, "name of the stream")
    assert lacking(check_named, [whole._replace(type=None)], "here") == (7, "name of the event type")


def test_a_page_of_one_category_has_the_ends_of_its_range() -> None:
    orders = Filter(categories=("Order",))
    found = [stored(3), stored(5)]
    assert numbered(found, Page(9, after=1), orders) == {"category": "Order", "first": 2, "last": 5}
    assert numbered(found[::-1], Page(9, backward=True), orders) == {"category": "Order", "first": 3, "last": 5}
    assert numbered([], Page(9), orders) is None
    for other in (Filter(), Filter(categories=("A", "B")), Filter(categories=("A",), types=("B",))):
        assert numbered(found, Page(9), other) is None
    assert numbered(found, Page(9), Filter(categories=("Order", "Order")))


def test_the_events_of_a_category_in_a_range_are_as_many_as_their_numbers_say() -> None:
    given = {"category": "Order", "first": 2, "last": 5}
    found = [stored(3), stored(5)]
    lost = (5, 'event of category "Order" before the event')
    assert lacking(check_category, found, (4, 6), given, "here") is None
    assert lacking(check_category, found, (None, 2), given, "here") is None
    assert lacking(check_category, [], (None, None), given, "here") is None
    assert lacking(check_category, found, (4, 7), given, "here") == lost
    assert lacking(check_category, found, None, given, "here") == (5, "complete table of categories")


def test_a_list_of_all_names_ends_with_a_page_that_is_not_full() -> None:
    assert is_whole_list([1, 2], NamePage(3))
    assert not is_whole_list([1, 2, 3], NamePage(3))
    assert not is_whole_list([1, 2], NamePage(3, prefix="Or"))


def test_the_names_that_a_read_asks_for_are_counted_once_each() -> None:
    assert names_wanted(Filter()) == 0
    assert names_wanted(Filter(categories=("A", "A"), types=("B", "C"))) == 3
    assert names_wanted(Filter(categories=("A",))) == names_wanted(Filter(types=("A",))) == 1


def test_what_many_have_been_counted_is_not_counted_again() -> None:
    counted = Counted()
    assert counted.whole == 0
    counted.check("here", 9, None, MOST_RECOUNTED)
    assert counted.whole == 0
    assert lacking(counted.check, "here", 9, "tags", MOST_RECOUNTED + 1) == (9, "complete table of tags")
    assert counted.whole == 0
    counted.check("here", 9, None, MOST_RECOUNTED + 1)
    assert counted.whole == MOST_RECOUNTED + 1


def test_a_page_of_a_stream_that_leaves_out_a_version_names_it_and_the_event_beside_it() -> None:
    found = [stored(4, 2), stored(9, 4)]
    told = (9, 'version 3 of stream "Order-1" next to the event')
    assert lacking(check_stream, found, Page(9, after=1), Filter(), "here") == told
    assert lacking(check_stream, found[:1], Page(9, after=1), Filter(), "here") is None
    assert lacking(check_stream, found, Page(9, after=1), Filter(types=("Placed",)), "here") is None
    assert lacking(check_log, [stored(1), stored(3)], Page(9), Filter(), "here") == (2, "event")
    assert lacking(check_log, [stored(1)], Page(9, low=0), Filter(), "here") is None
    assert lacking(check_log, [stored(3), stored(2)], Page(9, backward=True), Filter(), "here") is None
    assert lacking(check_log, [stored(3), stored(1)], Page(9, backward=True), Filter(), "here") == (2, "event")
