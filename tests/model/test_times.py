"""A time is read as RFC 3339 has it: with small letters, and with the second that a day may have too many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from evstore.errors import CorruptStoreError
from evstore.model.times import format_timestamp, microseconds_of, moment_at, moment_of, timestamp_us

if TYPE_CHECKING:
    from tests.support.command import Command

TIMES = {
    "2026-11-23t14:30:00z": "2026-11-23T14:30:00.000000Z",
    "2026-11-23T14:30:00.5z": "2026-11-23T14:30:00.500000Z",
    "2026-11-23 15:30:00+01:00": "2026-11-23T14:30:00.000000Z",
    "2016-12-31T23:59:60Z": "2017-01-01T00:00:00.000000Z",
    "2016-12-31T23:59:60.25Z": "2017-01-01T00:00:00.250000Z",
    "2017-01-01t00:59:60+01:00": "2017-01-01T00:00:00.000000Z",
    "1990-12-31T15:59:60-08:00": "1991-01-01T00:00:00.000000Z",
}


@pytest.mark.parametrize("text", TIMES)
def test_a_time_is_a_moment(text: str) -> None:
    assert format_timestamp(timestamp_us(moment_of(text))) == TIMES[text]
    assert format_timestamp(microseconds_of(text)) == TIMES[text]


@pytest.mark.parametrize(
    "text",
    ["2016-12-31T23:58:60Z", "2016-12-31T12:00:60Z", "2016-12-31T23:59:60", "2016-12-31T23:59:61Z", "2016-12-31T23:60:00Z", "9999-12-31T23:59:60Z"],
)  # fmt: skip
def test_a_second_that_no_day_has_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment_of(text)


@pytest.mark.parametrize("text", TIMES)
def test_such_times_are_imported_and_asked_for(store: Command, text: str) -> None:
    line = {"id": "0198e5c4-7a2b-7c3d-8e4f-0123456789ab", "streamId": "A-1", "type": "T", "data": 1, "metadata": {}, "version": 1, "globalPosition": 1, "timestamp": text}  # fmt: skip
    store.ok("import", "-", stdin=json.dumps(line).encode())
    event = json.loads(store.ok("read", "A-1", "--since", text).out)
    assert event["timestamp"] == TIMES[text]
    assert store.ok("read", "A-1", "--until", text).out == b""


def test_a_leap_second_at_the_end_of_time_is_bad_input(store: Command) -> None:
    line = {"id": "0198e5c4-7a2b-7c3d-8e4f-0123456789ab", "streamId": "A-1", "type": "T", "data": 1, "metadata": {}, "version": 1, "globalPosition": 1, "timestamp": "9999-12-31T23:59:60Z"}  # fmt: skip
    assert store("import", "-", stdin=json.dumps(line).encode()).code == 5
    assert store("read", "A-1", "--since", "9999-12-31T23:59:60Z").code == 2


def test_moments_are_counted_from_the_begin_of_1970() -> None:
    assert format_timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert format_timestamp(-1) == "1969-12-31T23:59:59.999999Z"
    assert microseconds_of("1970-01-01T00:00:01Z") == 1_000_000


@pytest.mark.parametrize("time", [10**18, -(10**18), 10**40, "1", None], ids=repr)
def test_a_time_that_no_append_lets_in_is_damage(time: object) -> None:
    for read in (moment_at, format_timestamp):
        with pytest.raises(CorruptStoreError) as raised:
            read(time)  # type: ignore[arg-type]
        assert f"it holds the time {str(time)[:9]}" in str(raised.value).replace("'", "")
