"""Chapter "Reading", R1, R2 and R4: pages, compared with a model: all events, filtered and sorted."""

from __future__ import annotations

from itertools import product
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import pytest

from evstore.model.filters import Filter
from evstore.model.versions import MAX_VERSION
from evstore.port import Page
from evstore.testing.asking import (
    ALL_NAMES,
    ANYTHING,
    accepted,
    expected_page,
    history,
    log,
    paged,
)
from evstore.testing.builders import an_append, an_id
from evstore.testing.harness import MULTI_PROCESS, Harness
from evstore.testing.variety import EVENTS, STREAMS, TYPES, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

A_STREAM: Final = STREAMS[0]

READS: Final[Mapping[str, Callable[[Adapter, Page, Filter], list[StoredEvent]]]] = {
    "stream": lambda adapter, page, where: adapter.read_stream(A_STREAM, page, where),
    "log": lambda adapter, page, where: adapter.read_all(page, where),
}
COUNTED_BY: Final[Mapping[str, Callable[[StoredEvent], int]]] = {
    "stream": attrgetter("version"),
    "log": attrgetter("global_position"),
}

each_read = pytest.mark.parametrize("kind", READS)
both_ways = pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])


class PageClauses(Harness):
    """R1 and R2: which part of a range a page is."""

    @both_ways
    @each_read
    def test_R1_cursor_and_bounds_hold_together(self, adapter: Adapter, kind: str, backward: bool) -> None:
        fill(adapter)
        read, at = READS[kind], COUNTED_BY[kind]
        events = read(adapter, Page(EVENTS), ANYTHING)
        last = at(events[-1])
        afters = (None, 0, 1, 3, last - 1, last, last + 1)
        lows, highs = (1, 3, last, last + 1), (1, 3, 4, last, MAX_VERSION)
        for after, low, high, limit in product(afters, lows, highs, (1, 2, EVENTS)):
            page = Page(limit, after, low, high, backward)
            assert read(adapter, page, ANYTHING) == expected_page(events, page, ANYTHING, at), page

    @both_ways
    @each_read
    def test_R1_no_cursor_is_the_start_of_the_direction(self, adapter: Adapter, kind: str, backward: bool) -> None:
        fill(adapter)
        events = READS[kind](adapter, Page(EVENTS), ANYTHING)
        (first,) = READS[kind](adapter, Page(1, backward=backward), ANYTHING)
        assert first == events[-1 if backward else 0]

    @each_read
    def test_R1_the_cursor_is_exclusive_in_both_directions(self, adapter: Adapter, kind: str) -> None:
        fill(adapter)
        at = COUNTED_BY[kind]
        assert [at(e) for e in READS[kind](adapter, Page(2, after=3), ANYTHING)] == [4, 5]
        assert [at(e) for e in READS[kind](adapter, Page(2, after=3, backward=True), ANYTHING)] == [2, 1]

    @both_ways
    @each_read
    def test_R1_bounds_are_inclusive_in_both_directions(self, adapter: Adapter, kind: str, backward: bool) -> None:
        fill(adapter)
        page = Page(EVENTS, low=2, high=4, backward=backward)
        found = [COUNTED_BY[kind](event) for event in READS[kind](adapter, page, ANYTHING)]
        assert found == ([4, 3, 2] if backward else [2, 3, 4])

    @both_ways
    @each_read
    def test_R1_the_largest_number_is_a_cursor_and_a_bound_like_others(
        self, adapter: Adapter, kind: str, backward: bool
    ) -> None:
        fill(adapter)
        read, at = READS[kind], COUNTED_BY[kind]
        events = read(adapter, Page(EVENTS), ANYTHING)
        for after, low in product((None, MAX_VERSION), (1, MAX_VERSION)):
            page = Page(EVENTS, after, low, backward=backward)
            assert read(adapter, page, ANYTHING) == expected_page(events, page, ANYTHING, at), page

    @both_ways
    @each_read
    def test_R2_a_page_has_as_many_members_as_the_limit_says(
        self, adapter: Adapter, kind: str, backward: bool
    ) -> None:
        accepted(adapter, an_append(A_STREAM, 6))
        for limit, members in ((0, 0), (1, 1), (2, 2), (5, 5), (6, 6), (7, 6), (MAX_VERSION, 6)):
            page = READS[kind](adapter, Page(limit, backward=backward), ANYTHING)
            assert isinstance(page, list)
            assert len(page) == members, limit

    @both_ways
    @each_read
    def test_R2_the_limit_counts_what_the_filter_lets_through(
        self, adapter: Adapter, kind: str, backward: bool
    ) -> None:
        fill(adapter)
        where = Filter(types=(TYPES[1],))
        matching = READS[kind](adapter, Page(EVENTS, backward=backward), where)
        for limit in range(1, len(matching) + 2):
            assert READS[kind](adapter, Page(limit, backward=backward), where) == matching[:limit]

    @both_ways
    @each_read
    def test_R2_pages_in_a_row_show_each_event_once(self, adapter: Adapter, kind: str, backward: bool) -> None:
        fill(adapter)
        where = Filter(types=TYPES[:2])

        def read(after: int | None, limit: int) -> list[StoredEvent]:
            return READS[kind](adapter, Page(limit, after, backward=backward), where)

        for limit in (1, 2, 7):
            assert paged(read, COUNTED_BY[kind], limit) == read(None, EVENTS), limit

    def test_R2_nothing_of_a_read_survives_its_page(self, adapter: Adapter) -> None:
        accepted(adapter, an_append(A_STREAM, 2))
        assert len(adapter.read_all(Page(1), ANYTHING)) == 1
        accepted(adapter, an_append(A_STREAM, 2))
        # A snapshot kept since the first page would end here.
        assert [e.version for e in adapter.read_all(Page(9, after=1), ANYTHING)] == [2, 3, 4]

    def test_R2_a_read_page_does_not_hold_up_other_adapters(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MULTI_PROCESS)
        reader = another()
        accepted(adapter, an_append(A_STREAM, 2))
        assert len(reader.read_all(Page(1), ANYTHING)) == 1
        accepted(adapter, an_append(A_STREAM, 2))
        assert [e.version for e in reader.read_stream(A_STREAM, Page(9, after=1), ANYTHING)] == [2, 3, 4]


