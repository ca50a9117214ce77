"""A file's JSON values are found whatever its layout, each with the line it begins on."""

from __future__ import annotations

import io
import json
import tracemalloc
from itertools import cycle
from typing import NamedTuple
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.judging import raw_value
from evstore.jsontext.splitting import read_values
from tests.support.json_texts import NOT_ARRAYS, OBJECTS, VALUES, layouts
from tests.support.sentences import names


def found_in(text):
    """Line and text of each value of the file, as far as it can be read, and the error if it cannot."""
    found = []
    try:
        for number, value in read_values(io.BytesIO(text.encode()), "events", raw_value):
            found.append((number, value.decode()))
    except InvalidInputError as error:
        return found, error
    return found, None


def read_whole(text):
    found, error = found_in(text)
    assert error is None
    return found


def found_in_pieces(raw, sizes):
    """As `found_in`, for bytes that arrive in pieces of these sizes, over and over."""
    pieces, at = [], 0
    for size in cycle(sizes):
        if at >= len(raw):
            break
        pieces.append(raw[at : at + size])
        at += size
    found = []
    try:
        for number, value in read_values(pieces, "events", raw_value):
            found.append((number, value))
    except InvalidInputError as error:
        return found, str(error)
    return found, None


# --- any layout ---


class Part(NamedTuple):
    """A stretch of a file: its text, and where in it which values begin."""

    text: str
    values: tuple[tuple[int, str], ...]


SPACES = st.sampled_from(["", " ", "\t", "\n", "\r\n", "\n\n", " \n  ", "\r", "\n\t\r\n"])
BREAKS = st.sampled_from(["\n", "\r\n", "\n\n", " \n  ", " \r\n\t"])


@st.composite
def alone(draw):
    text = draw(NOT_ARRAYS.flatmap(layouts)).given
    return Part(text, ((0, text),))


@st.composite
def in_an_array(draw):
    text, values = "[", []
    for at, value in enumerate(draw(st.lists(VALUES.flatmap(layouts), max_size=4))):
        text += ("," if at else "") + draw(SPACES)
        values.append((len(text), value.given))
        text += value.given + draw(SPACES)
    return Part(text + draw(SPACES) + "]", tuple(values))


PARTS = st.lists(st.one_of(alone(), alone(), in_an_array()), max_size=6)


@st.composite
def files(draw, parts=PARTS, gaps=SPACES):
    """A whole file, and line and text of each of its values."""
    text, values = draw(SPACES), []
    for part in draw(parts):
        gap = draw(gaps)
        # Two scalars need something between them; whatever ends or begins with a bracket or quote does not.
        text += gap if gap or text[-1:] in {*'}]"', ""} or part.text[0] in '{["' else " "
        values += [(1 + (text + part.text[:at]).count("\n"), value) for at, value in part.values]
        text += part.text
    return text + draw(SPACES), values


@given(files(), st.sampled_from(["", "\ufeff"]))
@settings(deadline=None, max_examples=80, print_blob=True)
def test_the_same_values_are_found_in_any_layout_each_with_its_line(file, mark):
    text, values = file
    assert read_whole(mark + text) == values


@given(files(st.lists(alone(), max_size=6), BREAKS))
@settings(deadline=None, max_examples=30, print_blob=True)
def test_values_that_are_not_read_to_the_end_are_found_one_by_one(file):
    text, values = file
    reading = read_values(io.BytesIO(text.encode()), "events", bytes.decode)
    for expected in values[:2]:
        assert next(reading) == expected


