"""What an append refuses, and in which order: of several faults at once, the first one is told."""

from __future__ import annotations

from itertools import combinations

import pytest

from evstore import (
    NO_STREAM,
    STREAM_EXISTS,
    ConcurrencyError,
    EventData,
    EventIdConflictError,
    InvalidInputError,
    InvalidPayloadError,
    InvalidStreamIdError,
    InvalidVersionError,
    Metadata,
    NoEventsError,
    StoreClosedError,
    StreamNotFoundError,
    connect,
)
from tests.support.command import files
from tests.support.sentences import names, wording

ID, OTHER_ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab", "0198e5c4-7a2b-7c3d-8e4f-ba9876543210"
NOT_JSON = EventData.from_json("Placed", "NaN")

# In the order of the checks. The last two are found by the store, the others before it is asked.
FAULTS = {
    "closed": StoreClosedError,
    "stream id": InvalidStreamIdError,
    "no events": NoEventsError,
    "an event": InvalidPayloadError,
    "expected version": InvalidVersionError,
    "id stored": EventIdConflictError,
    "stream's version": ConcurrencyError,
}
# Where there are no events, none can be at fault.
TOGETHER = [
    pair
    for pair in combinations(FAULTS, 2)
    if not {"no events"} < {*pair} or not {*pair} & {"an event", "id stored"}
]


def append_with(store, faults):
    events = [] if "no events" in faults else [EventData("Placed", {})]
    if "id stored" in faults:
        events.append(EventData("Another", {}, id=ID))
    if "an event" in faults:
        events.append(NOT_JSON)
    expected = 7 if "stream's version" in faults else 1
    if "expected version" in faults:
        expected = -3
    if "closed" in faults:
        store.close()
    return store.append("-1" if "stream id" in faults else "Order-1", events, expected_version=expected)


@pytest.mark.parametrize("faults", [*TOGETHER, *((fault,) for fault in FAULTS)], ids=" and ".join)
def test_of_several_faults_the_earlier_one_is_told(store, faults):
    before = store.append("Order-1", [EventData("Placed", {}, id=ID)])
    with pytest.raises(FAULTS[faults[0]]) as raised:
        append_with(store, faults)
    assert type(raised.value) is FAULTS[faults[0]]
    if "closed" not in faults:
        assert list(store.replay()) == before


def test_without_a_fault_it_goes_through(store):
    store.append("Order-1", [EventData("Placed", {}, id=ID)])
    assert append_with(store, ())[0].version == 2


@pytest.mark.parametrize(("faults", "error"), [("closed", StoreClosedError), ("stream id", InvalidStreamIdError)])
def test_an_event_that_is_not_in_a_list_is_told_after_what_comes_before_it(faults, error):
    store = connect("memory:")
    if faults == "closed":
        store.close()
    with pytest.raises(error):
        store.append("-1" if faults == "stream id" else "Order-1", EventData("Placed", {}))


@pytest.mark.parametrize("expected", [-3, 2**63, 1.0, "1", None, True])
def test_a_wrong_expected_version_is_refused_before_anything_is_sent(tmp_path, expected):
    with connect(f"sqlite:{tmp_path}/events.db") as store, pytest.raises(InvalidVersionError):
        store.append("Order-1", [EventData("Placed", {})], expected_version=expected)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "events", [[], (), iter([]), (each for each in ())], ids=["list", "tuple", "iterator", "generator"]
)
def test_an_append_without_events_is_refused_whatever_they_do_not_come_in(store, events):
    with pytest.raises(NoEventsError):
        store.append("Order-1", events)
    with pytest.raises(NoEventsError):
        store.append_many([("Order-1", events, -1)])
    assert list(store.streams()) == []


def test_an_append_of_no_writes_is_refused(store):
    for nothing in ([], iter([])):
        with pytest.raises(NoEventsError):
            store.append_many(nothing)


def test_a_write_without_events_among_others_is_refused_and_named_and_nothing_is_stored(store):
    with pytest.raises(NoEventsError) as raised:
        store.append_many([("Order-1", [EventData("Placed", {})], -1), ("User-1", [], -1)])
    assert names(raised.value, '"User-1"')
    assert list(store.replay()) == []


UNFIT = [
    ("Placed", InvalidInputError, ["EventData", "str"]),
    ({"type": "Placed"}, InvalidInputError, ["EventData", "dict"]),
    (None, InvalidInputError, ["EventData", "NoneType"]),
    (EventData("", {}), InvalidInputError, []),
    (EventData("a\n", {}), InvalidInputError, ["U+000A"]),
    (EventData("x" * 256, {}), InvalidInputError, [256]),
    (EventData(None, {}), InvalidInputError, ["NoneType"]),
    (EventData("Placed", {}, id="7"), InvalidInputError, ['"7"']),
    (EventData("Placed", {}, id=""), InvalidInputError, ['""']),
    (EventData("Placed", {}, Metadata("\0")), InvalidPayloadError, ['"correlationId"', "U+0000"]),
    (EventData("Placed", {}, {"correlationId": "c"}), InvalidPayloadError, ["Metadata", "dict"]),
    (EventData("Placed", {}, Metadata(custom={"": ""})), InvalidPayloadError, ['"custom"']),
]


