"""What is JSON and what is not, and how its text is kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import InvalidPayloadError
from evstore.jsontext.judging import check_json, keep_json, raw_value
from tests.support.json_texts import GAPS, TEXTS
from tests.support.sentences import names, wording

ONLY_PYTHON_ADMITS = [
    *("NaN", "Infinity", "-Infinity", "[1,NaN]", '{"a":-Infinity}'),
    *(r'"\ud800"', r'"\udbff"', r'"\udc00"', r'"\udfff"', r'"a\ud800b"', r'"\ud800\ud800"', r'"\udc00\ud800"'),
    *(r'"\ud83dA"', r'"\ud83d\n"', r'"\ud83d\u0041"', r'"\ud83d\\de00"', r'{"\ud800":1}', r'{"a":["\udc00"]}'),
    r'"\ud83d\ude00\ude00"',
    *('"\ud800"', '"\udfff"', '{"\udc00":1}', '"\ud83d\ude00"'),  # raw ones, also in pairs
]
"""Where evstore is stricter than Python's json module; see the comparison below."""

REFUSED = [
    *("", " ", "\n", "nul", "nulll", "tru", "True", "None", "undefined", "nan", "inf", "NULL"),
    *("01", "-01", "00", "1.", "-1.", ".5", "-.5", "+1", "1e", "1e+", "1.e5", "1e5.5", "--1", "-", "0x1", "1_000"),
    *("1,5", "1 2", "1 ,", "\u0661", "\uff11", "1\u00a0", "\u00a01", "\u20281", "\x0b1", "1\x0c", "\x00", "1\x00"),
    *("[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1", "1]", "[1]]", "[", "]", "[}", "{]", "[1}", '["a":1]'),
    *('{"a":1,}', '{,"a":1}', '{"a"}', '{"a":}', '{"a" 1}', '{"a":1 "b":2}', '{"a":1,,"b":2}', '{"a"::1}'),
    *("{1:2}", "{a:1}", "{null:1}", "{'a':1}", "'a'", "{", "}", '{"a":1', '{"a":1}}', '{"a":1}{"b":2}', "[][]"),
    *("/**/1", "1//c", "#c\n1", "1 # c", "<!--1-->", "\ufeff1", "\ufeff{}", "{}\ufeff", "\u200b1"),
    *('"', '"a', 'a"', '"a"b"', '"a""b"', '"\\"', '"\\', '"\\x41"', r'"\a"', r'"\'"', r'"\0"', r'"\U0001F600"'),
    *(r'"\u"', r'"\u12"', r'"\u123"', r'"\u12G4"', r'"\u 123"', r'"\u+123"', r'"\u-123"', r'"\u{41}"', '"\\\n"'),
]
KEPT = [
    *("null", "true", "false", "0", "-0", "-0.0", "1.10", "1.0", "1e400", "-1e400", "1E+05", "1e-999999", "-1e-0"),
    *("1" * 30, "-" + "9" * 30, "1" * 5000, "0." + "3" * 5000, "1" + "0" * 5000 + ".0e-5000"),
    *('{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"":0}', '{"b":1,"a":2}', '{"__proto__":1}', "[[],{},[{}]]"),
    *(r'"\u0000"', r'"\u0041\u00E9\u00e9"', r'"\/\b\f\n\r\t\"\\"', r'"\ud83d\ude00"', r'"\uD83D\uDE00"'),
    *(r'"\udbff\udfff"', r'"\\ud800"', '"😀"', '"\U0010ffff"', '"\u2028\u2029"', '"\x7f\x80\x85"', '"\ufeff"'),
    *(
        '"e\u0301"',
        '"\ufffd"',
        '"\ufffe\uffff"',
        '"<script>&\'"',
        '"{[,:]}"',
        '"// no comment"',
        '"NaN"',
        '"  a  "',
    ),
    *("[1 , 2]", '{ "a" : 1 }', "[ ]", "{\t}", '[1,  "a",\tnull]', '{"a":[ {"b" :{}} ]}'),
]


def refused(value, judge=check_json):
    """Why it is refused."""
    with pytest.raises(InvalidPayloadError) as raised:
        judge(value)
    return str(raised.value)


def test_what_the_grammar_does_not_know_is_refused(subtests):
    for text in [*REFUSED, *ONLY_PYTHON_ADMITS]:
        with subtests.test(text=text):
            assert names(refused(text), "JSON") or wording(refused(text)) == wording(refused('"\ud800"'))


def test_what_the_grammar_knows_is_kept_as_it_is(subtests):
    for text in KEPT:
        with subtests.test(text=text):
            assert check_json(text) == text
            assert keep_json(raw_value(text.encode())) == text


def test_a_raw_control_character_in_a_string_is_refused(subtests):
    for code in range(0x20):
        with subtests.test(code=code):
            for around in ('"{}"', '"a{}b"', '{{"a{}":1}}', '["\\{}"]'):
                assert names(refused(around.format(chr(code))), "JSON")


