"""Depth and size of a payload, what judging costs, and when two payloads are the same."""

from __future__ import annotations

import time
import tracemalloc
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evstore.errors import InvalidPayloadError
from evstore.jsontext.judging import (
    MAX_DATA_BYTES,
    MAX_DEPTH,
    check_json,
    keep_json,
    parse_json,
    raw_value,
    same_json,
)
from tests.support.json_texts import STRINGS, TEXTS, VALUES, layouts
from tests.support.sentences import names

NESTS = {
    "arrays": ("[", "]"),
    "objects": ('{"a":', "}"),
    "both": ('{"a":[', "]}"),
    "beside others": ('[[],{},"[",', ',{"]":0}]'),
    "with brackets in strings": ('["]]\\"]",', "]"),
    "over lines": ("[\n  ", "\n]"),
}


def nested(kind, depth):
    opening, closing = NESTS[kind]
    pairs = depth // 2 if kind == "both" else depth
    return opening * pairs + "1" + closing * pairs


def refused(text):
    """Why it is refused."""
    with pytest.raises(InvalidPayloadError) as raised:
        check_json(text)
    return str(raised.value)


TOO_DEEP = refused(nested("arrays", 513))


def test_the_limits_are_512_deep_and_16_mib():
    assert (MAX_DEPTH, MAX_DATA_BYTES) == (512, 16_777_216)


@pytest.mark.parametrize("kind", NESTS)
def test_what_is_nested_512_deep_is_admitted(kind):
    # Members beside each other go one deeper than the nest itself.
    text = nested(kind, 511 if kind == "beside others" else 512)
    assert parse_json(check_json(text)) == parse_json(text)


def test_brackets_in_a_string_are_no_depth():
    text = f'"{"[" * 600}"'
    assert check_json(text) == text


def test_what_is_nested_deeper_is_refused_in_the_same_words_however_deep(subtests):
    for kind in NESTS:
        for depth in [514, 600, 2000, 100_000]:
            with subtests.test(kind=kind, depth=depth):
                assert names(refused(nested(kind, depth)), 512)


@pytest.mark.parametrize("kind", sorted(NESTS.keys() - {"both"}))
def test_what_is_nested_513_deep_is_refused(kind):
    assert refused(nested(kind, 512 if kind == "beside others" else 513)) == TOO_DEEP
    assert names(TOO_DEEP, 512)


@pytest.mark.parametrize(
    "text", ["[" + "[]," * 2000 + "[]]", '["' + "[{" * 2000 + '"]', '{"a":[' + "{}," * 2000 + "1]}"]
)
def test_many_brackets_are_not_deep(text):
    assert check_json(text) == text


@pytest.mark.parametrize("frames", [50, 700])
def test_the_depth_that_is_admitted_does_not_depend_on_how_deep_the_caller_is(frames):
    """A recursive parser shares the limit of Python's own stack with whoever calls it."""

    def call(left):
        return call(left - 1) if left else check_json(nested("arrays", 512))

    assert call(frames) == nested("arrays", 512)


def of_size(size):
    return '"' + "x" * (size - 2) + '"'


def test_a_payload_may_be_16_mib_long():
    assert len(check_json(of_size(MAX_DATA_BYTES))) == MAX_DATA_BYTES


def test_a_payload_of_one_byte_more_is_refused_and_told():
    assert names(refused(of_size(MAX_DATA_BYTES + 1)), 16777217, 16777216)


@pytest.mark.parametrize("character", ["x", "é", "日", "😀"])
@pytest.mark.parametrize("over", [0, 1])
def test_it_is_bytes_of_utf_8_that_count_against_another_limit_too(character, over):
    text = f'"{character * 100}' + "x" * over + '"'
    limit = len(text.encode()) - over
    if over:
        with pytest.raises(InvalidPayloadError) as raised:
            check_json(text, limit)
        assert names(raised.value, limit + 1, limit)
    else:
        assert check_json(text, limit) == keep_json(text.encode(), limit) == text


def test_line_breaks_and_white_space_around_do_not_count_against_the_limit():
    assert check_json("  [1,\n" + " " * 100 + "2]" + "\n" * 100, 5) == "[1,2]"


# --- what it costs ---


def _seconds(call, *given_values):
    start = time.thread_time()
    call(*given_values)
    return time.thread_time() - start


@pytest.mark.parametrize(
    "text",
    ['{"a":"' + " " * 8_000 + '"\n}', "[1," + " " * 8_000 + "2\n]", "[1," + "\t" * 8_000 + "2,\n3]"],
    ids=["in a string", "between tokens", "tabs"],
)
def test_a_long_run_of_spaces_is_passed_in_linear_time(text):
    seconds = _seconds(check_json, text)
    assert seconds < 0.1


@pytest.mark.parametrize("judge", [check_json, lambda text: same_json(text, text + " ")], ids=["check", "compare"])
def test_a_long_string_takes_memory_by_its_length(judge):
    """A pattern that repeats an alternative keeps a hundred bytes for each character that it passed."""
    # More brackets than may be nested, so that the depth is looked at.
    text = '["' + "x" * 400_000 + '",' + "[]," * 600 + "[]]"
    judge(text)
    tracemalloc.start()
    try:
        judge(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    most = 10 * len(text)
    assert peak < most


# --- the same ---


@given(VALUES.flatmap(lambda tokens: st.tuples(layouts(tokens), layouts(tokens))))
@settings(deadline=None, max_examples=60, print_blob=True)
def test_two_layouts_of_one_value_are_the_same(pair):
    one, other = pair
    assert same_json(one.given, other.given)
    assert same_json(one.kept, other.given)


@given(st.data())
@settings(deadline=None, max_examples=60, print_blob=True)
def test_values_that_differ_in_one_token_are_not_the_same_in_any_layout(data):
    tokens = data.draw(VALUES)
    scalars = [at for at, token in enumerate(tokens) if token not in set("[]{},:")]
    assume(scalars)
    at = data.draw(st.sampled_from(scalars))
    other = data.draw(STRINGS)  # it may stand for a name as well as for a value
    assume(other != tokens[at])
    changed = (*tokens[:at], other, *tokens[at + 1 :])
    assert not same_json(data.draw(layouts(tokens)).given, data.draw(layouts(changed)).given)


ALIKE = [
    '"a b"',
    '"a  b"',
    '"ab"',
    '" ab"',
    '"a\\u0020b"',
    '"a\\nb"',
    '"a\\tb"',
    "1",
    "1.0",
    "10",
    "[1,0]",
    '["1"]',
]


def test_values_that_look_alike_are_not_the_same(subtests):
    for one, other in [pair for pair in product(ALIKE, ALIKE) if pair[0] < pair[1]]:
        with subtests.test(one=one, other=other):
            assert not same_json(one, other)


@given(TEXTS)
@settings(deadline=None, max_examples=40, print_blob=True)
def test_what_is_kept_is_judged_the_same_from_text_and_from_bytes(layout):
    assert keep_json(raw_value(layout.given.encode())) == check_json(layout.given) == layout.kept
