"""The values that pass through evstore: immutable, equal by what they hold, short when shown."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from itertools import count, repeat
from uuid import UUID

import pytest

from evstore import EventData, InvalidInputError, InvalidPayloadError, Metadata, StoredEvent, Write, connect
from evstore.jsontext.judging import check_json
from evstore.model.columns import rows_of
from evstore.model.findings import AuditedEvent
from evstore.model.raw import Place
from tests.support.sentences import names

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
METADATA = Metadata("c", "d", "u", "t", {"k": "v"})
EVENT = EventData("Placed", {"n": 1}, METADATA, ID)
STORED = StoredEvent(ID, "Order-1", "Placed", '{"n":1}', METADATA.to_json(), 3, 7, 0)
VALUES = {"EventData": EVENT, "StoredEvent": STORED, "Metadata": METADATA, "Write": Write("Order-1", [EVENT], 3)}

each_value = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


def fields(value):
    return getattr(value, "_fields", None) or [name for name in value.__slots__ if not name.startswith("_")]


@each_value
def test_no_field_of_a_value_can_be_set_or_deleted(value):
    before = repr(value)
    for name in fields(value):
        with pytest.raises(AttributeError):
            setattr(value, name, "changed")
        with pytest.raises(AttributeError):
            delattr(value, name)
    assert repr(value) == before


@each_value
def test_a_value_is_equal_after_pickling(value):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value


@each_value
def test_a_value_is_equal_when_copied(value):
    assert copy.copy(value) == copy.deepcopy(value) == value


def test_a_stored_event_pickles_with_its_duplicate_flag_in_what_append_returned():
    store = connect("memory:")
    store.append("Order-1", [EVENT])
    again = store.append("Order-1", [EVENT])
    found = pickle.loads(pickle.dumps(again))
    assert (found, found.duplicate) == (again, True)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("type", "Shipped"),
        ("data", {"n": 2}),
        ("metadata", Metadata("c")),
        ("id", ID.replace("0", "1")),
        ("id", None),
    ],
)
def test_events_are_equal_exactly_when_type_data_metadata_and_id_are(changed, value):
    given = {"type": "Placed", "data": {"n": 1}, "metadata": METADATA, "id": ID}
    assert EventData(**given) == EVENT
    assert hash(EventData(**given)) == hash(EVENT)
    assert EventData(**{**given, changed: value}) != EVENT


@pytest.mark.parametrize("name", ["correlation_id", "causation_id", "user_id", "tenant_id", "custom"])
def test_metadata_is_equal_exactly_when_all_five_fields_are(name):
    given = {"correlation_id": "c", "causation_id": "d", "user_id": "u", "tenant_id": "t", "custom": {"k": "v"}}
    assert Metadata(**given) == METADATA
    assert hash(Metadata(**given)) == hash(METADATA)
    assert Metadata(**{**given, name: {"k": "w"} if name == "custom" else "other"}) != METADATA


def test_what_a_store_has_found_fit_is_still_equal_to_what_it_was():
    event, metadata = EventData("Placed", {"n": 1}, Metadata("c"), ID), Metadata("c")
    connect("memory:").append("Order-1", [event])
    assert (event, event.metadata) == (EventData("Placed", {"n": 1}, metadata, ID), metadata)


def test_metadata_is_made_of_its_five_fields_and_no_text():
    with pytest.raises(TypeError):
        Metadata("c", "d", "u", "t", {}, "{}")


# --- making an event ---


def test_data_becomes_text_at_once_so_that_changing_it_afterwards_changes_nothing():
    data = {"items": [1]}
    event = EventData("Placed", data)
    data["items"].append(2)
    assert event.data_json == '{"items":[1]}'
    event.data["items"].append(3)
    assert event.data == {"items": [1]}


def test_custom_is_copied_and_cannot_be_changed():
    custom = {"k": "v"}
    metadata = Metadata(custom=custom)
    custom["k"] = "changed"
    assert metadata.custom == {"k": "v"}
    with pytest.raises(TypeError):
        metadata.custom["k"] = "changed"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"orderId": "order-1", "total": 99.99}, '{"orderId":"order-1","total":99.99}'),
        ([1, "a", None, True, False, {}], '[1,"a",null,true,false,{}]'),
        ("é😀\u2028", '"é😀\u2028"'),
        ('"\\\n\x00', '"\\"\\\\\\n\\u0000"'),
        (None, "null"),
        (10**30, "1" + "0" * 30),
        ({}, "{}"),
    ],
)
def test_data_is_written_compact_and_as_it_is(data, text):
    event = EventData("Placed", data)
    assert event.data_json == text
    assert event.data == data
    assert connect("memory:").append("Order-1", [event])[0].data_json == text


def _endless():
    data = []
    data.append(data)
    return data


@pytest.mark.parametrize(
    "data", [{1, 2}, Decimal(1), b"x", object(), {(1, 2): 3}, _endless()], ids=lambda each: type(each).__name__
)
def test_data_that_json_cannot_say_is_refused_and_its_type_named(data):
    with pytest.raises(InvalidPayloadError) as raised:
        EventData("Placed", data)
    assert names(raised.value, '"Placed"', "JSON")
    assert str(raised.value.__cause__) in str(raised.value)


@pytest.mark.parametrize("data", [float("nan"), float("inf"), [float("-inf")], "\ud800", {"\udfff": 1}], ids=ascii)
def test_data_that_python_writes_but_json_does_not_know_is_refused_by_the_append(data):
    store = connect("memory:")
    with pytest.raises(InvalidPayloadError) as judged:
        check_json(EventData("Placed", data).data_json)
    with pytest.raises(InvalidPayloadError) as raised:
        store.append("Order-1", [EventData("Shipped", 1), EventData("Placed", data)])
    assert str(raised.value) == str(judged.value)
    assert list(store.replay()) == []


@pytest.mark.parametrize("text", ['{"a":1.10, "a":2}', "1e400", '"\\u0041"', "[1 , 2]", "-0"])
def test_text_is_taken_exactly_as_it_is(text):
    event = EventData.from_json("Placed", text)
    assert event.data_json == text
    assert connect("memory:").append("Order-1", [event])[0].data_json == text


@pytest.mark.parametrize("text", [None, b"{}", 5, {"a": 1}], ids=repr)
def test_a_text_that_is_none_is_refused_by_the_append(text):
    with pytest.raises(InvalidInputError):
        connect("memory:").append("Order-1", [EventData.from_json("Placed", text)])


def test_an_id_may_be_a_uuid():
    assert EventData("Placed", 1, id=UUID(ID)) == EventData("Placed", 1, id=ID)
    assert EventData.from_json("Placed", "1", id=UUID(ID)).id == ID


def test_tags_become_a_tuple_at_once_so_that_changing_them_afterwards_changes_nothing():
    tags = ["b", "a"]
    event = EventData("Placed", 1, tags=tags)
    tags.append("c")
    assert event.tags == EventData.from_json("Placed", "1", tags=iter(["b", "a"])).tags == ("b", "a")
    assert EventData("Placed", 1, tags=[]).tags == EventData("Placed", 1).tags == ()


def test_a_text_in_the_place_of_tags_is_refused():
    with pytest.raises(InvalidInputError) as refused:
        EventData("Placed", 1, tags="ab")
    assert names(refused.value, "in a list", '["ab"]')


# --- shown ---


def test_a_value_is_shown_in_a_few_words():
    assert repr(EVENT) == 'EventData(Placed {"n":1})'
    assert repr(STORED) == 'StoredEvent(Order-1 v3 @7 Placed {"n":1})'
    assert repr(Metadata("c", custom={"k": "v"})) == "Metadata(correlation_id='c', custom={'k': 'v'})"


@pytest.mark.parametrize(
    "value",
    [
        EventData("Placed", "x" * 10_000),
        STORED._replace(
            data_json='"' + "x" * 10_000 + '"', metadata_json='{"custom":{"k":"' + "x" * 10_000 + '"}}'
        ),
        Metadata(custom={"k": "x" * 10_000}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_holds_much_is_shown_short(value):
    assert len(repr(value)) < 200


@pytest.mark.parametrize(
    "value",
    [
        Metadata(user_id=5),
        Metadata(custom={5: "x"}),
        Metadata(custom=["x"]),
        EventData.from_json("T", None),
        EventData(None, 1),
    ],
)
def test_a_value_that_will_be_refused_can_be_shown(value):
    assert repr(value).startswith(type(value).__name__)


def test_an_audited_event_begins_with_the_fields_of_a_stored_one():
    """So that both are read from rows alike."""
    assert AuditedEvent._fields[: len(StoredEvent._fields)] == StoredEvent._fields


def test_rows_out_of_columns_end_with_the_shortest_so_that_one_may_be_endless():
    assert [*rows_of(Place, ["a", "b"], count(1))] == [Place("a", 1), Place("b", 2)]
    assert all(type(row) is Place for row in rows_of(Place, "ab", repeat(1)))
