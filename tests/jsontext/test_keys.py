"""A key that stands twice in an envelope is refused, for parsers keep the last in silence; data is kept as it is."""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evstore import InvalidInputError
from evstore.appending.envelopes import envelope_from_json
from evstore.appending.foreign import foreign_from_json
from evstore.errors import InvalidPayloadError
from evstore.jsontext.keys import check_once_in_metadata
from evstore.model.metadata import metadata_from_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command import Command

TWICE = {
    "type": '{"type":"A","data":1,"type":"B"}',
    "data": '{"data":{"type":1},"type":"A","data":2}',
    "metadata": '{"type":"A","data":1,"metadata":{},"metadata":{"userId":"u"}}',
    "id": '{"id":"0198e5c4-7a2b-7c3d-8e4f-0123456789ab","type":"A","data":1,"id":"0198e5c4-7a2b-7c3d-8e4f-0123456789ab"}',
    "streamId": '{"streamId":"A-1","type":"A","data":"streamId","streamId":"B-1"}',
    "expectedVersion": '{"type":"A","data":1,"expectedVersion":1,"expectedVersion":"any"}',
    "version": '{"type":"A","data":1,"version":1,"version":2}',
    "timestamp": '{"type":"A","data":1,"timestamp":"x","timestamp":"x"}',
    "userId": '{"type":"A","data":1,"metadata":{"userId":"u","userId":"u"}}',
    "k": '{"type":"A","data":1,"metadata":{"custom":{"k":"1","k":"2"}}}',
}


@pytest.mark.parametrize("key", TWICE)
def test_a_key_that_stands_twice_is_named(key: str) -> None:
    with pytest.raises(InvalidInputError, match=f'^the key "{key}" stands twice$'):
        envelope_from_json(TWICE[key].encode())


def test_a_key_is_the_same_however_it_is_spelled() -> None:
    with pytest.raises(InvalidInputError, match='the key "type" stands twice'):
        envelope_from_json(b'{"type":"A","data":1,"t\\u0079pe" : "B"}')


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"\\"type\\":","data":{"type":1,"data":{"type":2},"a":1,"a":2},"id":"\\u0041"}',
        '{"type":"A","data":"\\"type\\":\\"type\\"","metadata":{"userId":"\\"","custom":{"userId":"x","custom":"y"}}}',
        ' { "type" : "A" , "data" : [ "data", {"data":1} ] } ',
    ],
)
def test_keys_within_strings_and_within_data_do_not_count(text: str) -> None:
    assert envelope_from_json(text.encode()).data == json_member(text)


def json_member(text: str) -> str:
    begin = text.index('"data"') + 6
    rest = text[begin:].lstrip(" :")
    _, end = json.JSONDecoder().raw_decode(rest)
    return rest[:end]


@given(
    keys=st.lists(st.sampled_from(["type", "data", "metadata", "streamId", "expectedVersion"]), max_size=8),
    text=st.text(st.sampled_from('a"\\:{}'), max_size=6),
)
def test_an_envelope_is_refused_exactly_if_a_key_stands_twice(keys: list[str], text: str) -> None:
    values = {"type": "A" + text, "data": {"type": text}, "metadata": {"userId": text}, "streamId": "A-" + text, "expectedVersion": "any"}  # fmt: skip
    members = ["type", "data", *keys]
    whole = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(values[key])}" for key in members) + "}"
    twice = len(set(members)) < len(members)
    with pytest.raises(InvalidInputError, match="stands twice") if twice else nullcontext():
        envelope_from_json(whole.encode())


def test_the_command_refuses_it_everywhere(store: Command) -> None:
    done = store(
        "append", "A-1", "-", "--errors", "json", stdin=b'{"type":"A","data":1}\n{"type":"A","data":1,"data":2}'
    )
    assert (done.code, json.loads(done.err)["error"]["message"]) == (5, '-:2: the key "data" stands twice')
    done = store("append", "A-1", "-t", "T", "-d", "1", "--metadata", '{"userId":"a","userId":"b"}')
    assert (done.code, '--metadata: the key "userId" stands twice' in done.err) == (5, True)
    line = '{"id":"0198e5c4-7a2b-7c3d-8e4f-0123456789ab","streamId":"A-1","type":"T","data":1,"metadata":{},"version":1,"globalPosition":1,"timestamp":"2026-01-01T00:00:00Z","type":"U"}'
    done = store("import", "-", stdin=line.encode())
    assert (done.code, '-:1: the key "type" stands twice' in done.err) == (5, True)
    (store.folder / "log.ndjson").write_text(line)
    assert store("--db", "memory:log.ndjson", "read", "A-1").code == 5
    assert store.ok("streams").out == b""


def test_a_key_that_stands_twice_in_data_stays(store: Command) -> None:
    store.ok("append", "A-1", "-", stdin=b'{"type":"A","data":{"a":1,"a":2}}')
    assert b'"data":{"a":1,"a":2}' in store.ok("read", "A-1").out


@pytest.mark.parametrize("more", ["", ',"colour":"red"'])
def test_a_line_from_elsewhere_is_refused_too_whatever_unknown_keys_it_has(more: str) -> None:
    line = f'{{"streamId":"A-1","type":"T","data":1,"data":2{more}}}'
    with pytest.raises(InvalidInputError, match=r'^the key "data" stands twice$'):
        foreign_from_json(line.encode())


MEMBERS = (
    '"userId":"a"',
    '"userId":null',
    '"userId":""',
    '"tenantId":"b"',
    '"custom":{}',
    '"custom":{"a":"1"}',
    '"custom":{"a":"1","a":"2"}',
    r'"custom":{"a":"\""}',
    r'"causationId":"\u0022"',
)


def _refused(read: Callable[[bytes], object], text: bytes) -> str | None:
    """Why the text is refused, None if it is not."""
    try:
        read(text)
    except InvalidPayloadError as error:
        return str(error)
    return None


def test_metadata_is_refused_exactly_if_a_look_at_each_key_refuses_it() -> None:
    """Counting quotes may save the look, and never decides otherwise."""
    for size in range(4):
        for members in product(MEMBERS, repeat=size):
            text = f"{{{','.join(members)}}}".encode()
            assert _refused(metadata_from_input, text) == _refused(check_once_in_metadata, text), text


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_of_metadata_is_refused_however_often_it_stands_there_again(member: str) -> None:
    """Absent ids are no strings that a repeated one could make up for."""
    for times in range(2, 12):
        assert "stands twice" in str(_refused(metadata_from_input, f"{{{','.join([member] * times)}}}".encode()))
