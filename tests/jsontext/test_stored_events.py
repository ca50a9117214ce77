"""A stored event as a line of JSON: its exact form, and that it comes back equal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evstore import EventData, InvalidInputError, Metadata, StoredEvent, connect
from evstore.cli.output.writer import as_bytes
from evstore.model.events import lines_of
from evstore.model.names import joined_tags
from evstore.model.raw import NOTHING, lines_of_rows, spelled
from tests.support.json_texts import TEXTS
from tests.support.odd_names import NAMES, TAGS
from tests.support.sentences import names

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
EVENT = StoredEvent(
    id=ID,
    stream_id="Order-order-123",
    type="OrderPlaced",
    data_json='{"orderId":"order-1"}',
    metadata_json='{"correlationId":"c","custom":{"k":"v"}}',
    version=1,
    global_position=42,
    timestamp_us=1_795_444_200_123_456,
)
LINE = (
    f'{{"id":"{ID}","streamId":"Order-order-123","type":"OrderPlaced","data":{{"orderId":"order-1"}},'
    '"metadata":{"correlationId":"c","custom":{"k":"v"}},"version":1,"globalPosition":42,'
    '"timestamp":"2026-11-23T14:30:00.123456Z"}'
)
KEYS = ["id", "streamId", "type", "data", "metadata", "version", "globalPosition", "timestamp"]
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999

TIMES = st.integers(FIRST_US, LAST_US)
METADATA = st.builds(Metadata, st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
EVENTS = st.builds(
    StoredEvent,
    st.uuids().map(str),
    NAMES,
    NAMES,
    TEXTS.map(lambda layout: layout.kept),
    METADATA.map(Metadata.to_json),
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    TIMES,
    st.lists(TAGS, max_size=3, unique=True).map(joined_tags),
    st.booleans(),
)


def test_the_line_of_a_stored_event_is_exactly_this():
    assert EVENT.to_json() == LINE


@given(EVENTS)
@settings(deadline=None, max_examples=80, print_blob=True)
def test_a_stored_event_comes_back_equal_from_its_line_whatever_it_holds(event):
    line = event.to_json()
    assert StoredEvent.from_json(line) == StoredEvent.from_json(line.encode()) == event
    assert StoredEvent.from_json(line).to_json() == line


@given(EVENTS)
@settings(deadline=None, max_examples=60, print_blob=True)
def test_a_line_is_one_line_of_json_with_its_keys_in_order_and_the_payload_as_it_is(event):
    line = event.to_json()
    assert "\n" not in line
    assert "\r" not in line
    pairs = json.loads(line, object_pairs_hook=list, parse_int=str, parse_float=str)
    rarer = {"tags": event.tags, "redacted": event.redacted}
    assert [key for key, _ in pairs] == [*KEYS, *(key for key, value in rarer.items() if value)]
    said = dict(pairs)
    assert (said["id"], said["streamId"], said["type"]) == event[:3]
    assert (said["version"], said["globalPosition"]) == (str(event.version), str(event.global_position))
    assert f'"data":{event.data_json},"metadata":{event.metadata_json},"version"' in line


@given(st.lists(EVENTS, max_size=6))
@settings(deadline=None, max_examples=80, print_blob=True)
def test_the_lines_of_a_page_are_those_that_a_plain_spelling_of_each_event_gives(events):
    page = events + events[::-1]  # moments come again, after others
    lines = lines_of(page)
    assert lines == [event.to_json() for event in page] == [plainly(event) for event in page]
    assert as_bytes(lines) == "".join(f"{line}\n" for line in lines).encode()


@given(st.lists(EVENTS, max_size=6))
@settings(deadline=None, max_examples=80, print_blob=True)
def test_the_lines_of_raw_rows_are_those_of_their_events(events):
    streams, types = (dict(enumerate({event[at] for event in events})) for at in (1, 2))
    key_of = [{name: key for key, name in names.items()} for names in (streams, types)]
    rows = [
        (
            UUID(event.id).bytes,
            key_of[0][event.stream_id],
            key_of[1][event.type],
            event.data_json.encode(),
            event.metadata_json.encode(),
            *event[5:8],
            event.joined_tags and event.joined_tags.encode(),
            event.redacted,
        )
        for event in events
    ]
    names = ({key: spelled(name) for key, name in each.items()} for each in (streams, types))
    lines = lines_of_rows([event.id.encode() for event in events], *names, rows)
    assert lines == as_bytes(lines_of(events))


def test_a_page_of_no_events_has_no_lines():
    assert lines_of_rows([], {}, {}, []) == NOTHING.lines == b""
    assert (NOTHING.events, NOTHING.last, NOTHING.is_cut) == (0, None, False)


@pytest.mark.parametrize("ids", [[], [b"a", b"b"]], ids=len)
def test_as_many_ids_as_raw_rows_or_no_lines(ids):
    with pytest.raises(ValueError, match="zip"):
        lines_of_rows(ids, {1: b'"A"'}, {1: b'"T"'}, [(None, 1, 1, b"1", b"{}", 1, 1, 0, None, False)])


def plainly(event: StoredEvent) -> str:
    """The line of an event, by the json module and the form that Python gives a moment."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.timestamp_us)
    members = {
        "id": json.dumps(event.id),
        "streamId": json.dumps(event.stream_id, ensure_ascii=False),
        "type": json.dumps(event.type, ensure_ascii=False),
        "data": event.data_json,
        "metadata": event.metadata_json,
        "version": str(event.version),
        "globalPosition": str(event.global_position),
        "timestamp": f'"{moment.isoformat(timespec="microseconds").removesuffix("+00:00")}Z"',
    }
    if event.tags:
        members["tags"] = json.dumps(event.tags, ensure_ascii=False, separators=(",", ":"))
    if event.redacted:
        members["redacted"] = "true"
    return "{" + ",".join(f'"{key}":{text}' for key, text in members.items()) + "}"


