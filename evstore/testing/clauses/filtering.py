"""Chapter "Reading", R5: a filter means `Filter.matches`."""

from __future__ import annotations

from itertools import product
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

import pytest

from evstore.model.filters import Filter
from evstore.model.metadata import Metadata
from evstore.model.names import category_of
from evstore.model.versions import MAX_VERSION
from evstore.port import Page
from evstore.testing.asking import accepted, expected_page, history, log
from evstore.testing.builders import an_append, an_event
from evstore.testing.harness import Harness
from evstore.testing.variety import CORRELATIONS, EVENTS, START_US, STREAMS, TIMES_US, TYPES, USERS, fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.port import Adapter

T = TypeVar("T")

CATEGORIES: Final = tuple(dict.fromkeys(map(category_of, STREAMS)))
# No stream is in these; an adapter that looks for prefixes or patterns finds some.
NO_CATEGORIES: Final = ("", "%", "_", "Ord", "ORDER", "Order-", "Order-1", "we%", "weird", "no")
# Every boundary from both sides, and the zero that is taken for "none".
MOMENTS: Final = (None, 0, START_US, *(t + d for t in sorted(set(TIMES_US)) for d in (0, 1)), 2**62)

# Near misses of each other, as users, tenants and custom metadata.
NAMES: Final = ("alice", "Alice", "alice ", "alic_", "ali%", "r\u00e9", "re\u0301", "'\"\\")
CUSTOMS: Final = (
    {"k": "v"},
    {"K": "v"},
    {"k": "V"},
    {"k": "v", "l": "w"},
    {"k": "w", "l": "v"},
    {"k.l": "v", '"': "\\", "\\": '"', "$": "[0]"},
    {"\u00e9": "re\u0301", "\n": "\t", "userId": "alice"},
)

BY_POSITION: Final = attrgetter("global_position")
BY_VERSION: Final = attrgetter("version")


class NameFilterClauses(Harness):
    """R5 of categories, types and correlation ids: equal or not, nothing else."""

    def test_R5_a_category_matches_by_equality(self, adapter: Adapter) -> None:
        fill(adapter)
        events = log(adapter)
        for category in CATEGORIES + NO_CATEGORIES:
            found = log(adapter, Filter(categories=(category,)))
            assert found == [e for e in events if category_of(e.stream_id) == category], category

    def test_R5_several_categories_come_in_position_order(self, adapter: Adapter) -> None:
        fill(adapter)
        where = Filter(categories=("order", "x", "Order", "missing"))
        found = log(adapter, where)
        assert found == [e for e in log(adapter) if category_of(e.stream_id) in ("order", "x", "Order")]
        assert adapter.read_all(Page(EVENTS, backward=True), where) == found[::-1]

    @pytest.mark.parametrize(
        ("twice", "once"),
        [
            (Filter(categories=("Order", "x", "Order")), Filter(categories=("Order", "x"))),
            (Filter(types=("Placed", "placed", "Placed")), Filter(types=("Placed", "placed"))),
        ],
        ids=["categories", "types"],
    )
    def test_R5_a_name_given_twice_counts_once(self, adapter: Adapter, twice: Filter, once: Filter) -> None:
        fill(adapter)
        assert log(adapter, twice) == log(adapter, once)

    @pytest.mark.parametrize("where", [Filter(categories=()), Filter(types=())], ids=["categories", "types"])
    def test_R5_no_names_at_all_match_nothing(self, adapter: Adapter, where: Filter) -> None:
        fill(adapter)
        assert log(adapter, where) == []

    def test_R5_a_type_matches_by_equality(self, adapter: Adapter) -> None:
        fill(adapter)
        stream_id = STREAMS[0]
        events, of_stream = log(adapter), history(adapter, stream_id)
        for wanted in (*TYPES, "", "Pla", "PLACED", "Pla%", "Plated"):
            where = Filter(types=(wanted,))
            assert log(adapter, where) == [e for e in events if e.type == wanted], wanted
            assert history(adapter, stream_id, where) == [e for e in of_stream if e.type == wanted], wanted

    def test_R5_a_correlation_id_matches_by_equality(self, adapter: Adapter) -> None:
        fill(adapter)
        events = log(adapter)
        for wanted in (*CORRELATIONS[1:], "", "req", "req-", "null", "%"):
            found = log(adapter, Filter(correlation_id=wanted))
            assert found == [e for e in events if e.metadata.correlation_id == wanted], wanted

    def test_R5_a_correlation_id_is_not_looked_for_elsewhere(self, adapter: Adapter) -> None:
        data_json = '{"correlationId":"req-7"}'
        accepted(adapter, an_append(events=[an_event("req-7", data_json), an_event(correlation_id="req-7")]))
        assert [e.global_position for e in log(adapter, Filter(correlation_id="req-7"))] == [2]

    def test_R5_a_user_and_a_tenant_match_by_equality(self, adapter: Adapter) -> None:
        for held in NAMES:
            accepted(adapter, an_append(events=[an_event(metadata=Metadata(user_id=held))]))
            accepted(adapter, an_append(events=[an_event(metadata=Metadata(tenant_id=held))]))
        accepted(adapter, an_append(events=[an_event(metadata=Metadata("alice", custom={"userId": "alice"}))]))
        events = log(adapter)
        for wanted in (*NAMES, "", "al", "%", "null"):
            assert log(adapter, Filter(user_id=wanted)) == [e for e in events if e.metadata.user_id == wanted]
            assert log(adapter, Filter(tenant_id=wanted)) == [e for e in events if e.metadata.tenant_id == wanted]

    def test_R5_custom_metadata_matches_where_every_pair_is_held(self, adapter: Adapter) -> None:
        for custom in CUSTOMS:
            accepted(adapter, an_append(events=[an_event(metadata=Metadata(custom=custom))]))
        events = log(adapter)
        pairs = [
            *dict.fromkeys(pair for custom in CUSTOMS for pair in custom.items()),
            ("k", ""),
            ("", "v"),
            ("k", "%"),
        ]
        for one, other in product(pairs, pairs):
            found = log(adapter, Filter(custom=(one, other)))
            assert found == [e for e in events if {one, other} <= {*e.metadata.custom.items()}], (one, other)

    def test_R5_what_no_store_can_hold_matches_nothing(self, adapter: Adapter) -> None:
        fill(adapter)
        for where in (Filter(user_id="\0"), Filter(custom=(("\0", "v"),)), Filter(custom=(("k", "\0"),))):
            assert log(adapter, where) == []
            assert adapter.count(1, MAX_VERSION, where) == 0


