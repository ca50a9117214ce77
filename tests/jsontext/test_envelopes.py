"""An event on its way in: which envelopes are read, and what is said of the others."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.appending.envelopes import envelope_from_json
from evstore.errors import InvalidInputError, InvalidPayloadError, InvalidVersionError
from evstore.model.metadata import Metadata
from evstore.model.versions import ANY_VERSION, MAX_VERSION, NO_STREAM, STREAM_EXISTS
from tests.support.json_texts import TEXTS
from tests.support.sentences import names, wording

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
NOT_STRINGS = ["null", "true", "5", "1.5", "[]", '["a"]', "{}", '{"a":"b"}']


def envelope(**members):
    """The text of an envelope; a member is the text of its value, None leaves it out."""
    all_members = {"type": '"Placed"', "data": "{}", **members}
    return "{" + ",".join(f'"{key}":{text}' for key, text in all_members.items() if text is not None) + "}"


def read(text):
    return envelope_from_json(text.encode())


def refused(text, error=InvalidInputError):
    with pytest.raises(InvalidInputError) as raised:
        read(text)
    assert type(raised.value) is error
    return str(raised.value)


def test_an_envelope_needs_a_type_and_data_and_nothing_else():
    found = read('{"type":"Placed","data":{"n":1}}')
    assert (found.type, found.data) == ("Placed", '{"n":1}')
    assert (found.metadata, found.id) == (Metadata(), None)
    assert (found.stream_id, found.expected_version) == (None, None)


def test_an_envelope_may_say_all_that_can_be_said_in_any_order():
    text = (
        f'{{"expectedVersion":7,"streamId":"Order-1","id":"{ID}",'
        '"metadata":{"userId":"alice","custom":{"k":"v"}},"data":[1 , 2],"type":"Placed"}'
    )
    found = read(text)
    assert (found.type, found.data, found.id) == ("Placed", "[1 , 2]", ID)
    assert found.metadata == Metadata(user_id="alice", custom={"k": "v"})
    assert (found.stream_id, found.expected_version) == ("Order-1", 7)


@pytest.mark.parametrize("key", ["type", "data"])
def test_a_missing_key_is_named(key):
    message = refused(envelope(**{key: None}))
    assert names(message, f'"{key}"')
    assert wording(message) == wording(refused('{"type":"Placed"}')) != wording(refused(envelope(type="5")))


def test_what_must_be_a_string_and_is_none_is_named(subtests):
    for key in ["type", "id", "streamId", "key"]:
        for value in NOT_STRINGS:
            with subtests.test(key=key, value=value):
                message = refused(envelope(**{key: value}))
                assert names(message, f'"{key}"')
                assert wording(message) == wording(refused(envelope(type="5")))


@pytest.mark.parametrize("value", ["null", "true", "5", '"x"', "[]"])
def test_metadata_must_be_an_object(value):
    message = refused(envelope(metadata=value), InvalidPayloadError)
    assert message == refused(envelope(metadata="5"), InvalidPayloadError)
    assert names(message, "JSON")


@pytest.mark.parametrize("text", ["null", "true", "5", '"x"', "[]", f"[{envelope()}]"])
def test_an_envelope_must_be_an_object(text):
    message = refused(text, InvalidPayloadError)
    assert names(message, "JSON")
    assert message == refused("5", InvalidPayloadError) != refused(envelope(metadata="5"), InvalidPayloadError)
    assert message != refused("{", InvalidPayloadError)


def test_an_unknown_key_is_named_and_the_nearest_known_one_suggested(subtests):
    for key, meant in [
        ("Type", "type"),
        ("typ", "type"),
        ("Data", "data"),
        ("dta", "data"),
        ("meta", "metadata"),
        ("metaData", "metadata"),
        ("metdata", "metadata"),
        ("ID", "id"),
        ("streamid", "streamId"),
        ("stream_id", "streamId"),
        ("stream", "streamId"),
        ("expectedversion", "expectedVersion"),
        ("expected_version", "expectedVersion"),
        ("expected", "expectedVersion"),
        ("Key", "key"),
        ("tag", "tags"),
        ("unles", "unless"),
    ]:
        with subtests.test(key=key, meant=meant):
            message = refused(envelope(**{key: "1"}))
            assert names(message, f'"{key}"', f'"{meant}"')
            assert message.count('"') == 4  # nothing else is named


@pytest.mark.parametrize("key", ["", "payload", "x", "$schema", "annotated", "😀"])
def test_an_unknown_key_like_no_other_is_named_with_those_that_are_known(key):
    message = refused(envelope(**{key: "1"}))
    assert names(message, f'"{key}"', "type, data, metadata, id, streamId, expectedVersion")


def test_an_unknown_key_is_told_before_a_missing_one():
    """The unknown one is likely to be the missing one, misspelt."""
    assert names(refused('{"Type":"Placed","data":1}'), '"Type"', '"type"')


def test_what_only_the_store_sets_is_ignored_whatever_it_holds(subtests):
    for key in ["version", "globalPosition", "timestamp"]:
        for value in ["1", '"x"', "null", "-5", "[{}]", '"2026-11-23T14:30:00.123456Z"']:
            with subtests.test(key=key, value=value):
                assert read(envelope(**{key: value})) == read(envelope())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("version", "1"), ("globalPosition", "1"), ("timestamp", '"x"'), ("redacted", "true")),
        *(("key", '"k"'), ("tags", '["a"]'), ("unless", "[]"), ("expectedVersion", "1")),
    ],
)
def test_what_an_envelope_may_hold_is_not_blamed_for_the_fault_of_another_member(key, value):
    missing = refused(envelope(data=None, **{key: value}))
    assert wording(missing) == wording(refused(envelope(data=None)))
    with pytest.raises(InvalidInputError, match="UTF-8"):
        envelope_from_json(envelope(type='"?"', **{key: value}).encode().replace(b"?", b"\xff"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1", 1),
        ("0", NO_STREAM),
        ("-1", ANY_VERSION),
        ("-2", STREAM_EXISTS),
        (str(MAX_VERSION), MAX_VERSION),
        ('"any"', ANY_VERSION),
        ('"no-stream"', NO_STREAM),
        ('"exists"', STREAM_EXISTS),
    ],
)
def test_an_expected_version_is_said_as_a_number_or_a_word(said, expected):
    assert read(envelope(expectedVersion=said)).expected_version == expected


def test_what_is_no_expected_version_is_refused_and_told(subtests):
    for said in [
        *("-3", str(MAX_VERSION + 1), "1" * 40, "1.0", "1.5", "1e2", "1e400", "true", "false", "null", "[]", "{}"),
        *('"1"', '"0"', '"Any"', '"NO_STREAM"', '"no_stream"', '""', '"any "'),
    ]:
        with subtests.test(said=said):
            message = refused(envelope(expectedVersion=said), InvalidVersionError)
            assert names(message, "ANY_VERSION (-1)", "NO_STREAM (0)", "STREAM_EXISTS (-2)")


@given(TEXTS)
@settings(deadline=None, max_examples=60, print_blob=True)
def test_data_is_sliced_out_of_the_text_as_it_is_but_for_line_breaks(layout):
    assert read(envelope(data=layout.given)).data == layout.kept


@pytest.mark.parametrize("data", ["NaN", "01", "[1,]", "'a'", '"\\ud800"', "{a:1}", ""])
def test_data_that_is_not_json_is_refused(data):
    assert names(refused(envelope(data=data), InvalidPayloadError), "JSON")


def test_data_has_its_limits_in_an_envelope_too():
    deep = "[" * 513 + "]" * 513
    assert names(refused(envelope(data=deep), InvalidPayloadError), 512)
    assert read(envelope(data=deep[1:-1])).data == deep[1:-1]
    text = envelope(data='"abc"').encode()
    assert envelope_from_json(text, 5).data == '"abc"'
    with pytest.raises(InvalidPayloadError) as raised:
        envelope_from_json(text, 4)
    assert names(raised.value, 5, 4)


@pytest.mark.parametrize(
    "place",
    [
        b'{"type":"a\xff","data":1}',
        b'{"type":"T","data":"a\xff"}',
        b'{"type":"T","data":1,"id":"\xff"}',
        b'{"type":"T","data":1,"streamId":"\xff"}',
        b'{"type":"T","data":1,"metadata":{"userId":"\xff"}}',
        b'{"type":"T","data":1,"metadata":{"custom":{"k":"\xff"}}}',
        b'{"type":"T","data":1,"metadata":{"\xff":"x"}}',
        b'{"type":"T","data":1,"\xff":"x"}',
        b'{"\xff":"x","data":1}',
    ],
    ids=ascii,
)
def test_what_is_not_utf_8_is_refused_and_said_to_be_just_that(place):
    with pytest.raises(InvalidInputError) as raised:
        envelope_from_json(place)
    assert names(raised.value, "UTF-8")


@pytest.mark.parametrize(
    "text", ["", "{", '{"type":"T"', '{"type":"T","data":1}{}', '\ufeff{"type":"T","data":1}']
)
def test_what_is_not_one_json_text_is_refused(text):
    assert names(refused(text, InvalidPayloadError), "JSON")


NUMBERS = [b"1", b"-0", b"1" * 5000, b"1e400", b"-1e400", b"1e-400"]
STRINGS = {b'""': "", b'"\\u0000"': "\0"}
OTHERS = [b"null", b"true", b"[]", b'{"a":1}', b'{"userId":1e400}']
BROKEN = [b"NaN", b"nul", b"", b'"', b'"\\ud800"', b"\xff"]
NOT_UTF_8 = [b'"\xff"', b'{"\xff":1}', b'{"userId":"\xff"}', b'["\xff"]']
TOO_DEEP = [b"[" * 5000 + b"]" * 5000, b'{"custom":' * 5000 + b"1" + b"}" * 5000]
ODD_VALUES = [*NUMBERS, *STRINGS, *OTHERS, b"{}", *BROKEN, *NOT_UTF_8, *TOO_DEEP]
JSON = [*NUMBERS, *STRINGS, *OTHERS, b"{}"]
# What each key may hold of these, and what is then found under it.
FOUND = {
    "type": STRINGS,
    "data": {value: value.decode() for value in JSON},
    "metadata": {b"{}": Metadata()},
    "id": STRINGS,
    "streamId": STRINGS,
    "expectedVersion": {b"1": 1, b"-0": 0},
    "x": {},
}


def members(found):
    return {
        "type": found.type,
        "data": found.data,
        "metadata": found.metadata,
        "id": found.id,
        "streamId": found.stream_id,
        "expectedVersion": found.expected_version,
    }


def test_whatever_a_key_holds_is_read_as_it_is_or_refused_as_bad_input(subtests):
    for key, fitting in FOUND.items():
        for value in ODD_VALUES:
            with subtests.test(key=key, value=value[:30]):
                once = {b"type": b'"T"', b"data": b"1", key.encode(): value}
                text = b"{%s}" % b",".join(b'"%s":%s' % member for member in once.items())
                if value in fitting:
                    assert members(envelope_from_json(text))[key] == fitting[value]
                else:
                    with pytest.raises(InvalidInputError):
                        envelope_from_json(text)


def test_whatever_a_key_holds_that_is_ignored_makes_no_difference(subtests):
    for key in ("version", "globalPosition", "timestamp"):
        for value in ODD_VALUES:
            with subtests.test(key=key, value=value[:30]):
                text = b'{"type":"T","data":1,"%s":%s}' % (key.encode(), value)
                if value in BROKEN + TOO_DEEP:
                    with pytest.raises(InvalidInputError):
                        envelope_from_json(text)
                else:
                    assert envelope_from_json(text) == read('{"type":"T","data":1}')


@given(st.integers(0, 90), st.integers(0, 3), st.binary(max_size=3))
@settings(deadline=None, max_examples=100, print_blob=True)
def test_whatever_comes_is_read_as_json_is_or_refused_as_bad_input(at, cut, put):
    whole = envelope(expectedVersion="12", metadata='{"userId":"x","custom":{"k":"v"}}').encode()
    text = whole[:at] + put + whole[at + cut :]
    with suppress(InvalidInputError):
        found = envelope_from_json(text)
        said = json.loads(text)
        assert (found.type, json.loads(found.data)) == (said["type"], said["data"])
        assert found.expected_version == said.get("expectedVersion")
