"""Chapter "Writing", W3 to W5 and W8: which units are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evstore.errors import ConcurrencyError, PositionConflictError, StreamNotFoundError
from evstore.model.versions import ANY_VERSION, NO_STREAM, STREAM_EXISTS
from evstore.port import AlreadyStored, Append, Receipt
from evstore.testing.asking import accepted, answer, facts, history, log
from evstore.testing.builders import (
    MORE_THAN_A_STATEMENT_BINDS,
    a_stream_id,
    a_write,
    an_append,
    an_event,
    an_id,
)
from evstore.testing.harness import Harness
from evstore.testing.truth import REFUSED_ROWS, TRUTH_TABLE, N, Row

if TYPE_CHECKING:
    from evstore.port import Adapter


class VersionClauses(Harness):
    """W3 and W4: what a writer expects of a stream."""

    @pytest.mark.parametrize("row", TRUTH_TABLE, ids=str)
    def test_W3_expectations_are_judged_as_the_truth_table_says(self, adapter: Adapter, row: Row) -> None:
        stream_id = a_stream_id()
        if row.actual:
            accepted(adapter, an_append(stream_id, row.actual))
        outcome = answer(adapter, an_append(stream_id, 2, row.expected))
        refusal = row.refusal(stream_id)
        if refusal is None:
            assert isinstance(outcome, Receipt)
        else:
            assert facts(outcome) == facts(refusal)
        assert len(history(adapter, stream_id)) == row.actual + (2 if refusal is None else 0)

    def test_W3_an_expectation_is_judged_where_its_write_stands(self, adapter: Adapter) -> None:
        expectations = [(NO_STREAM, 2), (2, 1), (STREAM_EXISTS, 1), (4, 2), (ANY_VERSION, 1), (7, 1)]
        unit = Append([a_write("Order-1", events, expected) for expected, events in expectations])
        assert list(accepted(adapter, unit).first_versions) == [1, 3, 4, 5, 7, 8]

    @pytest.mark.parametrize("expected", [NO_STREAM, 1, 2, 4])
    def test_W3_a_refusal_tells_the_version_where_its_write_stands(self, adapter: Adapter, expected: int) -> None:
        accepted(adapter, an_append("Order-1"))
        unit = Append([a_write("Order-1", 2, 1), a_write("Stock-1"), a_write("Order-1", 1, expected)])
        assert facts(answer(adapter, unit)) == facts(ConcurrencyError("Order-1", expected, N))

    def test_W3_the_first_refused_write_of_a_unit_is_the_one_told(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1"))
        conflict, missing = a_write("Order-1", 1, NO_STREAM), a_write("Order-2", 1, STREAM_EXISTS)
        assert isinstance(answer(adapter, Append([conflict, missing])), ConcurrencyError)
        assert isinstance(answer(adapter, Append([missing, conflict])), StreamNotFoundError)

    @pytest.mark.parametrize("version", [0, 1, N])
    def test_W4_any_version_never_conflicts(self, adapter: Adapter, version: int) -> None:
        if version:
            accepted(adapter, an_append("Order-1", version))
        receipt = accepted(adapter, an_append("Order-1", 1, ANY_VERSION))
        assert list(receipt.first_versions) == [version + 1]

    def test_W4_any_version_never_conflicts_within_a_unit(self, adapter: Adapter) -> None:
        unit = Append([a_write("Order-1", 1, ANY_VERSION) for _ in range(4)])
        assert list(accepted(adapter, unit).first_versions) == [1, 2, 3, 4]


class IdClauses(Harness):
    """W5: ids that the store holds already."""

    def test_W5_a_unit_that_is_stored_already_is_held(self, adapter: Adapter) -> None:
        unit = Append([a_write(events=2), a_write(events=3)])
        accepted(adapter, unit)
        assert _held(adapter, unit) == set(unit.ids())
        assert len(log(adapter)) == len([*unit.ids()])

    def test_W5_a_unit_larger_than_what_a_statement_can_bind_is_stored_and_then_held(
        self, adapter: Adapter
    ) -> None:
        self.needs_room(adapter, MORE_THAN_A_STATEMENT_BINDS)
        unit = an_append(events=MORE_THAN_A_STATEMENT_BINDS)
        assert accepted(adapter, unit).size == MORE_THAN_A_STATEMENT_BINDS
        assert {event.id for event in adapter.get([*unit.ids()])} == set(unit.ids())
        assert _held(adapter, unit) == set(unit.ids())

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_W5_of_a_unit_held_in_part_the_held_ids_are_told(self, adapter: Adapter, place: int) -> None:
        stored = a_write("Order-1", 2)
        accepted(adapter, Append([stored]))
        writes = [a_write("Order-1"), a_write("Order-2")]
        writes.insert(place, stored)
        assert _held(adapter, Append(writes)) == {event.id for event in stored.events}
        assert len(log(adapter)) == len(stored.events)

    def test_W5_an_id_is_held_whatever_the_stream_type_and_data(self, adapter: Adapter) -> None:
        known = an_id()
        accepted(adapter, an_append("Order-1", [an_event("Placed", "1", id=known)]))
        unit = an_append("Stock-1", [an_event("Counted", "2", id=known), an_event()])
        assert _held(adapter, unit) == {known}

    def test_W5_ids_are_looked_at_before_versions(self, adapter: Adapter) -> None:
        held = a_write("Stock-1")
        accepted(adapter, Append([held]))
        for row in REFUSED_ROWS:
            stream_id = a_stream_id()
            if row.actual:
                accepted(adapter, an_append(stream_id, row.actual))
            # The id stands after the write whose version is refused.
            unit = Append([a_write(stream_id, 1, row.expected), held])
            assert _held(adapter, unit) == {event.id for event in held.events}, row

    def test_W5_a_retry_is_held_whatever_version_its_stream_has_by_now(self, adapter: Adapter) -> None:
        unit = an_append("Order-1", 2, NO_STREAM)
        accepted(adapter, unit)
        accepted(adapter, an_append("Order-1", 3))
        assert _held(adapter, unit) == set(unit.ids())

    def test_W5_an_id_of_an_earlier_unit_of_the_same_call_is_held(self, adapter: Adapter) -> None:
        unit = an_append("Order-1", 2)
        first, again = adapter.append([unit, unit])
        assert isinstance(first, Receipt)
        assert isinstance(again, AlreadyStored)
        assert set(again.ids) == set(unit.ids())
        assert len(log(adapter)) == len([*unit.ids()])

    def test_W5_an_id_of_a_refused_unit_is_free(self, adapter: Adapter) -> None:
        events = [an_event(), an_event()]
        refused, stored = an_append("Order-1", events, 7), an_append("Order-1", events, NO_STREAM)
        outcomes = adapter.append([refused, stored])
        assert [type(outcome) for outcome in outcomes] == [ConcurrencyError, Receipt]
        refused, stored = an_append("Order-2", 1, 7), an_append("Order-2", 1)
        answer(adapter, refused)
        assert isinstance(answer(adapter, stored), Receipt)


def _held(adapter: Adapter, unit: Append) -> set[str]:
    outcome = answer(adapter, unit)
    assert isinstance(outcome, AlreadyStored), f"not held: {outcome!r}"
    ids = list(outcome.ids)
    assert len(ids) == len(set(ids))
    return set(ids)


class PositionClauses(Harness):
    """W8: where a unit must begin."""

    @pytest.mark.parametrize("size", [1, 3])
    def test_W8_a_unit_that_names_the_next_position_is_stored_there(self, adapter: Adapter, size: int) -> None:
        for first in (1, size + 1):
            receipt = accepted(adapter, an_append(events=size, first_position=first))
            assert receipt.first_position == first

    @pytest.mark.parametrize("named", [1, 2, 4, 2**63 - 1])
    def test_W8_a_unit_that_names_another_position_is_refused(self, adapter: Adapter, named: int) -> None:
        accepted(adapter, an_append(events=2))
        (outcome,) = adapter.append([an_append(first_position=named)])
        assert isinstance(outcome, PositionConflictError)
        assert (outcome.expected, outcome.actual) == (named, 3)
        assert len(log(adapter)) == 2

    def test_W8_each_unit_of_a_call_is_judged_where_it_stands(self, adapter: Adapter) -> None:
        outcomes = adapter.append([an_append(first_position=position) for position in (1, 2, 2, 3)])
        stored = [each.first_position if isinstance(each, Receipt) else None for each in outcomes]
        assert stored == [1, 2, None, 3]

    def test_W8_ids_are_looked_at_before_the_position(self, adapter: Adapter) -> None:
        unit = an_append(first_position=1)
        accepted(adapter, unit)
        (outcome,) = adapter.append([unit])
        assert isinstance(outcome, AlreadyStored)

    def test_W8_the_position_is_looked_at_before_the_versions(self, adapter: Adapter) -> None:
        (outcome,) = adapter.append([an_append("Order-1", expected=7, first_position=2)])
        assert isinstance(outcome, PositionConflictError)