OBJECT = '{"a": {"b": ["}", "{", "]", "[", ",", "\\"", "\\\\"]}}'
LAYOUTS = {
    "NDJSON": '{"a":1}\n{"b":2}\n{"c":3}\n',
    "no final line break": '{"a":1}\n{"b":2}\n{"c":3}',
    "CRLF": '{"a":1}\r\n{"b":2}\r\n{"c":3}\r\n',
    "empty lines": '\n\n{"a":1}\n\n  \n{"b":2}\n\t\n{"c":3}\n\n',
    "byte order mark": '\ufeff{"a":1}\n{"b":2}\n{"c":3}\n',
    "concatenated": '{"a":1}{"b":2}{"c":3}',
    "concatenated with spaces": '  {"a":1} {"b":2}\t{"c":3} ',
    "an array": '[{"a":1},{"b":2},{"c":3}]',
    "an array over lines": '[\n  {"a":1},\n  {"b":2},\n  {"c":3}\n]\n',
    "commas first": '[ {"a":1}\n, {"b":2}\n, {"c":3}\n]',
    "a bracket and a value on a line": '[{"a":1},\n{"b":2},\n{"c":3}]',
    "several arrays": '[{"a":1}][{"b":2}]\n[]\n[{"c":3}]',
    "arrays and objects": '{"a":1}[{"b":2}]{"c":3}',
    "a byte order mark before an array": '\ufeff[{"a":1},{"b":2},{"c":3}]',
    "a line of several": '{"a":1}\n{"b":2}{"c":3}\n',
    "several and one": '{"a":1} {"b":2}\n{"c":3}\n',
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_a_known_layout_gives_its_three_objects(text):
    assert [value for _, value in read_whole(text)] == ['{"a":1}', '{"b":2}', '{"c":3}']


def test_values_and_their_lines(subtests):
    for text, values in [
        ('{\n  "a": 1\n}\n{\n  "b": 2\n}\n', [(1, '{\n  "a": 1\n}'), (4, '{\n  "b": 2\n}')]),
        (f"{OBJECT}\n{OBJECT}{OBJECT}\n", [(1, OBJECT), (2, OBJECT), (2, OBJECT)]),
        (f"[\n{OBJECT},\n{OBJECT}]", [(2, OBJECT), (3, OBJECT)]),
        # Arrays are flattened one level, and no further.
        ("[[1,2],[3],[]]", [(1, "[1,2]"), (1, "[3]"), (1, "[]")]),
        ("[[\n[1]\n]\n,[2]]", [(1, "[\n[1]\n]"), (4, "[2]")]),
        ("[]", []),
        ("[\n\n]", []),
        ("[][]\n[ ]", []),
        ("", []),
        ("\ufeff", []),
        (" \n\t\r\n", []),
        ("1 2\n3", [(1, "1"), (1, "2"), (2, "3")]),
        ('1"a"null[true]false{}-2', [(1, each) for each in ["1", '"a"', "null", "true", "false", "{}", "-2"]]),
        ('"a""b"', [(1, '"a"'), (1, '"b"')]),
        ('"\\"" "\\\\"', [(1, '"\\""'), (1, '"\\\\"')]),
        ('["a,b","]","[","{"]', [(1, '"a,b"'), (1, '"]"'), (1, '"["'), (1, '"{"')]),
    ]:
        with subtests.test(text=text, values=values):
            assert read_whole(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # As many braces open as close, but one of them stands in a string.
        ('{"a":{"b":"}"}\n}', [(1, '{"a":{"b":"}"}\n}')]),
        ('{"a":{"b":"}"}\n}\n{}', [(1, '{"a":{"b":"}"}\n}'), (3, "{}")]),
        ('{"a":"{"}\n{"b":"}"}', [(1, '{"a":"{"}'), (2, '{"b":"}"}')]),
        ('{"a":"}{"}', [(1, '{"a":"}{"}')]),
        ('{"a":"} {"}{"b":1}', [(1, '{"a":"} {"}'), (1, '{"b":1}')]),
        # Something stands between the first object and the last.
        ('{"a":1}2{"b":3}', [(1, '{"a":1}'), (1, "2"), (1, '{"b":3}')]),
        ('{"a":1}[]{"b":3}', [(1, '{"a":1}'), (1, '{"b":3}')]),
        ('{"a":1} "x" {"b":3}', [(1, '{"a":1}'), (1, '"x"'), (1, '{"b":3}')]),
        # The line looks whole, and belongs to what is under way.
        ('[\n{"a":1}\n]', [(2, '{"a":1}')]),
        ('{"a":\n{"b":1}\n}', [(1, '{"a":\n{"b":1}\n}')]),
        ('[[\n{"b":1}\n]]', [(1, '[\n{"b":1}\n]')]),
    ],
)
def test_what_looks_whole_on_a_line_and_is_not_is_read_right(text, values):
    assert read_whole(text) == values