def test_only_four_characters_are_white_space_between_tokens(subtests):
    for code in [*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x85, 0xA0, 0x2028]:
        with subtests.test(code=code):
            assert names(refused(f"[1,{chr(code)}2]"), "JSON")


@pytest.mark.parametrize("code", [0xD800, 0xDBFF, 0xDC00, 0xDFFF], ids=hex)
def test_a_raw_lone_surrogate_is_told_with_its_place(code):
    message = refused(f'"a{chr(code)}"')
    assert names(message, 3)
    assert wording(message) == wording(refused('"\ud800"')) != wording(refused("tru"))


@pytest.mark.parametrize(
    ("value", "byte"),
    [
        (b'"\xff"', 2),
        (b'"a\x80"', 3),  # a second byte without a first
        (b'"\xc0\x80"', 2),  # U+0000, longer than it need be
        (b'"\xe2\x82"', 2),  # cut off
        (b'"\xed\xa0\x80"', 2),  # a surrogate
        (b'"\xed\xa0\xbd\xed\xb8\x80"', 2),  # a pair of them
        (b'"\xf4\x90\x80\x80"', 2),  # beyond Unicode
        (b'{"\xe9":1}', 3),  # Latin-1
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_and_told_with_their_place(value, byte):
    for judge in (keep_json, lambda value: keep_json(raw_value(value))):
        message = refused(value, judge)
        assert names(message, "UTF-8", byte)
        assert not names(message, "JSON")


@pytest.mark.parametrize("value", ["[1]".encode("utf-16"), "[1]".encode("utf-32-le"), b"\xef\xbb\xbf[1]"])
def test_another_encoding_is_not_guessed(value):
    assert names(refused(value, raw_value), "JSON")


def _admitted_by_python(text):
    """Whether Python's json module admits it, had it no NaN and no lone surrogates."""

    def refuse(constant):
        raise ValueError(constant)

    try:
        # Numbers stay text, and objects lists, so that no limit of Python's own and no duplicate key counts.
        found = json.loads(
            text, parse_constant=refuse, parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: pairs
        )
        json.dumps([text, found], ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def _admitted(text):
    try:
        check_json(text)
    except InvalidPayloadError:
        return False
    return True


PIECES = [
    *'"\\{}[]:,0123456789+-.eEtfnu /\t\r\n',
    "\\u",
    "\\ud83d",
    "\\ude00",
    "null",
    "true",
    "\x00",
    "\x1f",
    "\ufeff",
    "é",
]
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(["", *PIECES])), min_size=1, max_size=3
)


@given(TEXTS, EDITS)
@settings(deadline=None, max_examples=150, print_blob=True)
def test_python_agrees_on_what_is_json_when_a_text_is_spoiled(layout, edits):
    text = layout.given
    for place, cut, put in edits:
        at = int(place * len(text))
        text = text[:at] + put + text[at + cut :]
    assert _admitted(text) == _admitted_by_python(text), text


def test_python_agrees_on_what_is_refused_and_on_what_is_kept():
    assert [text for text in REFUSED if _admitted_by_python(text)] == []
    assert [text for text in KEPT if not _admitted_by_python(text)] == []


def test_the_known_differences_are_real(subtests):
    for text in ONLY_PYTHON_ADMITS:
        with subtests.test(text=text):
            json.loads(text)
            assert not _admitted_by_python(text)


@given(TEXTS, GAPS, GAPS)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_line_breaks_between_tokens_go_with_their_indentation_and_all_else_stays(layout, before, behind):
    kept = check_json(before + layout.given + behind)
    assert kept == layout.kept
    assert check_json(kept) == kept


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ('{\n  "a": 1,\n  "b": [\n    1,\n    2\n  ]\n}\n', '{"a": 1,"b": [1,2]}'),
        ('{\r\n\t"a" : 1\r\n}', '{"a" : 1}'),
        ("[1 ,\r2]", "[1 ,2]"),
        ("[1, \n\n \t 2]", "[1,2]"),
        ("[1,  2]", "[1,  2]"),
        ('["a\\nb",\n"\\r"]', '["a\\nb","\\r"]'),
        ("[\n\n\n]", "[]"),
        ("\n\t null \r\n", "null"),
    ],
)
def test_what_was_spread_over_lines_is_kept_as_one(given_text, kept):
    assert check_json(given_text) == kept


@pytest.mark.parametrize("text", ["", "[1", '{"a"', '{"a":', '"a', "tr", '{"a":1'])
def test_a_text_that_was_cut_off_is_said_to_end_too_early(text):
    assert refused(text) == refused("[") != refused("]")
    assert names(refused(text), "JSON")


@pytest.mark.parametrize("value", [None, b"{}", 5, {}], ids=repr)
def test_what_is_no_text_is_refused_and_named(value):
    message = refused(value)
    assert names(message, "JSON", type(value).__name__)
    assert message != refused("nul")
