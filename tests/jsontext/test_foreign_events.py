"""An event of another store on its way in: what of its line is kept, made or refused."""

from __future__ import annotations

import time

import pytest

from evstore.appending.envelopes import envelope_from_json
from evstore.appending.foreign import foreign_from_json
from evstore.errors import InvalidInputError
from evstore.model.conditions import AppendCondition, Query
from evstore.model.ids import is_id, key_id
from evstore.model.times import microseconds_of

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
FIRST = '{"streamId":"A-1","type":"T","data":[1.10]'


def test_a_line_with_every_member_is_kept_but_for_its_version_and_position() -> None:
    line = FIRST + (
        f',"id":"{ID.upper()}","metadata":{{"userId":"u"}},"timestamp":"2026-11-23T14:30:00Z","tags":["b","a"],'
        '"redacted":true,"version":7,"globalPosition":9}'
    )
    event, unknown = foreign_from_json(line.encode())
    time_us = microseconds_of("2026-11-23T14:30:00Z")
    assert event == (ID, "A-1", "T", "[1.10]", '{"userId":"u"}', 1, 1, time_us, "a b", True)
    assert unknown == []


def test_what_a_line_lacks_is_made() -> None:
    before = time.time_ns() // 1000
    event, unknown = foreign_from_json(f'{FIRST},"more":1,"colour":"red"}}'.encode())
    assert before <= event.timestamp_us <= time.time_ns() // 1000
    assert is_id(event.id)
    assert (event.metadata_json, event.joined_tags, event.redacted) == ("{}", None, False)
    assert unknown == ["more", "colour"]
    assert foreign_from_json(f'{FIRST},"key":"k"}}'.encode())[0].id == key_id("A-1", "k", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"data":1}', 'missing "streamId", "type"'),
        ('{"streamId":"A-1","type":"T"}', 'missing "data"'),
        (FIRST[:-6], "not valid JSON: it ends too early"),
        ("[]", "an event is not a JSON object"),
        ('{"streamId":7,"type":"T","data":1}', "not an event: "),
        (FIRST + f',"id":"{ID}","key":"k"}}', '"id" and "key" exclude each other'),
        (FIRST + ',"timestamp":"now"}', '"timestamp" is no time'),
        (FIRST + ',"timestamp":"9999-12-31T23:59:60Z"}', '"timestamp" is no time'),
        (FIRST + ',"tags":["a b"]}', "holds a space"),
    ],
)
def test_what_is_no_event_of_another_store_is_refused(line: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        foreign_from_json(line.encode())
    assert said in str(refused.value)


def test_whoever_has_another_id_is_told_of_keys() -> None:
    with pytest.raises(InvalidInputError, match="is not an event id") as refused:
        foreign_from_json((FIRST + ',"id":"k"}').encode())
    assert any('call it "key"' in note for note in refused.value.__notes__)


def test_an_envelope_names_its_stream_and_makes_the_id_of_its_key() -> None:
    found = envelope_from_json((FIRST + ',"key":"k"}').encode())
    assert (found.named_stream(), found.id_of_key("A-1", None)) == ("A-1", key_id("A-1", "k", 1))
    assert envelope_from_json((FIRST + "}").encode()).id_of_key("A-1", ID) is None
    with pytest.raises(InvalidInputError, match='"id" and "key" exclude each other'):
        found.id_of_key("A-1", ID)
    with pytest.raises(InvalidInputError, match='missing "streamId"'):
        envelope_from_json(b'{"type":"T","data":1}').named_stream()


def test_an_envelope_brings_its_conditions() -> None:
    found = envelope_from_json((FIRST + ',"unless":[{"query":[{"types":["T"]}],"after":3}]}').encode())
    assert found.conditions == (AppendCondition(Query(["T"]), 3),)
    assert envelope_from_json((FIRST + ',"unless":[]}').encode()).conditions == ()


@pytest.mark.parametrize(
    ("unless", "said"),
    [
        (b'{"query":[]}', '"unless" is a list of conditions'),
        (b'[{"query":[{"types":["\xff"]}]}]', "UTF-8"),
        (b'[{"query":[],"query":[]}]', 'the key "query" stands twice'),
        (b'[{"query":[],"after":1' + b"0" * 5000 + b"}]", "is a global position"),
        (b'[{"query":[],"after":-1}]', "is a global position"),
    ],
    ids=["object", "bytes", "twice", "long", "negative"],
)
def test_what_is_no_list_of_conditions_is_refused(unless: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        envelope_from_json(FIRST.encode() + b',"unless":' + unless + b"}")
    assert said in str(refused.value)


def test_an_envelope_brings_its_tags_or_none() -> None:
    assert [*envelope_from_json((FIRST + ',"tags":["b","a"]}').encode()).tags] == ["b", "a"]
    assert [*envelope_from_json((FIRST + "}").encode()).tags] == []


@pytest.mark.parametrize("tags", ["null", '"a"', "[1]", '["\udcff"]'], ids=ascii)
def test_tags_that_are_no_list_of_strings_are_named(tags: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        envelope_from_json((FIRST + f',"tags":{tags}}}').encode("utf-8", "surrogateescape"))
    assert '"tags" is not a list of strings' in str(refused.value)


def test_tags_that_are_fine_are_not_blamed_for_another_fault() -> None:
    with pytest.raises(InvalidInputError) as refused:
        envelope_from_json((FIRST + ',"tags":["a"],"id":7}').encode())
    assert '"id"' in str(refused.value)


def test_a_cloud_event_is_told_from_an_envelope() -> None:
    with pytest.raises(InvalidInputError, match="a CloudEvent is no envelope"):
        envelope_from_json(b'{"specversion":"1.0","id":"1","source":"s","type":"T","data":1}')
