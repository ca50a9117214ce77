"""The rules of names: what may be called how, and which category a stream is in."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore.errors import InvalidInputError, InvalidStreamIdError
from evstore.model.names import category_of, check_known_stream_id, check_name, check_stream_id
from evstore.model.versions import ANY_VERSION, MAX_VERSION, NO_STREAM, STREAM_EXISTS
from tests.support.odd_names import ODD_BUT_FINE
from tests.support.sentences import names, wording

CONTROL_CHARACTERS = [*range(0x20), *range(0x7F, 0xA0)]
SURROGATES = [0xD800, 0xD83D, 0xDBFF, 0xDC00, 0xDE00, 0xDFFF]


def test_the_category_is_what_stands_before_the_first_hyphen(subtests):
    for stream_id, category in [
        ("Order-order-123", "Order"),
        ("Customer-cust-456", "Customer"),
        ("Order-123", "Order"),
        ("User-abc-def", "User"),
        ("NoHyphen", "NoHyphen"),
        ("x-", "x"),
        ("EndsWithHyphen-", "EndsWithHyphen"),
        ("123-456", "123"),
        ("a--b", "a"),
        ("Order\u20131", "Order\u20131"),  # a dash is no hyphen
        ("Order\u20101", "Order\u20101"),  # neither is Unicode's
        # No stream is called so, but the rule is total.
        ("-StartsWithHyphen", ""),
        ("-", ""),
        ("", ""),
    ]:
        with subtests.test(stream_id=stream_id, category=category):
            assert category_of(stream_id) == category


@given(st.text(st.characters(exclude_characters="-")), st.text())
@settings(deadline=None, max_examples=50, print_blob=True)
def test_what_follows_the_first_hyphen_does_not_change_the_category(category, rest):
    assert category_of(f"{category}-{rest}") == category == category_of(category)


def test_an_odd_stream_id_is_admitted(subtests):
    for stream_id in ODD_BUT_FINE:
        with subtests.test(stream_id=stream_id):
            check_stream_id(stream_id)


def test_an_odd_event_type_is_admitted(subtests):
    for name in ODD_BUT_FINE:
        with subtests.test(name=name):
            check_name("event type", name)


@pytest.mark.parametrize(
    ("stream_id", "facts"),
    [
        ("", []),
        ("-1", ['"-1"', '"-"']),
        ("-", ['"-"']),
        ("$all", ['"$all"', '"$"']),
        ("$", ['"$"']),
        (None, ["NoneType"]),
        (5, ["int"]),
        (b"Order-1", ["bytes"]),
    ],
    ids=ascii,
)
def test_a_stream_id_is_refused_with_the_reason(stream_id, facts):
    with pytest.raises(InvalidStreamIdError) as raised:
        check_stream_id(stream_id)
    assert names(raised.value, *facts)


def test_each_reason_to_refuse_a_stream_id_has_words_of_its_own():
    odd = ["", "-1", "$all", "a\n", "a\ud800", "x" * 513, None]
    assert len({wording(_refused_stream_id(each)) for each in odd}) == len(odd)
    assert wording(_refused_stream_id("-1")) == wording(_refused_stream_id("-2"))


def _refused_stream_id(stream_id):
    with pytest.raises(InvalidStreamIdError) as raised:
        check_stream_id(stream_id)
    return raised.value


@pytest.mark.parametrize(("name", "facts"), [("", []), (None, ["NoneType"]), (b"T", ["bytes"])], ids=ascii)
def test_an_event_type_is_refused_with_the_reason_and_named_in_it(name, facts):
    assert names(_refused_type(name), "event type", *facts)


def test_each_reason_to_refuse_an_event_type_has_words_of_its_own():
    odd = ["", "a\n", "a\ud800", "x" * 256, None]
    assert len({wording(_refused_type(each)) for each in odd}) == len(odd)


def _refused_type(name):
    with pytest.raises(InvalidInputError) as raised:
        check_name("event type", name)
    assert type(raised.value) is InvalidInputError
    return raised.value


def test_a_control_character_is_refused_wherever_it_stands_and_told(subtests):
    for code in CONTROL_CHARACTERS:
        with subtests.test(code=code):
            for around in ("{}", "{}Order-1", "Or{}der-1", "Order-1{}"):
                _refused_for_its_control_character(around.format(chr(code)), code)


def _refused_for_its_control_character(name, code):
    place = name.index(chr(code)) + 1
    assert names(_refused_stream_id(name), f"U+{code:04X}", place)
    assert names(_refused_type(name), "event type", f"U+{code:04X}", place)


def test_a_lone_surrogate_is_refused_wherever_it_stands_and_told(subtests):
    for code in SURROGATES:
        for around in ["{}", "Or{}der-1", "Order-1{}", "é{}"]:
            with subtests.test(code=code, around=around):
                name = around.format(chr(code))
                for refused in (_refused_stream_id, _refused_type):
                    assert names(refused(name), f"U+{code:04X}")
                    assert wording(refused(name)) == wording(refused("\udc01"))


def test_a_character_that_is_refused_is_called_what_it_is():
    assert str(_refused_type("A\x00")) == "the event type holds the control character U+0000 at character 2"
    surrogate = "the event type holds the lone surrogate (is it UTF-8?) U+DC01 at character 1"
    assert str(_refused_type("\udc01")) == surrogate


def test_the_stream_of_redactions_may_be_there_but_not_appended_to_and_no_other_like_it():
    check_known_stream_id("$redactions")
    for stream_id in ("$redaction", "$Redactions", "$all"):
        with pytest.raises(InvalidStreamIdError):
            check_known_stream_id(stream_id)
    with pytest.raises(InvalidStreamIdError):
        check_stream_id("$redactions")


@pytest.mark.parametrize("code", [0x20, 0x7E, 0xA0, 0xD7FF, 0xE000], ids="U+{:04X}".format)
def test_the_neighbours_of_what_is_refused_are_admitted(code):
    check_stream_id(f"a{chr(code)}-1")
    check_name("event type", f"a{chr(code)}")


@pytest.mark.parametrize("longest", ["a" * 512, "é" * 256, "a" + "é" * 255 + "b", "😀" * 128, "日" * 170 + "ab"])
def test_a_stream_id_has_at_most_512_bytes_of_utf_8(longest):
    assert len(longest.encode()) == 512
    check_stream_id(longest)
    assert names(_refused_stream_id(longest + "x"), 513, 512)


@pytest.mark.parametrize("longest", ["a" * 255, "é" * 127 + "a", "😀" * 63 + "abc", "日" * 85])
def test_an_event_type_has_at_most_255_bytes_of_utf_8(longest):
    assert len(longest.encode()) == 255
    check_name("event type", longest)
    assert names(_refused_type(longest + "x"), 256, 255)


@pytest.mark.parametrize(("characters", "size"), [("a" * 511 + "é", 513), ("é" * 257, 514), ("😀" * 512, 2048)])
def test_it_is_bytes_that_count_not_characters(characters, size):
    assert len(characters) <= 512
    assert names(_refused_stream_id(characters), size, 512)


def _fine(name, most_bytes):
    """The rule again, in Unicode's own words: Cc are the control characters, Cs the surrogates."""
    plain = all(unicodedata.category(each) not in {"Cc", "Cs"} for each in name)
    return plain and 1 <= len(name.encode()) <= most_bytes


NAMES = st.one_of(
    st.text(st.characters(), max_size=6),
    st.tuples(st.sampled_from("aé日😀"), st.integers(60, 520)).map(lambda each: each[0] * each[1]),
    st.tuples(st.sampled_from(["a" * 510, "é" * 127]), st.text(st.characters(), max_size=3)).map("".join),
)


@given(NAMES)
@settings(deadline=None, max_examples=200, print_blob=True)
def test_exactly_what_breaks_no_rule_is_admitted(name):
    def admits(check, *given):
        try:
            check(*given)
        except InvalidInputError:
            return False
        return True

    assert admits(check_stream_id, name) == (_fine(name, 512) and name[0] not in "-$")
    assert admits(check_name, "event type", name) == _fine(name, 255)


def test_the_three_expectations_have_the_numbers_that_programs_rely_on():
    assert (ANY_VERSION, NO_STREAM, STREAM_EXISTS) == (-1, 0, -2)
    assert MAX_VERSION == 9_223_372_036_854_775_807
