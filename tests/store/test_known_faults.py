"""Faults that other stores had with append conditions; none of them here.

A sentence each. Where a clause of `evstore.testing` shows it already, on every adapter, `SHOWN_BY` names the clause:

- The check is a SELECT beside the INSERT, so that racing writers all commit: W9.
- Positions are reserved outside the transaction, so that the head runs ahead of the data: R3 and W2.
- A conflict in the index of a stream is reported as a duplicate event: W3.
- A rewritten event loses its tags and is invisible to conditions: W10.
- A condition costs by the log, and more the longer it grows: what it looks up is counted in the `test_plans` of SQLite
  (`test_a_condition_costs_…`) and of PostgreSQL (`test_a_function_looks_few_entries_up_in_its_indexes`).

The others are tests here, by their sentence.
"""

from __future__ import annotations

from functools import partial
from time import monotonic

import pytest

import evstore.testing
from evstore import AppendConditionError, EventData, Query, connect
from evstore.testing.asking import together
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite_too("conditions are judged by statements, inside transactions")

ROUNDS = 8
SHOWN_BY = {
    "the check is a SELECT beside the INSERT": ("test_W9_of_racing_writers_under_one_condition_exactly_one_wins",),
    "positions are reserved outside the transaction": (
        "test_R3_a_reader_beside_writers_sees_every_position_in_order",
        "test_R3_below_a_position_that_was_shown_nothing_is_missing",
        "test_W2_a_race_with_losers_leaves_no_gap",
    ),
    "a conflict in the index of a stream is reported as a duplicate event": (
        "test_W3_of_racing_writers_with_one_expectation_exactly_one_wins",
    ),
    "a rewritten event loses its tags": ("test_W10_type_and_tags_of_a_redacted_event_still_match",),
}


def an_event(*tags, type="Taken", **more):
    return EventData(type, {}, tags=tags, **more)


@pytest.fixture
def racers(adapter, url, store):
    """Four stores that are one: each a connection of its own, where the store can have several."""
    if adapter == "memory":
        yield [store] * 4
        return
    made = [connect(url) for _ in range(4)]
    yield made
    for each in made:
        each.close()


def refused(append):
    """The error of a refused append, None if it was accepted."""
    try:
        append()
    except AppendConditionError as error:
        return error
    return None


@pytest.mark.parametrize("fault", SHOWN_BY)
def test_a_clause_shows_that_the_fault_is_not_here(fault):
    assert [name for name in SHOWN_BY[fault] if not hasattr(evstore.testing.AdapterContract, name)] == []


@pytest.mark.parametrize("moment", ["head", "read_all"])
def test_an_event_that_comes_while_the_boundary_is_read_refuses_the_append(store, racers, monkeypatch, moment):
    other = racers[1]
    store.append("Show-1", [an_event("seat:1")])
    real, came = getattr(type(store._adapter), moment), []

    def then_another_appends(*words, **more):
        found = real(store._adapter, *words, **more)
        if not came:
            came.append(1)
            came.extend(other.append("Show-2", [an_event("seat:1")]))
        return found

    monkeypatch.setattr(store._adapter, moment, then_another_appends)
    decision = store.decide(Query(tags=["seat:1"]))
    assert [event.global_position for event in decision.events] == [1]
    assert came, "the other event came too late for this test"
    error = refused(lambda: store.append("Show-3", [an_event("seat:1")], unless=decision))
    assert error is not None
    assert (error.after, error.position) == (1, 2)


def test_a_boundary_ends_at_the_head_and_not_at_its_last_event(store):
    store.append("Show-1", [an_event("seat:1"), an_event("seat:2"), an_event("seat:3")])
    decision = store.decide(Query(tags=["seat:1"]))
    assert (decision.after, len(decision.events)) == (3, 1)
    assert store.decide(Query(tags=["missing"])).after == 3