class TimeFilterClauses(Harness):
    """R5 of times: since is inclusive, until is exclusive."""

    def test_R5_times_are_half_open(self, adapter: Adapter) -> None:
        for late_us in (-1, 0, 1):
            accepted(adapter, an_append("Order-1", timestamp_us=START_US + late_us))
        for since_us, until_us, found in (
            (START_US, None, [2, 3]),
            (None, START_US, [1]),
            (START_US, START_US + 1, [2]),
            (START_US, START_US, []),
            (START_US + 1, START_US, []),
            (START_US + 2, None, []),
        ):
            where = Filter(since_us=since_us, until_us=until_us)
            assert [event.global_position for event in log(adapter, where)] == found, where
            assert [event.version for event in history(adapter, "Order-1", where)] == found, where

    def test_R5_span_is_the_first_and_last_position_stored_in_a_time(self, adapter: Adapter) -> None:
        fill(adapter)
        events = log(adapter)
        for since_us, until_us in product(MOMENTS, MOMENTS):
            where = Filter(since_us=since_us, until_us=until_us)
            inside = [event.global_position for event in events if where.matches(event)]
            expected = (inside[0], inside[-1]) if inside else None
            assert adapter.span(since_us, until_us) == expected, where


class MixedFilterClauses(Harness):
    """R5 of all axes at once, on pages of all kinds."""

    def test_R5_axes_are_anded_on_every_page_of_the_log(self, adapter: Adapter) -> None:
        fill(adapter)
        events, random = log(adapter), Random(1)  # noqa: S311 - the same mixtures at each run
        for _ in range(400):
            where = Filter(
                _some(random, CATEGORIES + NO_CATEGORIES),
                _some(random, TYPES),
                random.choice([None, None, None, *CORRELATIONS]),
                *_times(random),
                random.choice([None, None, None, *USERS]),
            )
            page = _page(random, EVENTS)
            found = adapter.read_all(page, where)
            assert found == expected_page(events, page, where, BY_POSITION), (page, where)
            inside = [e for e in events if where.matches(e) and page.low <= e.global_position <= page.high]
            assert adapter.count(page.low, page.high, where) == len(inside), (page, where)

    def test_R5_axes_are_anded_on_every_page_of_a_stream(self, adapter: Adapter) -> None:
        fill(adapter)
        random = Random(2)  # noqa: S311 - the same mixtures at each run
        for stream_id in STREAMS:
            events = history(adapter, stream_id)
            for _ in range(40):
                since_us, until_us = _times(random)
                where = Filter(types=_some(random, TYPES), since_us=since_us, until_us=until_us)
                page = _page(random, len(events))
                found = adapter.read_stream(stream_id, page, where)
                assert found == expected_page(events, page, where, BY_VERSION), (stream_id, page, where)


def _some(random: Random, members: Sequence[T]) -> tuple[T, ...] | None:
    return random.choice([None, tuple(random.sample(members, random.randint(1, 3)))])


def _times(random: Random) -> tuple[int | None, int | None]:
    return (
        random.choice((None, *MOMENTS[: len(MOMENTS) // 2])),
        random.choice((None, *MOMENTS[len(MOMENTS) // 2 :])),
    )


def _page(random: Random, last: int) -> Page:
    low = random.choice([1, 1, random.randint(1, last)])
    high = random.choice([2**63 - 1, random.randint(1, last)])
    after = random.choice([None, random.randint(0, last + 1)])
    return Page(random.randint(1, last), after, low, high, random.choice([False, True]))
