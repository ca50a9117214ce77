"""Chapter "Writing", W9: what must hold of the whole store. And R5 and L1 of tags."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore.errors import AppendConditionError, ConcurrencyError
from evstore.model.conditions import AppendCondition, Query, Requirement
from evstore.model.facts import TagInfo
from evstore.model.filters import Filter
from evstore.model.versions import MAX_VERSION, NO_STREAM, STREAM_EXISTS
from evstore.port import AlreadyStored, Append, NamePage, Page, Receipt
from evstore.testing.asking import ALL_NAMES, accepted, answer, everything, facts, history, log, paged
from evstore.testing.builders import a_stream_id, a_write, an_append, an_event
from evstore.testing.clauses.racing import ROUNDS, Racing
from evstore.testing.harness import Harness
from evstore.testing.truth import TRUTH_TABLE

if TYPE_CHECKING:
    from evstore.port import Adapter

# Types and tags that a careless search mixes up: by prefix, by case, by pattern, by the text that joins them.
EVENTS: Final = (
    ("Taken", "seat:1 show:7"),
    ("Taken", "seat:12 show:7"),
    ("taken", "seat:1 show:70"),
    ("Taken", None),
    ("Freed", "seat:1 show:7 vip"),
    ("Freed", "SEAT:1 show:7"),
    ("Take_", "seat:_ show:7"),
    ("Taken", "seat:1"),
)


class Case(NamedTuple):
    query: Query
    positions: tuple[int, ...]
    """Those of EVENTS that the query matches."""

    def __str__(self) -> str:
        return str(self.query)


CASES: Final = (
    Case(Query(), (1, 2, 3, 4, 5, 6, 7, 8)),
    Case(Query(["Taken"]), (1, 2, 4, 8)),
    Case(Query(["Freed", "taken"]), (3, 5, 6)),
    Case(Query(tags=["seat:1"]), (1, 3, 5, 8)),
    Case(Query(tags=["seat:1", "show:7"]), (1, 5)),
    Case(Query(tags=["show:7", "seat:1", "vip"]), (5,)),
    Case(Query(["Taken"], ["seat:1"]), (1, 8)),
    Case(Query(["Taken", "Freed"], ["show:7", "seat:1"]), (1, 5)),
    Case(Query(["Freed"], ["seat:12"]), ()),
    Case(Query(tags=["seat:_"]), (7,)),
    Case(Query(tags=["seat:"]), ()),
    Case(Query(["Missing"]), ()),
    Case(Query(["Missing", "Take_"]), (7,)),
    Case(Query(tags=["missing"]), ()),
    Case(Query(["Taken"], ["seat:1", "missing"]), ()),
    Case(Query(["taken"]) | Query(tags=["vip"]), (3, 5)),
    Case(Query(tags=["seat:12"]) | Query(["Freed"], ["seat:1"]) | Query(tags=["missing"]), (2, 5)),
    Case(Query(["Taken"]) | Query(["Taken"], ["seat:1"]), (1, 2, 4, 8)),
)


def seats(adapter: Adapter) -> None:
    """Store EVENTS, from position 1."""
    adapter.append([an_append("Show-7", [an_event(type_, tags=(tags or "").split())]) for type_, tags in EVENTS])


def a_guarded(*conditions: AppendCondition, events: int = 1, requirements: tuple[Requirement, ...] = ()) -> Append:
    """A unit under these conditions."""
    return Append([a_write(events=events)], conditions=conditions, requirements=requirements)


class ConditionClauses(Harness):
    """W9: append conditions."""

    def test_W9_the_first_event_after_a_position_that_matches_refuses(self, adapter: Adapter) -> None:
        seats(adapter)
        for case, after in product(CASES, range(len(EVENTS) + 2)):
            violating = [position for position in case.positions if position > after]
            unit = a_guarded(AppendCondition(case.query, after))
            if violating:
                expected = AppendConditionError(case.query, after, violating[0])
                assert facts(answer(adapter, unit)) == facts(expected), (str(case), after)
            elif case.query.items:  # what is stored here matches none of them
                accepted(adapter, unit)

    @pytest.mark.parametrize("after", [0, 1, MAX_VERSION])
    def test_W9_nothing_violates_a_condition_in_an_empty_log(self, adapter: Adapter, after: int) -> None:
        accepted(adapter, a_guarded(AppendCondition(Query(), after)))

    def test_W9_no_event_lies_after_a_position_beyond_the_head(self, adapter: Adapter) -> None:
        seats(adapter)
        for after in (len(EVENTS), len(EVENTS) + 50, MAX_VERSION):
            accepted(adapter, a_guarded(AppendCondition(Query(["Taken"]), after)))

    def test_W9_every_violated_condition_is_reported(self, adapter: Adapter) -> None:
        seats(adapter)
        taken, missing, vip = Query(["Taken"]), Query(["Missing"]), Query(tags=["vip"])
        conditions = [AppendCondition(taken, 2), AppendCondition(missing), AppendCondition(vip, 1)]
        outcome = answer(adapter, a_guarded(*conditions))
        assert isinstance(outcome, AppendConditionError)
        assert outcome.violations == ((taken, 2, 4), (vip, 1, 5))

    def test_W9_the_events_of_the_unit_itself_do_not_count(self, adapter: Adapter) -> None:
        query = Query(["Taken"], ["seat:1"])
        for _ in range(2):  # under names that are new, and under names that are known
            after = len(log(adapter))
            events = [an_event("Taken", tags=["seat:1"]), an_event("Taken", tags=["seat:1"])]
            accepted(adapter, an_append("Show-7", events)._replace(conditions=[AppendCondition(query, after)]))

    def test_W9_the_events_of_earlier_units_of_the_call_count(self, adapter: Adapter) -> None:
        unit = [an_append("Show-7", [an_event("Taken", tags=["seat:1"])]) for _ in range(3)]
        condition = AppendCondition(Query(["Taken"], ["seat:1"]))
        outcomes = adapter.append([each._replace(conditions=[condition]) for each in unit])
        assert [type(outcome) for outcome in outcomes] == [Receipt, AppendConditionError, AppendConditionError]
        assert [each.global_position for each in log(adapter)] == [1]

    def test_W9_a_refused_unit_leaves_no_trace(self, adapter: Adapter) -> None:
        seats(adapter)
        before = everything(adapter)
        event = an_event("New", tags=["new", "seat:1"])
        for events in ([event], [event, an_event("Newer", tags=["newer"])]):
            unit = an_append("New-1", events)._replace(conditions=[AppendCondition(Query(["Taken"]))])
            assert isinstance(answer(adapter, unit), AppendConditionError)
            assert everything(adapter) == before
        accepted(adapter, an_append("New-1", [event]))

    def test_W9_ids_are_looked_at_before_conditions(self, adapter: Adapter) -> None:
        condition = AppendCondition(Query(["Taken"], ["seat:1"]))
        unit = an_append("Show-7", [an_event("Taken", tags=["seat:1"])])._replace(conditions=[condition])
        accepted(adapter, unit)
        assert isinstance(answer(adapter, unit), AlreadyStored)

    def test_W9_versions_are_looked_at_before_conditions(self, adapter: Adapter) -> None:
        seats(adapter)
        unit = an_append("Show-7", 1, NO_STREAM)._replace(conditions=[AppendCondition(Query())])
        assert isinstance(answer(adapter, unit), ConcurrencyError)

    @pytest.mark.parametrize("size", [3, 300])
    def test_W9_units_of_any_size_are_judged(self, adapter: Adapter, size: int) -> None:
        seats(adapter)
        condition = AppendCondition(Query(tags=["vip"]), 4)
        assert isinstance(answer(adapter, a_guarded(condition, events=size)), AppendConditionError)
        accepted(adapter, a_guarded(condition._replace(after=5), events=size))
        assert len(log(adapter)) == len(EVENTS) + size


class RequirementClauses(Harness):
    """W9: requirements on streams that are not written."""

    @pytest.mark.parametrize("size", [1, 3, 300])
    def test_W9_requirements_are_judged_as_the_truth_table_says(self, adapter: Adapter, size: int) -> None:
        for row in TRUTH_TABLE:
            stream_id = a_stream_id()
            if row.actual:
                accepted(adapter, an_append(stream_id, row.actual))
            before = len(log(adapter))
            refusal = row.refusal(stream_id)
            outcome = answer(adapter, a_guarded(events=size, requirements=(Requirement(stream_id, row.expected),)))
            if refusal is None:
                assert isinstance(outcome, Receipt), row
            else:
                assert facts(outcome) == facts(refusal), row
            assert len(log(adapter)) == before + (size if refusal is None else 0), row

    def test_W9_a_requirement_is_judged_by_the_store_before_the_unit(self, adapter: Adapter) -> None:
        unit = an_append("Order-1", 2)._replace(requirements=[Requirement("Order-1", NO_STREAM)])
        accepted(adapter, unit)
        again = an_append("Order-1", 2)._replace(requirements=[Requirement("Order-1", 2)])
        accepted(adapter, again)

    def test_W9_a_later_requirement_refuses_too(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1", 2))
        wanted = (Requirement("Order-1", 2), Requirement("Order-2", NO_STREAM), Requirement("Order-1", 3))
        assert facts(answer(adapter, a_guarded(requirements=wanted))) == facts(ConcurrencyError("Order-1", 3, 2))

    def test_W9_requirements_come_after_versions_and_before_conditions(self, adapter: Adapter) -> None:
        accepted(adapter, an_append("Order-1", 2))
        guards = {"requirements": [Requirement("Order-1", 7)], "conditions": [AppendCondition(Query())]}
        outcome = answer(adapter, an_append("Stock-1", 1, 9)._replace(**guards))  # type: ignore[arg-type]
        assert facts(outcome) == facts(ConcurrencyError("Stock-1", 9, 0))
        outcome = answer(adapter, an_append("Stock-1", 1)._replace(**guards))  # type: ignore[arg-type]
        assert facts(outcome) == facts(ConcurrencyError("Order-1", 7, 2))
        met = Requirement("Order-1", STREAM_EXISTS)
        outcome = answer(adapter, a_guarded(AppendCondition(Query()), requirements=(met,)))
        assert isinstance(outcome, AppendConditionError)


class ConditionRaceClauses(Racing):
    """W9 among writers."""

    @pytest.mark.parametrize("by", ["tag", "type", "both"])
    def test_W9_of_racing_writers_under_one_condition_exactly_one_wins(
        self, racers: list[Adapter], by: str
    ) -> None:
        for n in range(ROUNDS):
            type_, tag = f"Taken{n}", f"seat:{n}"
            query = Query([type_] if by != "tag" else [], [tag] if by != "type" else [])
            units = [
                an_append(events=[an_event(type_, tags=[tag])])._replace(conditions=[AppendCondition(query, n)])
                for _ in racers
            ]
            outcomes = self.race(racers, units)
            losers = [facts(outcome) for outcome in outcomes if not isinstance(outcome, Receipt)]
            assert losers == [facts(AppendConditionError(query, n, n + 1))] * (len(racers) - 1)

    def test_W9_of_racing_writers_that_require_each_others_absence_one_wins(self, racers: list[Adapter]) -> None:
        for _ in range(ROUNDS):
            one, other = a_stream_id("One"), a_stream_id("Other")
            streams = [(one, other) if n % 2 else (other, one) for n in range(len(racers))]
            units = [
                an_append(own, 1, NO_STREAM)._replace(requirements=[Requirement(absent, NO_STREAM)])
                for own, absent in streams
            ]
            outcomes = self.race(racers, units)
            assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 1


class TagClauses(Harness):
    """R5 of queries, R6 of tags, and L1 of their list."""

    def test_R5_a_query_reads_what_it_matches(self, adapter: Adapter) -> None:
        seats(adapter)
        events = log(adapter)
        for case in CASES:
            where = Filter(query=case.query)
            expected = [events[position - 1] for position in case.positions]
            assert log(adapter, where) == expected, str(case)
            assert adapter.read_all(Page(len(EVENTS), backward=True), where) == expected[::-1], str(case)
            assert history(adapter, "Show-7", where) == expected, str(case)
            assert adapter.count(1, len(EVENTS), where) == len(expected), str(case)
            for low in range(1, len(EVENTS)):
                found = adapter.read_all(Page(2, low=low, high=6), where)
                inside = [each for each in expected if low <= each.global_position <= 6]
                assert found == inside[:2], str(case)

    def test_R5_a_query_stands_beside_other_filters(self, adapter: Adapter) -> None:
        seats(adapter)
        accepted(adapter, an_append("Other-1", [an_event("Taken", correlation_id="c", tags=["seat:1", "vip"])]))
        events = log(adapter)
        others = (
            Filter(categories=("Other", "Missing")),
            Filter(categories=("Show", "Other"), types=("Taken", "Freed")),
            Filter(types=("Taken",)),
            Filter(correlation_id="c"),
            Filter(since_us=events[2].timestamp_us, until_us=events[-1].timestamp_us),
        )
        for case, other in product(CASES, others):
            where = other._replace(query=case.query)
            found = [each for each in events if where.matches(each)]
            assert log(adapter, where) == found, where
            assert adapter.count(1, len(events), where) == len(found), where

    def test_R2_pages_of_a_query_come_one_after_the_other(self, adapter: Adapter) -> None:
        tagged = [an_event(f"T{n % 3}", tags=[f"a:{n % 5}", "b"][: n % 4]) for n in range(100)]
        accepted(adapter, an_append("Show-7", tagged))
        where = Filter(query=Query(["T0", "T1"], ["a:2"]) | Query(tags=["b", "a:3"]))
        expected = [event for event in log(adapter) if where.matches(event)]
        assert len(expected) > 10
        for backward in (False, True):
            found = paged(
                lambda after, limit, backward=backward: adapter.read_all(  # type: ignore[misc]
                    Page(limit, after=after, backward=backward), where
                ),
                lambda event: event.global_position,
                3,
            )
            assert found == (expected[::-1] if backward else expected)

    def test_R6_tags_come_back_sorted_by_code_point(self, adapter: Adapter) -> None:
        tags = ["é", "z", "A", "a", "\uffff", "😀", "a:1", "a'b", 'a"b', "a%", "\\"]
        accepted(adapter, an_append("Show-7", [an_event(tags=tags), an_event()]))
        for found in (log(adapter), history(adapter, "Show-7")):
            assert [event.tags for event in found] == [tuple(sorted(tags)), ()]

    def test_L1_tags_are_listed_by_code_point_with_their_counts(self, adapter: Adapter) -> None:
        seats(adapter)
        positions: dict[str, list[int]] = {}
        for event in log(adapter):
            for tag in event.tags:
                positions.setdefault(tag, []).append(event.global_position)
        expected = [TagInfo(tag, len(its), its[0], its[-1]) for tag, its in sorted(positions.items())]
        assert adapter.tags(ALL_NAMES) == expected
        assert (
            paged(lambda after, limit: adapter.tags(NamePage(limit, after)), lambda info: info.tag, 2) == expected
        )
        for prefix in ("seat", "seat:1", "SEAT", "seat:_", "%", "vip", "vip2"):
            found = adapter.tags(NamePage(10, prefix=prefix))
            assert found == [info for info in expected if info.tag.startswith(prefix)]
