"""Chapter "Writing", W12: how far outside sources were taken. And L1 of their list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from evstore.errors import AppendConditionError, ConcurrencyError, PositionConflictError
from evstore.model.conditions import AppendCondition, Query, Requirement
from evstore.model.consumers import WHOLE
from evstore.model.facts import SourceInfo
from evstore.model.sources import Source
from evstore.model.versions import MAX_VERSION, NO_STREAM
from evstore.port import AlreadyStored, Append, NamePage, Receipt, SourceTaken
from evstore.testing.asking import ALL_NAMES, accepted, answer, everything, facts, log, paged
from evstore.testing.builders import a_write, an_append, an_event
from evstore.testing.clauses.consuming import consumers_of
from evstore.testing.clauses.listing import NAMES, PREFIXES
from evstore.testing.clauses.racing import ROUNDS, Racing
from evstore.testing.harness import CONSUMERS, DURABLE, STEPS_APPEND, Harness

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.port import Adapter

FILE: Final = "orders.csv"
SIZES: Final = (1, 3, 300)
"""Adapters have ways of their own for one event, for few and for many."""

each_size = pytest.mark.parametrize("size", SIZES)


def taking(position: int, name: str = FILE, *, events: int = 1) -> Append:
    """A unit that takes a source up to this position."""
    return Append([a_write(events=events)], source=Source(name, position))


class SourceClauses(Harness):
    """W12: sources and their positions."""

    @each_size
    def test_W12_a_position_is_taken_once_and_only_a_greater_one_later(self, adapter: Adapter, size: int) -> None:
        stored = 0
        for position, last in (
            (5, None),
            (5, 5),
            (4, 5),
            (0, 5),
            (6, 5),
            (6, 6),
            (MAX_VERSION, 6),
            (7, MAX_VERSION),
        ):
            outcome = answer(adapter, taking(position, events=size))
            if last is None or position > last:
                assert isinstance(outcome, Receipt), (position, outcome)
                stored += size
            else:
                assert outcome == SourceTaken(FILE, last), position
            assert len(log(adapter)) == stored
        assert adapter.sources(ALL_NAMES) == [SourceInfo(FILE, MAX_VERSION, 3 * size)]

    @each_size
    def test_W12_positions_begin_at_zero(self, adapter: Adapter, size: int) -> None:
        accepted(adapter, taking(0, events=size))
        assert answer(adapter, taking(0, events=size)) == SourceTaken(FILE, 0)

    def test_W12_sources_are_told_apart_by_every_character_of_their_names(self, adapter: Adapter) -> None:
        for number, name in enumerate(NAMES):
            accepted(adapter, taking(number, name))
        for number, name in enumerate(NAMES):
            assert answer(adapter, taking(number, name)) == SourceTaken(name, number)
        assert len(log(adapter)) == len(NAMES)

    @each_size
    def test_W12_it_is_known_in_a_stream_and_under_names_that_are_known(self, adapter: Adapter, size: int) -> None:
        for position, last in ((1, None), (2, None), (2, 2), (1, 2), (3, None)):
            events = [an_event() for _ in range(size)]
            outcome = answer(adapter, an_append("Order-1", events)._replace(source=Source(FILE, position)))
            assert isinstance(outcome, Receipt) if last is None else outcome == SourceTaken(FILE, last)
        assert [event.version for event in log(adapter)] == list(range(1, 3 * size + 1))

    @each_size
    def test_W12_a_taken_unit_leaves_no_trace(self, adapter: Adapter, size: int) -> None:
        accepted(adapter, taking(7))
        before = everything(adapter)
        unit = an_append("New-1", [an_event("New", tags=["new"]) for _ in range(size)])
        for position in (7, 3):
            taken = unit._replace(source=Source(FILE, position))
            assert answer(adapter, taken) == SourceTaken(FILE, 7)
            assert everything(adapter) == before
        accepted(adapter, unit._replace(source=Source(FILE, 8)))

    @each_size
    def test_W12_a_refused_unit_records_no_position(self, adapter: Adapter, size: int) -> None:
        accepted(adapter, an_append("Order-1", [an_event("Taken")]))
        before = everything(adapter)
        unit, expecting = taking(9, events=size), Append([a_write("New-1", size, 7)], source=Source(FILE, 9))
        for refused in (
            unit._replace(conditions=[AppendCondition(Query(["Taken"]))]),
            unit._replace(requirements=[Requirement("Order-1", NO_STREAM)]),
            unit._replace(first_position=9),
            expecting,
        ):
            assert isinstance(answer(adapter, refused), Exception)
            assert everything(adapter) == before
        accepted(adapter, unit)

    @each_size
    def test_W12_ids_are_looked_at_before_sources(self, adapter: Adapter, size: int) -> None:
        unit = taking(5, events=size)
        accepted(adapter, unit)
        outcome = answer(adapter, unit)
        assert isinstance(outcome, AlreadyStored)
        assert sorted(outcome.ids) == sorted(unit.ids())

    @each_size
    def test_W12_stored_ids_record_no_position(self, adapter: Adapter, size: int) -> None:
        unit = taking(5, events=size)
        accepted(adapter, unit)
        for source in (Source(FILE, 6), Source("other.csv", 1)):
            assert isinstance(answer(adapter, unit._replace(source=source)), AlreadyStored)
        assert adapter.sources(ALL_NAMES) == [SourceInfo(FILE, 5, size)]

    @each_size
    def test_W12_the_first_position_comes_before_sources_and_these_before_the_rest(
        self, adapter: Adapter, size: int
    ) -> None:
        accepted(adapter, taking(5))
        unit = Append(
            [a_write("Order-1", size, 7)],
            conditions=[AppendCondition(Query())],
            requirements=[Requirement("Order-1", 7)],
            source=Source(FILE, 5),
        )
        outcome = answer(adapter, unit._replace(first_position=9))
        assert facts(outcome) == facts(PositionConflictError(9, 2))
        assert answer(adapter, unit) == SourceTaken(FILE, 5)
        outcome = answer(adapter, unit._replace(source=Source(FILE, 6)))
        assert facts(outcome) == facts(ConcurrencyError("Order-1", 7, 0))

    def test_W12_conditions_and_requirements_hold_beside_a_source(self, adapter: Adapter) -> None:
        condition = AppendCondition(Query(["Taken"]))
        unit = taking(1)._replace(conditions=[condition], requirements=[Requirement("Order-1", NO_STREAM)])
        accepted(adapter, unit)
        accepted(adapter, an_append("Order-2", [an_event("Taken")]))
        outcome = answer(adapter, taking(2)._replace(conditions=[condition]))
        assert facts(outcome) == facts(AppendConditionError(condition.query, 0, 2))

    def test_W12_units_of_one_call_see_the_sources_of_earlier_ones(self, adapter: Adapter) -> None:
        units = [taking(1), taking(2), taking(2), taking(1, "other.csv"), taking(1), taking(3)]
        outcomes = adapter.append(units)
        assert [type(outcome) for outcome in outcomes] == [
            Receipt, Receipt, SourceTaken, Receipt, SourceTaken, Receipt,
        ]  # fmt: skip
        assert (outcomes[2], outcomes[4]) == (SourceTaken(FILE, 2), SourceTaken(FILE, 2))
        assert [event.id for event in log(adapter)] == [i for n in (0, 1, 3, 5) for i in units[n].ids()]

    def test_W12_a_refused_unit_of_a_call_does_not_count_for_later_ones(self, adapter: Adapter) -> None:
        refused = Append([a_write("Order-1", 1, 7)], source=Source(FILE, 9))
        outcomes = adapter.append([refused, taking(8)])
        assert [type(outcome) for outcome in outcomes] == [ConcurrencyError, Receipt]

    def test_W12_a_taken_unit_ends_a_call_that_goes_until_one_is_refused(self, adapter: Adapter) -> None:
        outcomes = adapter.append([taking(1), taking(1), taking(2)], until_refused=True)
        assert [type(outcome) for outcome in outcomes] == [Receipt, SourceTaken]
        assert len(log(adapter)) == 1

    def test_W12_a_position_is_there_when_the_store_is_opened_again(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, DURABLE)
        accepted(adapter, taking(5))
        adapter.close()
        again = another()
        assert again.sources(ALL_NAMES) == [SourceInfo(FILE, 5, 1)]
        assert answer(again, taking(5)) == SourceTaken(FILE, 5)

    def test_W12_a_step_records_a_source_with_what_it_stores_or_not_at_all(self, adapter: Adapter) -> None:
        self.needs(adapter, CONSUMERS)
        self.needs(adapter, STEPS_APPEND)
        consumers = consumers_of(adapter)
        consumers.add("reader", "{}", 0)
        hold = consumers.hold("reader", [WHOLE])

        def take(position: int, error: type[Exception] | None = None) -> None:
            with consumers.step(hold) as step:
                assert isinstance(step.append(taking(position)), Receipt)
                assert step.append(taking(position)) == SourceTaken(FILE, position)
                if error:
                    raise error

        with pytest.raises(KeyError):
            take(7, KeyError)
        assert adapter.sources(ALL_NAMES) == []
        take(5)
        for position in (6, 9):
            with pytest.raises(KeyError):
                take(position, KeyError)
            assert adapter.sources(ALL_NAMES) == [SourceInfo(FILE, 5, 1)]
        take(6)
        hold.release()
        assert answer(adapter, taking(6)) == SourceTaken(FILE, 6)
        assert len(log(adapter)) == 2

    def test_L1_sources_are_listed_by_code_point_with_their_last_positions(self, adapter: Adapter) -> None:
        assert adapter.sources(ALL_NAMES) == []
        units = [taking(position, name) for position in (1, 2) for name in NAMES]
        adapter.append(units)
        expected = [SourceInfo(name, 2, len(NAMES) + NAMES.index(name) + 1) for name in sorted(NAMES)]
        assert adapter.sources(ALL_NAMES) == expected
        for limit in (1, 2, 7):
            found = paged(
                lambda after, most: adapter.sources(NamePage(most, after)), lambda info: info.source, limit
            )
            assert found == expected
        for prefix in PREFIXES:
            named = [info for info in expected if info.source.startswith(prefix)]
            assert adapter.sources(NamePage(100, prefix=prefix)) == named
            assert adapter.sources(NamePage(1, prefix=prefix)) == named[:1]
        assert adapter.sources(NamePage(0)) == []


class SourceRaceClauses(Racing):
    """W12 among writers."""

    @each_size
    def test_W12_of_racing_writers_with_one_position_exactly_one_wins(
        self, racers: list[Adapter], size: int
    ) -> None:
        rounds = ROUNDS if size < max(SIZES) else 2
        for position in range(rounds):
            outcomes = self.race(racers, [taking(position, events=size) for _ in racers])
            losers = [outcome for outcome in outcomes if not isinstance(outcome, Receipt)]
            assert losers == [SourceTaken(FILE, position)] * (len(racers) - 1)
        assert len(log(racers[0])) == rounds * size
