"""A log that is moved is the same log: ids, times, positions, versions and text."""

from __future__ import annotations

from unittest import mock

import pytest

from evstore import (
    AppendOutcomeUnknownError,
    ConcurrencyError,
    ConflictError,
    EventData,
    EventIdConflictError,
    InvalidInputError,
    InvalidPayloadError,
    InvalidStreamIdError,
    Metadata,
    PositionConflictError,
    StoredEvent,
    connect,
)
from evstore.port import Append, outcome_unknown
from evstore.transfer import BATCH_CHARACTERS, BATCH_EVENTS, arrival, import_events
from tests.support.sentences import names

HOSTILE = ["1e400", "-0", '"\\u0000 \\ud83d\\ude00"', '{"b":1.10,"a":[],"a":{}}', '" \x7f\u2028\ufeff"', "1" * 30]


def source_of(count, streams=3):
    """A log of another store: several streams in turn, times that step back, payloads that must stay as they are."""
    with connect("memory:") as other:
        writes = [
            (
                f"Order-{n % streams}",
                [EventData.from_json(f"T{n % 2}", HOSTILE[n % len(HOSTILE)], Metadata("c", str(n)))],
                -1,
            )
            for n in range(count)
        ]
        unit = other.appender.unit(writes)
        other.appender.submit([Append(unit.writes, [1_700_000_000_000_000 - n for n in range(count)])])
        return list(other.replay())


def imported(store, events, *, renumber=False):
    arrivals = (arrival(store.appender.preparing(), f"file:{n}", event) for n, event in enumerate(events, 1))
    done = list(import_events(store, arrivals, renumber=renumber))
    assert not any(each.differing for each in done)
    return sum(each.stored for each in done), sum(each.skipped for each in done)


def test_a_log_comes_out_as_it_went_in(store):
    events = source_of(30)
    assert imported(store, events) == (30, 0)
    assert list(store.replay()) == events


def test_a_log_of_several_batches_comes_out_as_it_went_in(store):
    events = source_of(2 * BATCH_EVENTS + 1)
    assert imported(store, events) == (len(events), 0)
    assert list(store.replay()) == events


def test_a_batch_is_bounded_by_its_text_as_well(store):
    text = f'"{"x" * (BATCH_CHARACTERS // 2)}"'
    events = [event._replace(data_json=text) for event in source_of(4)]
    arrivals = [arrival(store.appender.preparing(), "file", event) for event in events]
    assert len(list(import_events(store, arrivals))) == 2


def test_what_is_stored_is_passed_over(store):
    events = source_of(10)
    assert imported(store, events[:4]) == (4, 0)
    assert imported(store, events) == (6, 4)
    assert imported(store, events) == (0, 10)
    assert list(store.replay()) == events


def test_an_event_that_comes_twice_in_the_input_is_stored_once(store):
    events = source_of(3)
    assert imported(store, [events[0], events[0], events[1], events[2], events[1]]) == (3, 2)
    assert list(store.replay()) == events


def test_the_rest_of_a_log_goes_behind_its_beginning(store):
    events = source_of(10)
    imported(store, events[:7])
    assert imported(store, events[7:]) == (3, 0)
    assert list(store.replay()) == events


@pytest.mark.parametrize("missing", [0, 4])
def test_a_log_with_a_gap_stops_there_and_stores_nothing_of_its_batch(store, missing):
    events = source_of(10)
    del events[missing]
    with pytest.raises(PositionConflictError):
        imported(store, events)
    assert store.head() == 0


def test_a_gap_is_told_with_the_position_that_would_come_out(store):
    events = source_of(10)
    del events[4]
    with pytest.raises(PositionConflictError) as raised:
        imported(store, events)
    assert (raised.value.actual, raised.value.expected, raised.value.event_id) == (5, 6, None)
    assert names(raised.value, 5, 6)


def test_a_part_that_does_not_begin_where_the_log_ends_is_told_so_before_its_own_gaps(store):
    events = source_of(10)[3::2]
    with pytest.raises(PositionConflictError) as failed:
        imported(store, events)
    error = failed.value
    assert (error.source, error.actual, error.expected, error.event_id) == ("file:1", 1, 4, None)
    assert str(error).startswith("file:1: ")