def test_metadata_is_there_when_it_is_empty():
    stored = connect("memory:").append("Order-1", [EventData("Placed", {})])
    assert '"metadata":{},' in stored[0].to_json()


# --- time ---


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-1_000_000, "1969-12-31T23:59:59.000000Z"),
        (-2_208_988_800_000_001, "1899-12-31T23:59:59.999999Z"),
        (1_000_000, "1970-01-01T00:00:01.000000Z"),
        (951_782_400_500_000, "2000-02-29T00:00:00.500000Z"),
        (FIRST_US, "0001-01-01T00:00:00.000000Z"),
        (LAST_US, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_timestamp_is_utc_with_six_decimals_and_z(us, text):
    assert json.loads(EVENT._replace(timestamp_us=us).to_json())["timestamp"] == text


@given(TIMES)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_a_timestamp_says_its_microsecond_and_comes_back(us):
    event = EVENT._replace(timestamp_us=us)
    text = json.loads(event.to_json())["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    assert event.timestamp == datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z") == moment
    assert event.timestamp.utcoffset() == timedelta(0)
    assert StoredEvent.from_json(event.to_json()).timestamp_us == us


@given(TIMES, TIMES)
@settings(deadline=None, max_examples=50, print_blob=True)
def test_timestamps_sort_as_text(one, other):
    texts = [json.loads(EVENT._replace(timestamp_us=us).to_json())["timestamp"] for us in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-11-23T14:30:00.123456Z", 1_795_444_200_123_456),
        ("2026-11-23T14:30:00Z", 1_795_444_200_000_000),
        ("2026-11-23T15:30:00.123456+01:00", 1_795_444_200_123_456),
        ("2026-11-23T14:30:00.123456+00:00", 1_795_444_200_123_456),
    ],
)
def test_a_time_is_read_with_its_zone(text, us):
    assert StoredEvent.from_json(LINE.replace("2026-11-23T14:30:00.123456Z", text)).timestamp_us == us


# --- reading a line ---


def without(key):
    return json.dumps({each: value for each, value in json.loads(LINE).items() if each != key})