class AbsenceClauses(Harness):
    """R4: what is not there is empty, not an error."""

    @both_ways
    def test_R4_a_missing_stream_is_an_empty_page(self, adapter: Adapter, backward: bool) -> None:
        accepted(adapter, an_append("Order-1"))
        for missing in ("Order-2", "Order", "order-1"):
            assert adapter.read_stream(missing, Page(9, backward=backward), ANYTHING) == []

    def test_R4_a_missing_stream_has_no_info(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1"))
        assert [adapter.stream(each) for each in ("Order-2", "Order", "order-1", "Order-1 ")] == [None] * 4

    @both_ways
    def test_R4_a_missing_category_is_an_empty_page(self, adapter: Adapter, backward: bool) -> None:
        accepted(adapter, an_append("Order-1"))
        for missing in ("Stock", "Ord", "order", "Order-1"):
            assert adapter.read_all(Page(9, backward=backward), Filter(categories=(missing,))) == []

    def test_R4_lists_of_a_missing_category_are_empty(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1"))
        assert adapter.streams(ALL_NAMES, "Stock") == []
        assert adapter.types(ALL_NAMES, "Stock") == []

    def test_R4_a_missing_type_is_an_empty_page(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1"))
        where = Filter(types=("Never",))
        assert history(adapter, "Order-1", where) == log(adapter, where) == []

    def test_R4_unknown_ids_are_left_out(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1"))
        (event,) = log(adapter)
        assert adapter.get([an_id(), event.id, an_id()]) == [event]
        assert adapter.get([an_id()]) == []
        assert adapter.get([]) == []

    def test_R4_an_empty_store_answers_every_read(self, adapter: Adapter) -> None:
        assert log(adapter) == history(adapter, "Order-1") == []
        assert adapter.streams(ALL_NAMES, None) == []
        assert adapter.categories(ALL_NAMES) == []
        assert adapter.types(ALL_NAMES, None) == []
        assert adapter.span(None, None) is None
        assert adapter.head(0, 0) == 0