CONFLICTS = {
    "a gap": (
        lambda events: [*events[:4], *events[5:]], "file:5", PositionConflictError,
        {"actual": 5, "expected": 6, "event_id": None},
    ),
    "a version": (
        lambda events: [*events[:4], events[4]._replace(version=9), *events[5:]], "file:5", ConcurrencyError,
        {"stream_id": "Order-0", "actual": 2, "expected": 8},
    ),
    "a version of the store": (
        lambda events: [*events[:2], *(each._replace(version=9) for each in events[2:3])], "file:3", ConcurrencyError,
        {"stream_id": "Order-0", "actual": 1, "expected": 8},
    ),
    "an id that is taken": (
        lambda events: [*events, events[4]._replace(data_json="0")], "file:11", EventIdConflictError, {},
    ),
    "an event that is elsewhere": (
        lambda events: [*events, events[4]._replace(global_position=11)], "file:11", PositionConflictError,
        {"actual": 5, "expected": 11},
    ),
    "an event of another version": (
        lambda events: [*events, events[4]._replace(version=9)], "file:11", ConcurrencyError,
        {"stream_id": "Order-0"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_conflict_names_its_place(store, name):
    change, place, kind, facts = CONFLICTS[name]
    events = source_of(10, streams=2)
    with pytest.raises(ConflictError) as failed:
        imported(store, change(events))
    assert type(failed.value) is kind
    assert {fact: getattr(failed.value, fact) for fact in facts} == facts
    assert getattr(failed.value, "event_id", None) in (None, events[4].id)
    assert failed.value.source == place
    assert str(failed.value).startswith(f"{place}: ")


def test_a_version_that_does_not_follow_is_refused(store):
    events = [event._replace(version=event.version + 1) for event in source_of(3, streams=1)]
    with pytest.raises(ConcurrencyError):
        imported(store, events)
    assert store.head() == 0


def test_a_store_that_holds_something_else_there_is_refused(store):
    store.append("Other-1", [EventData("T", {})])
    with pytest.raises(PositionConflictError) as failed:
        imported(store, source_of(3))
    assert (failed.value.expected, failed.value.actual) == (1, 2)
    assert store.head() == 1


def test_an_event_that_is_stored_elsewhere_is_told_with_both_places(store):
    events = source_of(3)
    imported(store, events[1:], renumber=True)
    with pytest.raises(PositionConflictError) as failed:
        imported(store, events)
    assert (failed.value.event_id, failed.value.actual, failed.value.expected) == (events[1].id, 1, 2)
    assert names(failed.value, events[1].id, 1, 2)


@pytest.mark.parametrize("change", [{"stream_id": "Order-9"}, {"type": "Other"}, {"data_json": "0"}])
def test_an_id_that_holds_something_else_is_a_conflict(store, change):
    events = source_of(3)
    imported(store, events)
    with pytest.raises(EventIdConflictError):
        imported(store, [events[0], events[1]._replace(**change)], renumber=True)


def test_renumbered_events_keep_all_but_positions_and_versions(store):
    store.append("Order-1", [EventData("T", {})])
    picked = [event for event in source_of(9) if event.stream_id != "Order-0"]
    assert imported(store, picked, renumber=True) == (6, 0)
    assert imported(store, picked, renumber=True) == (0, 6)
    found = list(store.replay(after=1))
    assert [event._replace(version=0, global_position=0) for event in found] == [
        event._replace(version=0, global_position=0) for event in picked
    ]
    assert [event.version for event in store.read("Order-1")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "error", "facts"),
    [
        ({"stream_id": ""}, InvalidStreamIdError, []),
        ({"stream_id": "$x"}, InvalidStreamIdError, ['"$x"', '"$"']),
        ({"type": "a\nb"}, InvalidInputError, ["U+000A"]),
        ({"data_json": "NaN"}, InvalidPayloadError, ["JSON"]),
        ({"metadata_json": '{"who":"me"}'}, InvalidPayloadError, ['"who"']),
        ({"version": 0}, InvalidInputError, [1]),
        ({"global_position": -1}, InvalidInputError, [1]),
        ({"version": 2**63}, InvalidInputError, [1, 9223372036854775807]),
        ({"global_position": 10**30}, InvalidInputError, [1, 9223372036854775807]),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused_at_its_place(store, change, error, facts):
    events = source_of(3)
    with pytest.raises(InvalidInputError) as failed:
        imported(store, [events[0], events[1]._replace(**change)])
    assert type(failed.value) is error
    assert names(failed.value, *facts)
    assert failed.value.source == "file:2"
    assert str(failed.value).startswith("file:2: ")


def test_two_stores_that_import_each_other_end_the_same(store):
    events: list[StoredEvent] = source_of(5)
    imported(store, events)
    with connect("memory:") as other:
        imported(other, store.replay())
        other.append("Order-1", [EventData("New", {})])
        assert imported(store, other.replay()) == (1, 5)
        assert list(store.replay()) == list(other.replay())


@pytest.mark.parametrize("stored", [True, False])
def test_an_import_whose_outcome_is_unknown_says_so(stored):
    """Also where the storage answers with the error instead of raising it."""
    events = source_of(4)
    with connect("memory:") as store:
        append = store._adapter.append

        def lost(units, **more):
            if stored:
                append(units, **more)
            return [outcome_unknown(units)]

        with mock.patch.object(store._adapter, "append", lost), pytest.raises(AppendOutcomeUnknownError) as caught:
            imported(store, events)
        assert [*caught.value.ids] == [event.id for event in events]
        assert imported(store, events) == ((0, 4) if stored else (4, 0))