@pytest.mark.parametrize(("event", "error", "facts"), UNFIT, ids=repr)
def test_one_event_at_fault_keeps_all_of_them_out(store, event, error, facts):
    with pytest.raises(InvalidInputError) as raised:
        store.append("Order-1", [EventData("Placed", {}), event, EventData("Placed", {})])
    assert type(raised.value) is error
    assert names(raised.value, *facts)
    assert list(store.replay()) == []
    assert list(store.streams()) == list(store.types()) == []


def test_each_reason_to_refuse_an_event_has_words_of_its_own():
    def refused(event):
        with pytest.raises(InvalidInputError) as raised:
            connect("memory:").append("Order-1", [event])
        return str(raised.value)

    assert len({refused(event) for event, *_ in UNFIT}) == len(UNFIT)
    assert wording(refused(UNFIT[7][0])) == wording(refused(UNFIT[8][0]))  # an id, though it is empty


@pytest.mark.parametrize("metadata", [{"user_id": "alice"}, {}, "alice", '{"userId":"alice"}', 5, False], ids=repr)
def test_metadata_of_a_whole_append_that_is_none_is_refused_not_dropped(metadata):
    store = connect("memory:")
    with pytest.raises(InvalidPayloadError) as raised:
        store.append("Order-1", [EventData("Placed", {})], metadata=metadata)
    assert names(raised.value, "Metadata", type(metadata).__name__)
    assert list(store.replay()) == []


@pytest.mark.parametrize("custom", [["a"], None, 5, "ab"], ids=repr)
@pytest.mark.parametrize("place", ["the event's", "the append's"])
def test_custom_that_is_no_object_is_refused_also_where_it_meets_a_default(place, custom):
    both = [Metadata(custom=custom), Metadata(user_id="alice")]
    own, default = both if place == "the event's" else both[::-1]
    with pytest.raises(InvalidPayloadError) as raised:
        connect("memory:").append("Order-1", [EventData("Placed", {}, own)], metadata=default)
    with pytest.raises(InvalidPayloadError) as read:
        Metadata.from_json('{"custom":[]}')
    assert str(raised.value) == str(read.value)
    assert names(raised.value, '"custom"')


@pytest.mark.parametrize("second", [ID, ID.upper()])
def test_the_same_id_twice_in_one_append_is_refused(store, second):
    twice = [EventData("Placed", {}, id=ID), EventData("Placed", {}, id=second)]
    for append in (
        lambda: store.append("Order-1", twice),
        lambda: store.append_many([("Order-1", twice[:1], -1), ("User-1", twice[1:], -1)]),
    ):
        with pytest.raises(InvalidInputError) as raised:
            append()
        assert type(raised.value) is InvalidInputError
        assert names(raised.value, ID)
    assert list(store.replay()) == []


def test_metadata_of_an_append_is_checked_also_where_each_event_has_its_own(store):
    with pytest.raises(InvalidPayloadError):
        store.append("Order-1", [EventData("Placed", {}, Metadata(user_id="a"))], metadata=Metadata(user_id=7))
    assert store.head() == 0


def test_the_same_event_twice_in_one_append_is_two_events_if_it_has_no_id(store):
    event = EventData("Placed", {})
    stored = store.append("Order-1", [event, event])
    assert len({each.id for each in stored}) == 2


def test_a_conflict_tells_what_was_expected_and_what_was_found(store):
    store.append("Order-1", [EventData("Placed", {}), EventData("Placed", {})])
    for stream_id, expected, actual in [("Order-1", NO_STREAM, 2), ("Order-1", 1, 2), ("Order-2", 3, 0)]:
        with pytest.raises(ConcurrencyError) as raised:
            store.append(stream_id, [EventData("Placed", {})], expected_version=expected)
        error = raised.value
        assert (error.stream_id, error.expected, error.actual) == (stream_id, expected, actual)
    with pytest.raises(StreamNotFoundError) as raised:
        store.append("Order-2", [EventData("Placed", {})], expected_version=STREAM_EXISTS)
    assert raised.value.stream_id == "Order-2"


def test_after_refusals_positions_have_no_gap(store):
    for _ in range(3):
        with pytest.raises(ConcurrencyError):
            store.append("Order-1", [EventData("Placed", {})], expected_version=9)
        with pytest.raises(EventIdConflictError):
            store.append("User-1", [EventData("Placed", {}, id=ID)])
            store.append("Order-2", [EventData("Placed", {}, id=ID), EventData("Placed", {}, id=OTHER_ID)])
        store.append("Order-1", [EventData("Placed", {})])
    assert [event.global_position for event in store.replay()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "require",
    [("Order-1", 1), ["Order-1"], [("Order-1",)], [("Order-1", 1, 2)], {"Order-1": 1}, "Order-1", 1, [None]],
    ids=repr,
)
def test_a_requirement_that_is_no_pair_is_refused_with_the_form_that_is(require):
    with connect("memory:") as store, pytest.raises(InvalidInputError) as caught:
        store.append("Order-2", [EventData("Placed", {})], require=require)
    assert names(caught.value, "pair", "list")


def test_too_many_tags_are_counted_before_they_are_compared():
    many = [*map(str, range(100_000)), "99999"]
    with connect("memory:") as store, pytest.raises(InvalidInputError) as caught:
        store.append("Order-2", [EventData("Placed", {}, tags=many)])
    assert names(caught.value, "100001", "64")