def test_a_condition_that_names_a_tag_twice_refuses_as_with_the_tag_once(store):
    first = store.append("Seat-1", [an_event("seat:12")])
    twice = Query(["Taken", "Taken"], ["seat:12", "seat:12"])
    assert [*store.replay(query=twice)] == [*store.replay(tags=["seat:12", "seat:12"])] == first
    with pytest.raises(AppendConditionError):
        store.append("Seat-2", [an_event("seat:12")], unless=twice)


def test_a_boundary_of_two_tags_admits_no_write_skew(racers):
    for n in range(ROUNDS):
        tags = [f"doctor:{n}a", f"doctor:{n}b"]
        query = Query(tags=[tags[0]]) | Query(tags=[tags[1]])
        decisions = [racer.decide(query) for racer in racers]
        jobs = [
            partial(
                refused, partial(racer.append, f"Shift-{n}{at}", [an_event(tags[at % 2])], unless=decisions[at])
            )
            for at, racer in enumerate(racers)
        ]
        outcomes = together(jobs, PATIENCE)
        assert outcomes.count(None) == 1, outcomes


def test_a_condition_on_every_event_holds_against_scoped_appends(racers):
    whole, *scoped = racers
    for n in range(ROUNDS):
        decision = whole.decide(Query())
        jobs = [partial(refused, partial(whole.append, "All-1", [an_event()], unless=decision))]
        jobs += [
            partial(refused, partial(racer.append, f"One-{n}{at}", [an_event(f"one:{at}")], unless=racer.decide(Query(tags=[f"one:{n}:{at}"]))))
            for at, racer in enumerate(scoped)
        ]  # fmt: skip
        outcome, *others = together(jobs, PATIENCE)
        assert others == [None] * len(scoped)
        (first,) = whole.replay(after=decision.after, limit=1)
        assert (first.stream_id == "All-1") == (outcome is None)


def test_writers_of_disjoint_boundaries_never_refuse_each_other(racers):
    for _ in range(ROUNDS):
        decisions = [racer.decide(Query(["Taken"], [f"seat:{at}"])) for at, racer in enumerate(racers)]
        jobs = [
            partial(refused, partial(racer.append, f"Seat-{at}", [an_event(f"seat:{at}")], unless=decisions[at]))
            for at, racer in enumerate(racers)
        ]
        assert together(jobs, PATIENCE) == [None] * len(racers)


def test_a_boundary_that_is_read_twice_does_not_conflict_with_its_own_append(store):
    query = Query(tags=["seat:1"])
    for n in range(3):
        decisions = [store.decide(query), store.decide(query)]
        store.append("Show-1", [an_event("seat:1"), an_event("seat:1")], unless=decisions)
        assert len(store.decide(query).events) == 2 * (n + 1)


def test_a_retry_under_a_condition_that_its_own_event_matches_is_a_duplicate(store):
    decision = store.decide(Query(tags=["seat:1"]))
    event = an_event("seat:1", id="01890000-0000-7000-8000-000000000001")
    first = store.append("Show-1", [event], unless=decision)
    again = store.append("Show-1", [event], unless=decision)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again == first
    assert store.head() == 1


def test_a_reader_beside_writers_with_and_without_conditions_skips_nothing(racers):
    reader, *writers = racers
    total = ROUNDS * 4 * len(writers)

    def write(at, writer):
        for n in range(ROUNDS * 4):
            tag = f"seat:{at}:{n}"
            writer.append(f"Show-{at}", [an_event(tag)], unless=Query(tags=[tag]) if (at + n) % 2 else None)

    def read():
        seen, end = [], monotonic() + PATIENCE
        while len(seen) < total and monotonic() < end:
            # It looks again from where it was, as a projection does.
            seen += [e.global_position for e in reader.replay(after=seen[-1] if seen else 0)]
        return seen

    jobs = [*(partial(write, at, writer) for at, writer in enumerate(writers)), read]
    assert together(jobs, PATIENCE)[-1] == [*range(1, total + 1)]
