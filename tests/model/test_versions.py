"""The rules of expected versions, judged by the table that judges every adapter."""

from __future__ import annotations

import pytest

from evstore.errors import EvstoreError, InvalidVersionError
from evstore.model.versions import (
    ANY_VERSION,
    MAX_VERSION,
    MIN_INTEGER,
    NO_STREAM,
    STREAM_EXISTS,
    check_expected_version,
    check_version,
    expected_version,
)
from evstore.testing import TRUTH_TABLE
from evstore.testing.asking import facts

STREAM_ID = "Order-1"


def test_a_stream_is_judged_as_the_truth_table_says(subtests):
    for row in TRUTH_TABLE:
        with subtests.test(row=row):
            refusal = None
            try:
                check_version(STREAM_ID, row.expected, row.actual)
            except EvstoreError as error:
                refusal = error
            assert facts(refusal) == facts(row.refusal(STREAM_ID))


def test_the_truth_table_holds_every_kind_of_expectation_and_of_stream():
    expected = {row.expected for row in TRUTH_TABLE}
    assert {ANY_VERSION, NO_STREAM, STREAM_EXISTS} <= expected
    actual = {row.actual for row in TRUTH_TABLE}
    assert {0, 1} < actual
    assert {max(actual) - 1, max(actual), max(actual) + 1, MAX_VERSION} <= expected
    assert len(TRUTH_TABLE) == len(set(TRUTH_TABLE)) == len(expected) * len(actual)


def test_what_the_truth_table_expects_may_be_expected(subtests):
    for row in TRUTH_TABLE:
        with subtests.test(row=row):
            check_expected_version(row.expected)


@pytest.mark.parametrize("expected", [-3, -(2**63), MAX_VERSION + 1, 1.0, "1", "any", None, True, False], ids=repr)
def test_what_is_no_version_is_refused_and_told(expected):
    with pytest.raises(InvalidVersionError) as raised:
        check_expected_version(expected)
    assert raised.value.expected is expected
    assert repr(expected) in str(raised.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("any", ANY_VERSION),
        ("no-stream", NO_STREAM),
        ("exists", STREAM_EXISTS),
        (7, 7),
        (MAX_VERSION, MAX_VERSION),
    ],
)
def test_an_expected_version_is_a_number_or_a_word(given, meant):
    assert expected_version(given) == meant


@pytest.mark.parametrize("given", ["some", "7", "", None, 1.0, True, -3, MAX_VERSION + 1], ids=repr)
def test_what_is_neither_is_refused_and_told_as_it_was_given(given):
    with pytest.raises(InvalidVersionError) as raised:
        expected_version(given)
    assert raised.value.expected is given


def test_versions_and_positions_are_the_integers_of_eight_bytes():
    assert MAX_VERSION.to_bytes(8, "big", signed=True) == b"\x7f" + b"\xff" * 7
    assert MIN_INTEGER.to_bytes(8, "big", signed=True) == b"\x80" + b"\0" * 7
