"""A refused text gets the reason that its author can act on."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from evstore import InvalidPayloadError
from evstore.appending.envelopes import envelope_from_json
from evstore.jsontext.judging import check_json, raw_value

if TYPE_CHECKING:
    from tests.support.command import Command

TEXT = '{"type":"T","data":"a b"}'

REASONS = {
    "UTF-16 with its mark": (TEXT.encode("utf-16"), "it is UTF-16, not UTF-8"),
    "UTF-16, little end first": (TEXT.encode("utf-16-le"), "it is UTF-16, not UTF-8"),
    "UTF-16, big end first": (TEXT.encode("utf-16-be"), "it is UTF-16, not UTF-8"),
    "UTF-32 with its mark": (TEXT.encode("utf-32"), "it is UTF-32, not UTF-8"),
    "UTF-32": (TEXT.encode("utf-32-be"), "it is UTF-32, not UTF-8"),
    "gzip": (gzip.compress(TEXT.encode()), "it is compressed with gzip"),
    "NUL": (b'{"a":"b\0c"}', "it holds NUL (U+0000) at byte 7"),
    "Latin-1": ('{"a":"é"}'.encode("latin-1") + b"x", "it is not UTF-8 at byte 6"),
    "a word": (b"not", '"not" is not a JSON value'),
    "Python's words": (b"None", '"None" is not a JSON value'),
    "a number of JavaScript": (b"NaN", '"NaN" is not a JSON value'),
    "a high surrogate at the end": (b'"\\ud800"', "it holds the lone surrogate \\ud800 at byte 1"),
    "a high surrogate": (b'"ab\\uD83Dcdefghijk"', "it holds the lone surrogate \\uD83D at byte 3"),
    "a low surrogate": (b'["\\\\\\udc00"]', "it holds the lone surrogate \\udc00 at byte 4"),
    "a surrogate after a pair": (b'"\\ud83d\\ude00\\ude00"', "it holds the lone surrogate \\ude00 at byte 13"),
    "an object cut short": (b'{"a":1', "it ends too early"),
    "a string cut short": (b'"abc', "it ends too early"),
    "a word cut short": (b"nul", "it ends too early"),
    "nothing": (b"", "it ends too early"),
    "server-sent events": (b'data: {"a":1}', 'it is a stream of server-sent events; give the text after "data:" alone'),
    "quotes of another kind": (b"{'a':1}", "expected '\"' (byte 1)"),
    "a comma too many": (b"[1,]", "trailing comma in array (byte 3)"),
    "escaped backslashes before a word": (b'["\\\\ud800", not]', "invalid character (byte 13)"),
    "too deep": (b"[" * 100_000, None),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_is_named(case: str) -> None:
    text, reason = REASONS[case]
    with pytest.raises(InvalidPayloadError) as refused:
        raw_value(text)
    assert reason is None or str(refused.value) == f"data is not valid JSON: {reason}"


def test_text_gets_the_same_reasons_as_bytes() -> None:
    with pytest.raises(InvalidPayloadError, match='"not" is not a JSON value'):
        check_json("not json")
    with pytest.raises(InvalidPayloadError, match="lone surrogate"):
        check_json("\ud800")


def test_an_envelope_gets_the_same_reasons() -> None:
    with pytest.raises(InvalidPayloadError, match="it is UTF-16, not UTF-8"):
        envelope_from_json(TEXT.encode("utf-16"))


@pytest.mark.sqlite_only("the input is judged before the store is asked")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.encode("utf-16"), "-:1: not valid JSON: it is UTF-16, not UTF-8"),
        (f"{TEXT}\n".encode("utf-16-le"), "-:1: not valid JSON: it is UTF-16, not UTF-8"),
        (b"not json", '-:1: not valid JSON: "not" is not a JSON value'),
        (
            b'{"type":"T","data":1}\nevent: x\ndata: {"a":1}\n',
            "-:2: not valid JSON: it is a stream of server-sent",
        ),
        (b'{"type":"T","data":"\\ud800"}', "-:1: not valid JSON: it holds the lone surrogate \\ud800 at byte 20"),
        (b'{"type":"T","data":"\0"}', "-:1: not valid JSON: it holds NUL (U+0000) at byte 20"),
        (b'{"type":"T","data":', "-:1: not valid JSON: it ends too early"),
    ],
)
def test_the_command_names_the_reason(store: Command, text: bytes, reason: str) -> None:
    done = store("append", "A-1", "-", "--errors", "json", stdin=text)
    assert done.code == 5
    assert json.loads(done.err)["error"]["message"].startswith(reason)


def test_a_long_text_is_explained_at_once() -> None:
    with pytest.raises(InvalidPayloadError, match="too early"):
        raw_value(b'["' + b"\\\\" * 2_000_000)
