"""Chapter "Writing": units and their numbers, the traces of a refusal, the facts of a receipt."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from evstore.errors import ConcurrencyError, EvstoreError
from evstore.model.filters import Filter
from evstore.model.versions import NO_STREAM, STREAM_EXISTS
from evstore.port import Append, Page, Receipt
from evstore.testing.asking import (
    ALL_NAMES,
    ANYTHING,
    accepted,
    answer,
    everything,
    facts,
    history,
    log,
)
from evstore.testing.builders import a_stream_id, a_write, an_append
from evstore.testing.harness import DURABLE, MULTI_PROCESS, Harness
from evstore.testing.refusals import REFUSALS, TRACE_CATEGORY, TRACE_STREAM, TRACE_TYPE, a_trace
from evstore.testing.truth import REFUSED_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.events import Many
    from evstore.port import Adapter, PreparedWrite

each_refusal = pytest.mark.parametrize("refusal", REFUSALS)


class UnitClauses(Harness):
    """W1: what stands and falls together."""

    def test_W1_a_unit_over_several_streams_is_stored_whole(self, adapter: Adapter) -> None:
        unit = Append([a_write("Order-1", 2), a_write("Stock-1"), a_write("Order-2", 3)])
        accepted(adapter, unit)
        assert [event.id for event in log(adapter)] == [*unit.ids()]

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_W1_one_refused_write_refuses_the_whole_unit(self, adapter: Adapter, place: int) -> None:
        accepted(adapter, an_append("Order-1"))
        writes = [a_write("Order-2"), a_write("Stock-1", 2)]
        writes.insert(place, a_write("Order-1", 1, NO_STREAM))
        assert isinstance(answer(adapter, Append(writes)), ConcurrencyError)
        assert [event.stream_id for event in log(adapter)] == ["Order-1"]

    @each_refusal
    def test_W1_a_refused_unit_leaves_the_others_of_its_call_alone(self, adapter: Adapter, refusal: str) -> None:
        stored = a_write()
        accepted(adapter, Append([stored]))
        before, after = an_append(events=2), an_append(events=2)
        outcomes = adapter.append([before, REFUSALS[refusal](stored), after])
        assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, False, True]
        assert [event.id for event in log(adapter)][1:] == [*before.ids(), *after.ids()]

    @each_refusal
    def test_W1_until_refused_ends_the_call_at_the_first_unit_that_is_not_accepted(
        self, adapter: Adapter, refusal: str
    ) -> None:
        stored = a_write()
        accepted(adapter, Append([stored]))
        before, after = an_append(events=2), an_append(events=2)
        outcomes = adapter.append([before, REFUSALS[refusal](stored), after], until_refused=True)
        assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, False]
        assert [event.id for event in log(adapter)][1:] == [*before.ids()]

    def test_W1_until_refused_changes_nothing_where_all_are_accepted(self, adapter: Adapter) -> None:
        units = [an_append(events=n) for n in (1, 2)]
        outcomes = adapter.append(units, until_refused=True)
        assert [isinstance(outcome, Receipt) and outcome.size for outcome in outcomes] == [1, 2]

    def test_W1_units_of_one_call_are_judged_in_order(self, adapter: Adapter) -> None:
        first, too_late = an_append("Order-1", 1, NO_STREAM), an_append("Order-1", 1, NO_STREAM)
        second = an_append("Order-1", 1, 1)
        outcomes = adapter.append([first, too_late, second])
        assert facts(outcomes[1]) == facts(ConcurrencyError("Order-1", NO_STREAM, 1))
        assert [event.id for event in log(adapter)] == [*first.ids(), *second.ids()]

    def test_W1_each_unit_of_a_call_has_its_answer(self, adapter: Adapter) -> None:
        events = range(1, 6)
        outcomes = adapter.append([an_append(events=n) for n in events])
        assert [isinstance(o, Receipt) and o.size for o in outcomes] == list(events)
        assert adapter.append([]) == []

    def test_W1_what_was_accepted_is_seen_by_every_kind_of_read(self, adapter: Adapter) -> None:
        unit = an_append("Order-1")
        accepted(adapter, unit)
        ids = [*unit.ids()]
        assert [event.id for event in log(adapter)] == ids
        assert [event.id for event in log(adapter, Filter(categories=("Order",)))] == ids
        assert [event.id for event in history(adapter, "Order-1")] == ids
        assert [event.id for event in adapter.get(ids)] == ids
        assert adapter.stream("Order-1") is not None
        assert adapter.head(0, 0) == 1

    def test_W1_what_was_accepted_is_seen_by_other_adapters(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MULTI_PROCESS)
        reader = another()
        for version in (1, 2, 3):
            accepted(adapter, an_append("Order-1"))
            assert len(history(reader, "Order-1")) == version

    def test_W1_what_was_accepted_is_there_after_reopening(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, DURABLE)
        accepted(adapter, Append([a_write(events=3), a_write(events=2)]))
        before = everything(adapter)
        adapter.close()
        assert everything(another()) == before


class NumberClauses(Harness):
    """W2: the numbers that events get."""

    def test_W2_versions_count_from_one_in_each_stream(self, adapter: Adapter) -> None:
        for stream_id in ("Order-1", "Order-2", "Order-1", "Order-1", "Order-2"):
            accepted(adapter, an_append(stream_id))
        assert [event.version for event in history(adapter, "Order-1")] == [1, 2, 3]
        assert [event.version for event in history(adapter, "Order-2")] == [1, 2]

    def test_W2_global_positions_count_from_one_over_all_streams(self, adapter: Adapter) -> None:
        for events in (1, 3, 2):
            accepted(adapter, an_append(events=events))
        assert [event.global_position for event in log(adapter)] == [1, 2, 3, 4, 5, 6]

    def test_W2_a_unit_keeps_the_order_of_its_writes_and_events(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-2", 2))
        unit = Append([a_write(stream_id, 2) for stream_id in ("Order-3", "Order-2", "Order-1", "Order-2")])
        accepted(adapter, unit)
        found = log(adapter)[2:]
        assert [event.id for event in found] == [*unit.ids()]
        assert [event.version for event in found] == [1, 2, 3, 4, 1, 2, 5, 6]

    def test_W2_a_category_counts_its_streams_and_its_events(self, adapter: Adapter) -> None:
        accepted(adapter, Append([a_write("Order-1", 2), a_write("Stock-1"), a_write("Order-2", 3)]))
        accepted(adapter, an_append("Order-1", 4))
        counts = [(c.category, c.streams, c.events) for c in adapter.categories(ALL_NAMES)]
        assert counts == [("Order", 2, 9), ("Stock", 1, 1)]


class TraceClauses(Harness):
    """W6: a refused unit leaves no trace."""

    def test_W6_a_refused_expectation_leaves_the_store_as_it_was(self, adapter: Adapter) -> None:
        for row in REFUSED_ROWS:
            stream_id = a_stream_id()
            if row.actual:
                accepted(adapter, an_append(stream_id, row.actual))
            before = everything(adapter)
            answer(adapter, Append([a_trace(), a_write(stream_id, 1, row.expected)]))
            assert everything(adapter) == before, row

    @each_refusal
    def test_W6_a_refused_unit_leaves_the_store_as_it_was(self, adapter: Adapter, refusal: str) -> None:
        stored = a_write(events=2)
        accepted(adapter, Append([stored]))
        before = everything(adapter)
        assert not isinstance(answer(adapter, REFUSALS[refusal](stored)), Receipt)
        assert everything(adapter) == before

    @each_refusal
    def test_W6_a_refused_unit_takes_no_number(self, adapter: Adapter, refusal: str) -> None:
        stored = a_write(events=2)
        accepted(adapter, Append([stored]))
        answer(adapter, REFUSALS[refusal](stored))
        receipt = accepted(adapter, Append([a_trace()]))
        assert (receipt.first_position, *receipt.first_versions) == (3, 1)
        (category,) = (c for c in adapter.categories(ALL_NAMES) if c.category == TRACE_CATEGORY)
        assert (category.streams, category.events, category.first_position) == (1, 1, 3)
        (type_,) = (t for t in adapter.types(ALL_NAMES, None) if t.type == TRACE_TYPE)
        assert (type_.events, type_.first_position) == (1, 3)
        assert [event.version for event in history(adapter, TRACE_STREAM)] == [1]

    @each_refusal
    def test_W6_a_refused_unit_takes_no_number_of_its_call(self, adapter: Adapter, refusal: str) -> None:
        stored = a_write(events=2)
        accepted(adapter, Append([stored]))
        _, receipt = adapter.append([REFUSALS[refusal](stored), Append([a_trace()])])
        assert isinstance(receipt, Receipt)
        assert (receipt.first_position, *receipt.first_versions) == (3, 1)

    def test_W6_a_store_that_only_refused_is_empty(self, adapter: Adapter) -> None:
        before = everything(adapter)
        for expected in (STREAM_EXISTS, 1):
            assert isinstance(answer(adapter, an_append("Order-1", 1, expected)), EvstoreError)
        assert everything(adapter) == before
        assert before.events == []


class ReceiptClauses(Harness):
    """W7: the numbers of a receipt."""

    @pytest.mark.parametrize("timestamp_us", [None, 1_700_000_000_123_456])
    def test_W7_a_receipt_says_what_a_read_returns(self, adapter: Adapter, timestamp_us: int | None) -> None:
        accepted(adapter, Append([a_write("Order-1", 2), a_write("Stock-1")]))
        writes = [a_write("Order-1", 2), a_write("Order-2", 3), a_write("Order-1", 1), a_write("Stock-1", 2)]
        times_us = None if timestamp_us is None else [timestamp_us] * 8
        receipt = accepted(adapter, Append(writes, times_us))
        assert receipt.size == sum(len(write.events) for write in writes)
        assert _as_read(adapter, receipt) == _as_told(writes, receipt)

    def test_W7_every_receipt_of_a_call_says_what_a_read_returns(self, adapter: Adapter) -> None:
        units = [an_append(stream_id, events) for events in (2, 1) for stream_id in ("Order-1", "Order-2")]
        for unit, outcome in zip(units, adapter.append(units), strict=True):
            assert isinstance(outcome, Receipt)
            assert _as_read(adapter, outcome) == _as_told(unit.writes, outcome)


def _as_told(writes: Many[PreparedWrite], receipt: Receipt) -> list[tuple[int, str, int, str | None, int]]:
    """Position, stream, version, id and time of each event, by the receipt alone."""
    positions = count(receipt.first_position)
    return [
        (next(positions), write.stream_id, version, event.id, receipt.timestamp_us)
        for write, first in zip(writes, receipt.first_versions, strict=True)
        for version, event in enumerate(write.events, first)
    ]


def _as_read(adapter: Adapter, receipt: Receipt) -> list[tuple[int, str, int, str | None, int]]:
    last = receipt.first_position + receipt.size - 1
    return [
        (e.global_position, e.stream_id, e.version, e.id, e.timestamp_us)
        for e in adapter.read_all(Page(100, low=receipt.first_position, high=last), ANYTHING)
    ]
