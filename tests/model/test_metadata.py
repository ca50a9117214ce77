"""Metadata: five fields, their limits, how they are written, and how a default fills their gaps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore import EventData, InvalidPayloadError, Metadata, connect
from evstore.model.metadata import check_metadata
from tests.support.sentences import names, wording

IDS = {
    "correlationId": "correlation_id",
    "causationId": "causation_id",
    "userId": "user_id",
    "tenantId": "tenant_id",
}
each_id = pytest.mark.parametrize(("key", "name"), IDS.items(), ids=list(IDS))


def refused(text):
    with pytest.raises(InvalidPayloadError) as raised:
        Metadata.from_json(text)
    return str(raised.value)


def unfit(metadata):
    """Why the store does not take it."""
    with pytest.raises(InvalidPayloadError) as raised:
        check_metadata(metadata)
    store = connect("memory:")
    with pytest.raises(InvalidPayloadError) as raised_by_store:
        store.append("Order-1", [EventData("Placed", {}, metadata)])
    assert str(raised_by_store.value) == str(raised.value)
    assert list(store.replay()) == []
    return str(raised.value)


# --- the wire form ---


def test_the_wire_form_has_its_members_in_this_order_and_leaves_out_what_is_absent():
    whole = Metadata("c", "d", "u", "t", {"k": "v", "a": ""})
    assert whole.to_json() == (
        '{"correlationId":"c","causationId":"d","userId":"u","tenantId":"t","custom":{"k":"v","a":""}}'
    )
    assert Metadata(tenant_id="t").to_json() == '{"tenantId":"t"}'
    assert Metadata(custom={"k": "v"}).to_json() == '{"custom":{"k":"v"}}'
    assert Metadata().to_json() == "{}"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
MAYBE = st.none() | TEXT
METADATA = st.builds(Metadata, MAYBE, MAYBE, MAYBE, MAYBE, st.dictionaries(TEXT, TEXT, max_size=3))


@given(METADATA)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_what_is_written_is_read_again_equal_and_json(metadata):
    text = metadata.to_json()
    assert Metadata.from_json(text) == Metadata.from_json(text.encode()) == metadata
    assert "\n" not in text
    assert set(json.loads(text)) <= {*IDS, "custom"}
    assert json.loads(text).get("custom", {}) == dict(metadata.custom)


def test_text_is_written_as_it_is_but_for_what_json_must_escape():
    assert Metadata(user_id='é😀\u2028"\\\n\x01\x7f/').to_json() == '{"userId":"é😀\u2028\\"\\\\\\n\\u0001\x7f/"}'


# --- reading it ---


@each_id
@pytest.mark.parametrize("absent", ["null", '""'])
def test_an_empty_string_and_null_count_as_absent_in_the_four_ids(key, name, absent):
    found = Metadata.from_json(f'{{"{key}":{absent}}}')
    assert found == Metadata()
    assert getattr(found, name) is None


@each_id
def test_an_empty_string_in_an_id_counts_as_absent_from_python_too(key, name):
    assert Metadata(**{name: ""}) == Metadata()


@pytest.mark.parametrize("custom", ["null", '""', "1", "[]", '{"a":1}', '{"a":null}', '{"a":{}}', '{"a":["b"]}'])
def test_custom_is_an_object_of_strings_and_nothing_else(custom):
    message = refused(f'{{"custom":{custom}}}')
    assert message == refused('{"custom":[]}') != refused("[]")
    assert names(message, '"custom"')


def test_an_empty_string_in_custom_is_a_value():
    assert Metadata.from_json('{"custom":{"k":""}}') == Metadata(custom={"k": ""}) != Metadata()


@each_id
@pytest.mark.parametrize("value", ["1", "true", "false", "[]", "{}", '["a"]', "1.5"])
def test_an_id_that_is_no_string_is_named(key, name, value):
    message = refused(f'{{"{key}":{value}}}')
    assert names(message, f'"{key}"')
    assert message == unfit(Metadata(**{name: 5}))


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("correlation_id", "correlationId"),
        ("correlationID", "correlationId"),
        ("causationid", "causationId"),
        ("user", "userId"),
        ("tenant_id", "tenantId"),
        ("Custom", "custom"),
        ("customs", "custom"),
    ],
)
def test_another_key_is_refused_by_name_with_the_one_that_was_meant(key, meant):
    message = refused(f'{{"userId":"alice","{key}":"x"}}')
    assert names(message, f'"{key}"', f'"{meant}"', '"custom"')


@pytest.mark.parametrize("key", ["", "region", "$schema_version", "ip", "😀"])
def test_another_key_is_refused_by_name_with_the_hint_where_to_put_it(key):
    message = refused(f'{{"{key}":"x"}}')
    assert names(message, f'"{key}"', '"custom"')
    assert not any(names(message, f'"{known}"') for known in IDS)  # there is none to suggest


@pytest.mark.parametrize("text", ["[]", '"x"', "1", ""])
def test_what_is_no_object_is_refused(text):
    message = refused(text)
    assert names(message, "JSON")
    assert (message == refused("null")) == bool(text)  # without a text it is no JSON at all


@pytest.mark.parametrize(
    "text", [b'{"userId":"\xff"}', b'{"custom":{"\xff":""}}', b'{"custom":{"k":"\xff"}}', b'{"\xff":""}']
)
def test_what_is_not_utf_8_is_refused_and_said_to_be_just_that(text):
    assert names(refused(text), "UTF-8")


@pytest.mark.parametrize(
    "text", ['{"userId":"\\ud800"}', '{"userId":"\ud800"}', '{"custom":{"\\udc00":"x"}}', '{"a":NaN}']
)
def test_what_is_not_json_is_refused(text):
    message = refused(text)
    assert names(message, "JSON") or names(message, "UTF-8")
    assert message != refused("null")


# --- what can be stored ---


@each_id
@pytest.mark.parametrize("longest", ["a" * 512, "é" * 256, "😀" * 128])
def test_an_id_has_at_most_512_bytes_of_utf_8(key, name, longest):
    check_metadata(Metadata(**{name: longest}))
    assert names(unfit(Metadata(**{name: longest + "x"})), f'"{key}"', 513, 512)


@each_id
@pytest.mark.parametrize(
    ("value", "facts"), [("a\0b", ["U+0000"]), ("\0", ["U+0000"]), ("\ud800", []), (5, [])], ids=ascii
)
def test_an_id_that_a_database_could_not_keep_is_refused(key, name, value, facts):
    assert names(unfit(Metadata(**{name: value})), f'"{key}"', *facts)


@pytest.mark.parametrize("given", [("c", 5), (None, "d", 5), ("c", None, None, b"t")], ids=repr)
def test_an_id_that_is_no_string_is_refused_among_others_that_are(given):
    assert "is not a string" in unfit(Metadata(*given))


@each_id
def test_each_reason_to_refuse_an_id_has_words_of_its_own(key, name):
    assert len({wording(unfit(Metadata(**{name: value}))) for value in ("\0", "\ud800", 5, "x" * 513)}) == 4


@pytest.mark.parametrize(
    ("custom", "facts"),
    [
        ({"": "x"}, []),
        ({"a\0": "x"}, ["U+0000"]),
        ({"a": "\0"}, ['"a"', "U+0000"]),
        ({"a\udfff": "x"}, []),
        ({"a": "\ud800x"}, ['"a"']),
        ({5: "x"}, []),
        ({"a": 5}, ['"a"']),
        ({"a": None}, ['"a"']),
    ],
    ids=ascii,
)
def test_custom_that_a_database_could_not_keep_is_refused(custom, facts):
    message = unfit(Metadata(custom=custom))
    assert names(message, '"custom"', *facts)
    assert names(message, '"a"') == ('"a"' in facts)


@pytest.mark.parametrize("custom", [["a"], None, "a"], ids=repr)
def test_custom_that_is_no_object_is_refused(custom):
    assert unfit(Metadata(custom=custom)) == refused('{"custom":[]}')


def test_each_reason_to_refuse_custom_has_words_of_its_own():
    odd = [{"": ""}, {"\0": ""}, {"a": "\0"}, {"\udfff": ""}, {"a": "\udfff"}, {5: ""}, {"a": 5}, ["a"]]
    assert len({wording(unfit(Metadata(custom=each))) for each in odd}) == len(odd)
    assert unfit(Metadata(custom={"a": 5})) == unfit(Metadata(custom={"a": None}))


@pytest.mark.parametrize("control", ["\x01", "\n", "\x1f", "\x7f", "\x85", "\u2028", "\ufeff"], ids=ascii)
def test_other_control_characters_are_kept(control):
    metadata = Metadata(user_id=f"a{control}", custom={f"k{control}": control})
    stored = connect("memory:").append("Order-1", [EventData("Placed", {}, metadata)])
    assert stored[0].metadata == metadata


@pytest.mark.parametrize("metadata", [None, {}, {"user_id": "x"}, "{}"], ids=repr)
def test_what_is_no_metadata_is_refused(metadata):
    with pytest.raises(InvalidPayloadError) as raised:
        check_metadata(metadata)
    assert names(raised.value, "Metadata", type(metadata).__name__)


@pytest.mark.parametrize("filler", ["x", "é", "😀"])
def test_metadata_has_at_most_64_kib_as_it_is_written(filler):
    room = 64 * 1024 - len('{"custom":{"k":""}}')
    size = len(filler.encode())
    longest = filler * (room // size) + "x" * (room % size)
    check_metadata(Metadata(custom={"k": longest}))
    assert names(unfit(Metadata(custom={"k": longest + "x"})), 65537, 65536)


def test_an_escape_counts_as_it_is_written():
    room = 64 * 1024 - len('{"custom":{"k":""}}')
    check_metadata(Metadata(custom={"k": "x" * (room - 2) + "\n"}))
    assert names(unfit(Metadata(custom={"k": "x" * (room - 1) + "\n"})), 65537, 65536)


def test_the_limit_is_that_of_the_metadata_after_it_was_filled_up():
    store = connect("memory:")
    half = "x" * 33_000
    event = EventData("Placed", {}, Metadata(custom={"a": half}))
    store.append("Order-1", [event])
    with pytest.raises(InvalidPayloadError) as raised:
        store.append("Order-1", [event], metadata=Metadata(custom={"b": half}))
    assert names(raised.value, 65536)
    store.append("Order-1", [event], metadata=Metadata(custom={"a": half}))


# --- defaults ---


@given(METADATA, METADATA)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_a_default_fills_the_gaps_field_by_field_and_custom_key_by_key(own, default):
    expected = {**json.loads(default.to_json()), **json.loads(own.to_json())}
    custom = {**default.custom, **own.custom}
    found = own.over(default)
    assert dict(found.custom) == custom
    assert {name: getattr(found, name) for name in IDS.values()} == {
        name: expected.get(key) for key, name in IDS.items()
    }


@given(METADATA)
@settings(deadline=None, max_examples=30, print_blob=True)
def test_nothing_is_the_default_that_changes_nothing(metadata):
    assert metadata.over(Metadata()) == Metadata().over(metadata) == metadata.over(metadata) == metadata
