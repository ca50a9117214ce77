"""Chapter "Reading", L1: the lists of streams, categories and types, and their facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from evstore.model.facts import CategoryInfo, StreamInfo, TypeInfo
from evstore.model.names import category_of
from evstore.port import Append, NamePage
from evstore.testing.asking import ALL_NAMES, accepted, log, paged
from evstore.testing.builders import a_write, an_append, an_event
from evstore.testing.harness import Harness
from evstore.testing.variety import STREAMS, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evstore.port import Adapter

# Without hyphens, so that each names a stream, its category and a type.
NAMES: Final = (
    "A",
    "B",
    "Z",
    "a",
    "a b",
    "a%",
    "a%b",
    "a*",
    "a[b]",
    "a\\",
    "a\\b",
    "a_",
    "a_b",
    "aXb",
    "ab",
    "abc",
    "b",
    "ä",
    "a\u0308",
    "é",
    "z",
    "ß",
    "ss",
    "İ",
    "i\u0307",
    # In UTF-16 the characters beyond U+FFFF sort before the next two.
    "\ue000",
    "\uffff",
    "😀",
    "😀b",
    "\U0010ffff",
    "\U0010ffff\U0010ffff",
    "a\U0010ffff",
    "a\U0010ffffb",
    # U+D800 to U+DFFF follow, which no text holds: there is no next character to search up to.
    "\ud7ff",
    "\ud7ffa",
    "a\ud7ffb",
)
PREFIXES: Final = (*NAMES, "", "c", "a\U0010ffff\U0010ffff", "A\ud7ff", "a%%", "__", "%")

LISTS: Final[Mapping[str, Callable[[Adapter, NamePage], list[str]]]] = {
    "streams": lambda adapter, page: [info.stream_id for info in adapter.streams(page, None)],
    "categories": lambda adapter, page: [info.category for info in adapter.categories(page)],
    "types": lambda adapter, page: [info.type for info in adapter.types(page, None)],
}

each_list = pytest.mark.parametrize("kind", LISTS)


class NameClauses(Harness):
    """L1: order, pages and prefixes of names."""

    @each_list
    def test_L1_names_come_in_code_point_order(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        assert LISTS[kind](adapter, ALL_NAMES) == sorted(NAMES)

    @each_list
    def test_L1_pages_in_a_row_show_each_name_once(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        for limit in (1, 2, 5):
            found = paged(lambda after, limit: LISTS[kind](adapter, NamePage(limit, after)), str, limit)
            assert found == sorted(NAMES), limit

    @each_list
    def test_L1_a_page_has_as_many_names_as_the_limit_says(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        for limit in (0, 1, len(NAMES) - 1, len(NAMES), len(NAMES) + 1):
            assert LISTS[kind](adapter, NamePage(limit)) == sorted(NAMES)[:limit]

    @each_list
    def test_L1_the_cursor_need_not_be_a_name_of_the_list(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        for after in ("", " ", "aX", "aXbb", "Ä", "\U0010ffff" * 3):
            assert LISTS[kind](adapter, NamePage(99, after)) == [n for n in sorted(NAMES) if n > after], after

    @each_list
    def test_L1_a_prefix_is_compared_literally(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        for prefix in PREFIXES:
            found = LISTS[kind](adapter, NamePage(99, prefix=prefix))
            assert found == [n for n in sorted(NAMES) if n.startswith(prefix)], prefix

    @each_list
    def test_L1_cursor_prefix_and_limit_hold_together(self, adapter: Adapter, kind: str) -> None:
        _fill_with_names(adapter)
        for prefix in ("a", "a%", "😀", "a\U0010ffff", ""):
            inside = [name for name in sorted(NAMES) if name.startswith(prefix)]
            for after in (*NAMES, "", "aX"):
                found = LISTS[kind](adapter, NamePage(2, after, prefix))
                assert found == [name for name in inside if name > after][:2], (prefix, after)

    def test_L1_streams_of_a_category_are_those_in_it(self, adapter: Adapter) -> None:
        fill(adapter)
        for category in (*map(category_of, STREAMS), "Ord", "%", "we%", "ORDER", "Order-1"):
            inside = sorted(each for each in STREAMS if category_of(each) == category)
            assert _streams(adapter, ALL_NAMES, category) == inside, category
            with_prefix = [each for each in inside if each.startswith("Order-1")]
            assert _streams(adapter, NamePage(99, prefix="Order-1"), category) == with_prefix, category

    def test_L1_streams_of_a_category_are_paged_by_name(self, adapter: Adapter) -> None:
        fill(adapter)
        found = paged(lambda after, limit: _streams(adapter, NamePage(limit, after), "Order"), str, 1)
        assert found == ["Order", "Order-1", "Order-1-1", "Order-2"]
        assert _streams(adapter, NamePage(9, "Order-1", "Order-1"), "Order") == ["Order-1-1"]


class InfoClauses(Harness):
    """L1: the facts of each name in lists, in `stream` and in `info`."""

    def test_L1_a_stream_is_told_with_its_first_and_last_event(self, adapter: Adapter) -> None:
        # The last event is the oldest: what was appended last counts, not what happened last.
        for name, own_us in (("Placed", 2_000_000), ("Paid", 3_000_000), ("Closed", 1_000_000)):
            accepted(adapter, an_append("Order-1", [an_event(name)], timestamp_us=own_us))
        accepted(adapter, an_append("Order-2", 2, timestamp_us=5_000_000))
        assert adapter.streams(ALL_NAMES, None) == [
            StreamInfo("Order-1", "Order", 3, 2_000_000, 1_000_000, "Closed"),
            StreamInfo("Order-2", "Order", 2, 5_000_000, 5_000_000, "ItemAdded"),
        ]

    def test_L1_one_stream_is_told_as_in_the_list(self, adapter: Adapter) -> None:
        fill(adapter)
        assert [adapter.stream(each) for each in sorted(STREAMS)] == adapter.streams(ALL_NAMES, None)

    def test_L1_a_category_is_told_with_its_counts_and_its_last_event(self, adapter: Adapter) -> None:
        accepted(adapter, Append([a_write("Order-1", 2), a_write("Stock-1"), a_write("Order-2")], [3_000_000] * 4))
        accepted(adapter, an_append("Order-1", 2, timestamp_us=1_000_000))
        assert adapter.categories(ALL_NAMES) == [
            CategoryInfo("Order", 2, 5, 1, 6, 1_000_000),
            CategoryInfo("Stock", 1, 1, 3, 3, 3_000_000),
        ]

    def test_L1_categories_tell_what_the_log_holds(self, adapter: Adapter) -> None:
        fill(adapter)
        for info in adapter.categories(ALL_NAMES):
            events = [event for event in log(adapter) if event.category == info.category]
            streams = {event.stream_id for event in events}
            positions = (events[0].global_position, events[-1].global_position)
            last_us = events[-1].timestamp_us
            assert info == CategoryInfo(info.category, len(streams), len(events), *positions, last_us)

    @pytest.mark.parametrize("category", [None, "Order", "order", "NoHyphen", "x"])
    def test_L1_types_tell_what_the_log_holds(self, adapter: Adapter, category: str | None) -> None:
        fill(adapter)
        events = [event for event in log(adapter) if category in (None, event.category)]
        found = adapter.types(ALL_NAMES, category)
        assert [info.type for info in found] == sorted({event.type for event in events})
        for info in found:
            positions = [event.global_position for event in events if event.type == info.type]
            assert info == TypeInfo(info.type, len(positions), positions[0], positions[-1])

    def test_L1_info_counts_what_the_lists_hold(self, adapter: Adapter) -> None:
        for filled in (False, True):
            if filled:
                fill(adapter)
            info = adapter.info()
            assert info.streams == len(adapter.streams(ALL_NAMES, None))
            assert info.categories == len(adapter.categories(ALL_NAMES))
            assert info.head == len(log(adapter))


def _fill_with_names(adapter: Adapter) -> None:
    # Neither in this order nor in the reverse.
    names = sorted(NAMES, key=lambda name: name[::-1])
    adapter.append([an_append(name, [an_event(name)]) for name in names])


def _streams(adapter: Adapter, page: NamePage, category: str | None) -> list[str]:
    return [info.stream_id for info in adapter.streams(page, category)]