# --- what is bad ---

BAD = [
    "nul",
    "01",
    "NaN",
    "'a'",
    "{a:1}",
    '{"a":}',
    '{"a" 1}',
    '{"a":1,}',
    '{"a":[1,]}',
    '"\\x"',
    "1.",
    "+1",
    ",",
    "]",
    "}",
]


@given(files(gaps=BREAKS), st.sampled_from(BAD), files(gaps=BREAKS))
@settings(deadline=None, max_examples=60, print_blob=True)
def test_a_bad_value_is_told_with_its_line_and_all_before_it_was_given(before, bad, behind):
    text, values = before
    found, error = found_in(f"{text}\n{bad}\n{behind[0]}")
    assert found == values
    assert isinstance(error, InvalidPayloadError)
    assert error.source == f"events:{text.count(chr(10)) + 2}"
    assert names(error, "JSON")
    assert str(error).startswith(f"{error.source}: ")


@given(st.lists(OBJECTS.flatmap(layouts), max_size=3), st.sampled_from(BAD[:-3]), BREAKS)
@settings(deadline=None, max_examples=40, print_blob=True)
def test_a_bad_value_in_an_array_is_told_with_its_line(before, bad, gap):
    text = "[" + "".join(f"{gap}{layout.given}," for layout in before) + gap
    found, error = found_in(f"{text}{bad}{gap},{{}}]")
    assert [value for _, value in found] == [layout.given for layout in before]
    assert error.source == f"events:{1 + text.count(chr(10))}"


def test_what_ends_too_early_or_does_not_end_is_refused(subtests):
    for text, values, line in [
        ('{"a":1}\n{"b":\n', 1, 2),
        ('{"a":1}\n\n{"b":[\n1,\n2\n', 1, 3),
        ('{"a":1}\n"b\n{"c":2}', 1, 2),  # a string does not go over a line's end
        ('{"a":"b\n"}\n{}', 0, 1),
        ('{"a":1}\n[', 1, 2),
        ('{"a":1}\n[\n{"b":2},\n', 2, None),
        ('{"a":1}\n[{"b":2}', 2, None),
        ('{"a":1}}\n', 1, 1),
        ('{"a":1}]\n', 1, 1),
        ('[{"a":1}]]', 1, 1),
        ('{"a":1},\n{"b":2}', 1, 1),
        ('{"a":1}\n\ufeff{"b":2}', 1, 2),  # a mark begins a file, not a line
        ('{"a":1}\n{"b":]\n', 1, 2),
        ('{"a":1]\n', 0, 1),
    ]:
        with subtests.test(text=text, values=values, line=line):
            found, error = found_in(text)
            assert len(found) == values
            assert isinstance(error, InvalidInputError)
            assert error.source.startswith("events:") if line is None else error.source == f"events:{line}"


COMMAS = str(found_in("[,]")[1]).removeprefix("events:1: ")
"""The same words for each of them, and for nothing else."""


def test_what_is_no_json_is_told_in_other_words_than_a_comma_at_the_wrong_place():
    assert names(COMMAS, "JSON")
    for text in (*BAD, "[", "[{}]]"):
        assert COMMAS not in str(found_in(text)[1])


@pytest.mark.parametrize(
    ("text", "values", "line"),
    [
        ("[,]", 0, 1),
        ("[,1]", 0, 1),
        ("[1,]", 1, 1),
        ("[1,\n]", 1, 2),
        ("[1,,2]", 1, 1),
        ("[1\n,\n,2]", 1, 3),
        ("[1 2]", 1, 1),
        ("[{}\n{}]", 1, 2),
        ("[[1]\n[2]]", 1, 2),
        ('["a""b"]', 1, 1),
        ("[1]\n[2,]", 2, 2),
    ],
)
def test_an_array_at_the_top_has_its_values_between_single_commas(text, values, line):
    found, error = found_in(text)
    assert len(found) == values
    assert error.source == f"events:{line}"
    assert str(error) == f"{error.source}: {COMMAS}"


