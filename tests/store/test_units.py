"""What the command line appends with: units that share commits, are looked up together, or only judged."""

from __future__ import annotations

import pytest

from evstore import (
    NO_STREAM,
    STREAM_EXISTS,
    AppendCondition,
    AppendConditionError,
    AppendOutcomeUnknownError,
    ConcurrencyError,
    EventData,
    EventIdConflictError,
    EventStore,
    EvstoreError,
    InvalidInputError,
    Query,
    StreamNotFoundError,
    UnavailableError,
    Write,
)
from evstore.adapters.memory import MemoryAdapter
from evstore.appending import outcomes
from evstore.appending.outcomes import Duplicate
from evstore.port import MOST_IN_PAGE, AlreadyStored, Receipt, SourceTaken
from evstore.testing.asking import facts
from tests.support.sentences import names


def an_id(number):
    return f"0198e5c4-7a2b-7c3d-8e4f-{number:012x}"


def event(number):
    return EventData("Placed", number, id=an_id(number))


def unit_of(store, number, expected=-1, stream_id="Order-1"):
    return store.appender.unit([(stream_id, [event(number)], expected)])


def numbers(found):
    return [each.data for each in found]


# --- in turn ---


def test_units_in_turn_are_all_stored_in_order(store):
    receipts = list(store.appender.submit_in_order([unit_of(store, n, expected=n) for n in range(5)]))
    assert [(each.first_position, each.size) for each in receipts] == [(n, 1) for n in range(1, 6)]
    assert numbers(store.read("Order-1")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("bad", range(4))
def test_the_first_unit_in_turn_that_is_refused_is_raised_and_none_behind_it_is_made(store, bad):
    units = [unit_of(store, n, expected=77 if n == bad else -1) for n in range(4)]
    done = []
    with pytest.raises(ConcurrencyError) as raised:
        for receipt in store.appender.submit_in_order(units):
            done.append(receipt.first_position)
    assert (raised.value.expected, raised.value.actual) == (77, bad)
    assert done == list(range(1, bad + 1))
    assert numbers(store.replay()) == list(range(bad))


@pytest.mark.parametrize(
    "stored", [[], [0], [0, 1, 2], [2], [1, 3], [0, 2, 4], [4], [3, 4], [0, 1, 2, 3, 4]], ids=str
)
def test_units_in_turn_pass_over_what_is_stored_already(store, stored):
    for number in stored:
        store.append("Order-1", [event(number)])
    done = list(store.appender.submit_in_order([unit_of(store, n) for n in range(5)]))
    found = [list(store.appender.stored_of(unit_of(store, n), outcome)) for n, outcome in enumerate(done)]
    assert [numbers(each) for each in found] == [[n] for n in range(5)]
    assert numbers(store.replay()) == [*stored, *(n for n in range(5) if n not in stored)]
    assert [each for (each,) in found] == [store.get(an_id(n)) for n in range(5)]


def test_a_unit_in_turn_whose_id_holds_something_else_is_a_conflict_and_ends_it(store):
    store.append("Order-2", [event(2)])
    with pytest.raises(EventIdConflictError) as raised:
        list(store.appender.submit_in_order([unit_of(store, n) for n in range(4)]))
    assert raised.value.event_id == an_id(2)
    assert names(raised.value, '"Order-2"')
    assert numbers(store.read("Order-1")) == [0, 1]


def test_no_units_in_turn_are_nothing(store):
    assert list(store.appender.submit_in_order([])) == []


class Noting(MemoryAdapter):
    """Notes how many units its calls get, and how many ids are looked up. It answers as after a lost answer if it
    `forgets` its first, and cannot be reached after so many `lookups`."""

    def __init__(self, *, forgets=False, lookups=99):
        super().__init__()
        self.forgets = forgets
        self.lookups = lookups
        self.calls = []

    def append(self, units, *, until_refused=False):
        self.calls.append(len(units))
        outcomes = super().append(units, until_refused=until_refused)
        if not self.forgets:
            return outcomes
        self.forgets = False
        return [AlreadyStored([*units[0].ids()], after_lost_answer=True)]

    def get(self, ids):
        self.lookups -= 1
        if self.lookups < 0:
            raise UnavailableError("gone")
        return super().get(ids)


def test_units_in_turn_that_are_stored_already_are_not_tried_one_by_one():
    with EventStore(Noting()) as store:
        units = [unit_of(store, n) for n in range(5)]
        store.appender.submit(units[1:4])
        found = [type(each) for each in store.appender.submit_in_order(units)]
        assert found == [Receipt, Duplicate, Duplicate, Duplicate, Receipt]
        assert store._adapter.calls == [3, 5, 1]


def test_a_unit_in_turn_that_is_stored_with_other_data_is_a_conflict_behind_one_that_is_stored():
    with EventStore(Noting()) as store:
        store.append("Order-1", [event(0), event(1), EventData("Placed", "other", id=an_id(2))])
        done = []
        with pytest.raises(EventIdConflictError) as raised:
            done.extend(store.appender.submit_in_order([unit_of(store, n) for n in range(4)]))
        assert raised.value.event_id == an_id(2)
        assert store.head() == 3


def test_after_a_lost_answer_the_units_that_cannot_be_looked_up_are_unknown_and_no_others(monkeypatch):
    monkeypatch.setattr(outcomes, "MOST_IN_PAGE", 2)
    with EventStore(Noting(forgets=True, lookups=2)) as store:
        done = []
        with pytest.raises(AppendOutcomeUnknownError) as raised:
            for each in store.appender.submit_in_order([unit_of(store, n) for n in range(6)]):
                done.append(each.first.data)
        assert (done, raised.value.ids) == ([0, 1, 2], (an_id(3), an_id(4), an_id(5)))


def test_a_stored_unit_that_cannot_be_looked_up_is_unknown_for_that_reason():
    with EventStore(Noting(lookups=0)) as store:
        unit = unit_of(store, 1)
        store.appender.submit([unit])
        (unknown,) = store.appender.submit([unit])
        assert isinstance(unknown, AppendOutcomeUnknownError)
        assert (unknown.ids, str(unknown.__cause__)) == ((an_id(1),), "gone")


def test_without_a_lost_answer_units_that_cannot_be_looked_up_are_not_unknown(monkeypatch):
    monkeypatch.setattr(outcomes, "MOST_IN_PAGE", 2)
    with EventStore(Noting(lookups=2)) as store:
        units = [unit_of(store, n) for n in range(6)]
        store.appender.submit(units)
        with pytest.raises(UnavailableError, match="gone"):
            list(store.appender.submit_in_order(units))


@pytest.mark.parametrize(
    ("ids", "key", "are_new"),
    [
        ([None], None, True),
        ([an_id(1)], None, False),
        ([None, an_id(1)], None, True),
        ([an_id(1), None], None, True),
        ([None], "k", False),
        ([an_id(1), None], "k", False),
    ],
)
def test_only_a_unit_whose_ids_were_made_for_it_was_stored_by_the_try_whose_answer_was_lost(ids, key, are_new):
    """Ids that an application or its key gave may have been stored by an append before."""
    with EventStore(Noting(forgets=True)) as store:
        unit = store.appender.unit([("Order-1", [EventData("Placed", 1, id=each) for each in ids], -1)], key=key)
        (outcome,) = store.appender.submit([unit])
        assert (unit.has_new_ids, outcome.by_earlier_append) == (are_new, not are_new)


# --- looked up together ---


def test_writes_are_split_into_what_is_stored_and_what_is_not(store):
    store.append("Order-1", [event(1)])
    (stored,) = store.append("Order-1", [event(3)])
    writes = [store.appender.unit([("Order-1", [event(n)], -1)]).writes[0] for n in (3, 2)]
    assert list(store.appender.split_stored(writes)) == [(writes[0], stored), (writes[1], None)]


def test_a_write_whose_id_holds_something_else_is_a_conflict_when_split(store):
    store.append("Order-1", [event(1)])
    with pytest.raises(EventIdConflictError):
        list(store.appender.split_stored([Write("Order-1", [EventData("Placed", 2, id=an_id(1))])]))


def test_many_events_are_found_by_their_ids_and_those_that_are_not_there_left_out(store):
    many = MOST_IN_PAGE + 2
    stored = store.append("Order-1", [event(n) for n in range(many)])
    found = store.get_many([an_id(n).upper() for n in range(many + 3)])
    assert found == {each.id: each for each in stored}
    assert store.get_many([]) == {}
    with pytest.raises(InvalidInputError) as raised:
        store.get_many([an_id(1), "1"])
    assert names(raised.value, '"1"')


# --- judged ---


ONE = [("Order-9", [7], -1)]
JUDGED = {
    "fits": ([("Order-1", [7], 2)], None),
    "any version": ([("Order-1", [7], -1)], None),
    "a new stream": ([("Order-9", [7], NO_STREAM)], None),
    "twice": ([("Order-1", [7, 8], 2), ("Order-1", [9], 4)], None),
    "a new stream twice": ([("Order-9", [7], NO_STREAM), ("Order-9", [8], 1)], None),
    "a retry": ([("Order-1", [1, 2], NO_STREAM)], None),
    "another version": ([("Order-1", [7], 1)], ConcurrencyError),
    "should be new": ([("Order-1", [7], NO_STREAM)], ConcurrencyError),
    "should be there": ([("Order-9", [7], STREAM_EXISTS)], StreamNotFoundError),
    "the second is wrong": ([("Order-1", [7, 8], 2), ("Order-1", [9], 3)], ConcurrencyError),
    "partly stored": ([("Order-1", [2, 7], -1)], EventIdConflictError),
    "partly stored, and another version": ([("Order-1", [7, 2], 9)], EventIdConflictError),
    "stored elsewhere": ([("Order-9", [1], -1)], EventIdConflictError),
    "requirements that are met": (ONE, None, {"require": [("Order-1", 2), ("Order-8", NO_STREAM)]}),
    "another version is required": (ONE, ConcurrencyError, {"require": [("Order-8", NO_STREAM), ("Order-1", 1)]}),
    "a stream is required": (ONE, StreamNotFoundError, {"require": [("Order-8", STREAM_EXISTS)]}),
    "no event matches": (ONE, None, {"unless": Query(["Paid"])}),
    "no later event matches": (ONE, None, {"unless": AppendCondition(Query(["Placed"]), 2)}),
    "an event matches": (ONE, AppendConditionError, {"unless": Query(["Placed"])}),
    "a later event matches": (ONE, AppendConditionError, {"unless": AppendCondition(Query(["Placed"]), 1)}),
    "a source was taken so far": (ONE, None, {"source": ("orders.csv", 5)}),
    "a source goes on": (ONE, None, {"source": ("orders.csv", 6)}),
    "a source of a similar name": (ONE, None, {"source": ("orders", 1)}),
    "a retry, of a source": ([("Order-1", [2], -1)], None, {"source": ("orders.csv", 6)}),
}


@pytest.mark.parametrize("judged", JUDGED.values(), ids=JUDGED)
def test_a_unit_is_judged_as_appending_it_would_be_and_nothing_is_written(store, judged):
    writes, error, options = (*judged, {})[:3]
    store.append("Order-1", [event(1), event(2)], source=("orders.csv", 5))
    before = list(store.replay()), list(store.streams()), list(store.sources())
    unit = store.appender.unit(
        [(stream_id, [event(n) for n in each], expected) for stream_id, each, expected in writes], **options
    )
    found = refused = None
    try:
        found = store.appender.found_stored(unit)
    except EvstoreError as raised:
        refused = raised
    assert type(refused) is (error or type(None))
    assert (list(store.replay()), list(store.streams()), list(store.sources())) == before
    (outcome,) = store.appender.submit([unit])
    assert facts(outcome if isinstance(outcome, EvstoreError) else None) == facts(refused)
    if not refused:
        reasons = {Receipt: None, SourceTaken: outcome, Duplicate: getattr(outcome, "first", None)}
        assert found == reasons[type(outcome)]


def test_a_unit_that_is_submitted_again_is_a_duplicate_also_where_its_ids_were_made_for_it(store):
    units = [store.appender.unit([("Order-1", [EventData("Placed", number)], -1)]) for number in range(3)]
    first, *others = units
    assert store.appender.submit([first])[0].first_position == 1
    assert [each.by_earlier_append for each in store.appender.submit([first, first])] == [True, True]
    assert [each.first_position for each in store.appender.submit(others)] == [2, 3]
    assert [each.by_earlier_append for each in store.appender.submit_in_order(units)] == [True, True, True]


def test_the_head_is_the_position_of_the_last_event(store):
    assert store.head() == 0
    store.append("Order-1", [event(1), event(2)])
    assert store.head() == 2