def with_member(key, text):
    members = {each: json.dumps(value) for each, value in json.loads(LINE).items()}
    return "{" + ",".join(f'"{each}":{value}' for each, value in {**members, key: text}.items()) + "}"


def test_keys_that_are_not_known_are_ignored():
    """A later evstore may add some at the end."""
    assert StoredEvent.from_json(LINE[:-1] + ',"annotated":true,"hash":{"a":[1]}}') == EVENT


def test_keys_that_are_not_known_are_listed_to_whoever_asks():
    assert StoredEvent.from_json_noting(LINE) == (EVENT, [])
    assert StoredEvent.from_json_noting(LINE[:-1] + ',"annotated":true,"hash":{"a":[1]}}') == (
        EVENT,
        ["annotated", "hash"],
    )


@pytest.mark.parametrize("key", KEYS)
def test_a_line_without_one_of_its_keys_is_refused_and_the_key_named(key):
    with pytest.raises(InvalidInputError) as raised:
        StoredEvent.from_json(without(key))
    assert names(raised.value, key)


def test_a_line_with_something_else_in_a_key_is_refused(subtests):
    for key, text in [
        *(
            ("id", "null"),
            ("id", "5"),
            ("streamId", "null"),
            ("type", "[]"),
            ("version", '"1"'),
            ("version", "1.5"),
        ),
        *(("globalPosition", "null"), ("globalPosition", "1e400"), ("timestamp", "0"), ("timestamp", '"now"')),
        *(
            ("timestamp", '"2026-11-23"'),
            ("timestamp", '"2026-11-23T14:30:00"'),
            ("timestamp", '"2026-13-01T00:00:00Z"'),
        ),
        *(("data", "NaN"), ("data", '"\\ud800"'), ("metadata", "nul"), ("data", "[" * 5000 + "]" * 5000)),
        *(("id", '"x"'), ("id", '"a\\"b"'), ("id", '""')),
    ]:
        with subtests.test(key=key, text=text):
            with pytest.raises(InvalidInputError):
                StoredEvent.from_json(with_member(key, text))


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", LINE + LINE, LINE[:-1], "\ufeff" + LINE, LINE.replace("Order-", "\ud800")],
    ids=lambda line: ascii(line)[:20],
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(InvalidInputError):
        StoredEvent.from_json(line)


@pytest.mark.parametrize(
    "line",
    [
        LINE.encode().replace(b"order-1", b"\xff"),
        LINE.encode().replace(b"OrderPlaced", b"\xff"),
        LINE.encode().replace(b'{"id"', b'{"\xff":1,"id"'),  # a key that is not known
        LINE.encode().replace(b'{"id"', b'{"more":["\xff"],"id"'),
    ],
)
def test_a_line_that_is_not_utf_8_is_refused(line):
    for read in (StoredEvent.from_json, StoredEvent.from_json_noting):
        with pytest.raises(InvalidInputError) as raised:
            read(line)
        assert names(raised.value, "UTF-8")


def test_a_line_that_was_spread_over_lines_is_one_again():
    spread = json.dumps(json.loads(LINE), indent=2)
    assert "\n" not in StoredEvent.from_json(spread).to_json()


def test_white_space_around_a_line_does_not_matter():
    assert StoredEvent.from_json(f"  {LINE}\r\n") == EVENT


# --- what an event tells ---


def test_a_stored_event_tells_its_parts():
    assert EVENT.data == {"orderId": "order-1"}
    assert EVENT.metadata == Metadata(correlation_id="c", custom={"k": "v"})
    assert EVENT.category == "Order"
    assert EVENT.timestamp == datetime(2026, 11, 23, 14, 30, 0, 123456, tzinfo=UTC)


def test_the_data_is_parsed_anew_at_each_call_so_that_changing_it_changes_nothing():
    EVENT.data["orderId"] = "another"
    assert EVENT.data == {"orderId": "order-1"}
    assert EVENT.to_json() == LINE