def test_another_fault_than_of_json_is_told_with_its_line_too():
    def read(value):
        if b"no" in value:
            raise InvalidInputError("missing")
        return value

    for text in ('{}\n{"no":1}\n', '{}{\n}{"no":1}', '[{},\n{"no":1}]', '{}\n{\n"no":\n1}'):
        with pytest.raises(InvalidInputError) as raised:
            list(read_values(io.BytesIO(text.encode()), "some file", read))
        assert str(raised.value) == "some file:2: missing"


def test_another_error_passes_as_it_is():
    def read(value):
        raise KeyError(value)

    for text in ("{}", "[{}]", "{\n}"):
        with pytest.raises(KeyError):
            list(read_values(io.BytesIO(text.encode()), "events", read))


@pytest.mark.parametrize("layout", ["[\n{}\n]", '{{"a":\n{}\n}}', '{{"a":1}}{}\n'])
def test_a_long_string_takes_memory_by_its_length(layout):
    text = layout.format('"' + "x" * 400_000 + '"').encode()
    lines = text.splitlines(keepends=True)
    tracemalloc.start()
    try:
        assert sum(len(value) for _, value in read_values(lines, "events", bytes)) > 400_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    most = 10 * len(text)
    assert peak < most


# --- pieces ---


@given(files(), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 12))
@settings(deadline=None)
def test_pieces_of_any_size_give_the_same_values(file, sizes, piece):
    text, values = file
    with mock.patch("evstore.jsontext.splitting._PIECE", piece):
        found, error = found_in_pieces(text.encode(), sizes)
    assert error is None
    assert [(number, value.decode()) for number, value in found] == values


BYTES = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b"1", b"true", b" ", b"\n", b'"a":', b"x"])
)


@given(BYTES.map(b"".join), st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(1, 6))
@settings(deadline=None, max_examples=300)
def test_pieces_of_any_size_give_the_same_fault_in_the_same_place(raw, sizes, piece):
    whole = found_in_pieces(raw, [len(raw) + 1])
    with mock.patch("evstore.jsontext.splitting._PIECE", piece):
        found, error = found_in_pieces(raw, sizes)
    assert [value for _, value in found] == [value for _, value in whole[0]]
    assert (error is None) == (whole[1] is None)
    assert error is None or error.partition(": ")[0] == whole[1].partition(": ")[0]


def pieces_of(begin, middle, count, end=b""):
    yield begin
    for _ in range(count):
        yield middle
    yield end


@pytest.mark.parametrize(
    "pieces",
    [
        pieces_of(b"[", b'{"type":"T","data":"' + b"x" * 60_000 + b'"},', 100, b"1]"),
        pieces_of(b"[", b'"' + b"x" * 998 + b'",', 6_000, b"1]"),
    ],
    ids=["objects", "strings"],
)
def test_an_array_on_one_line_takes_memory_by_its_values(pieces):
    tracemalloc.start()
    try:
        for _ in read_values(pieces, "events", len):
            continue
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "begin",
    [b"", b'"', b"[", b'{"a":', b'{"a":"', b"[[", b'[{"a":1},{"b":'],
    ids=lambda each: each.decode() or "junk",
)
def test_a_value_that_is_too_long_is_refused_before_it_is_held(begin):
    tracemalloc.start()
    taken = []
    try:
        with pytest.raises(InvalidInputError, match="100000 bytes"):
            for _ in read_values(pieces_of(begin, b"x" * 10_000, 6_000), "events", taken.append, 100_000):
                continue
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layout", ["{}", "{}\n", "[{}]", "\n {}  "])
def test_a_value_that_is_whole_at_once_is_held_to_the_limit_too(layout):
    """What passes must not hang on how the bytes were cut."""
    text = json.dumps({"a": "x" * 40})
    longest = len(text)
    given = layout.replace("{}", text).encode()
    assert [value for _, value in read_values([given], "in", bytes, longest)] == [text.encode()]
    for cut in (len(given), 7):
        pieces = [given[at : at + cut] for at in range(0, len(given), cut)]
        with pytest.raises(InvalidInputError) as raised:
            list(read_values(pieces, "in", bytes, longest - 1))
        assert raised.value.source in ("in:1", "in:2")
        assert f"{longest - 1} bytes" in str(raised.value)
