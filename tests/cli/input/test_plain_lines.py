"""Plain lines that are read many at once make the events, and the faults, that they make one by one."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evstore import InvalidInputError, Metadata, StoredEvent
from evstore.appending import envelopes, plain
from evstore.appending.preparing import Preparing
from evstore.cli.input import intake
from evstore.cli.input.append_flags import AppendFlags
from evstore.jsontext import packed
from evstore.jsontext.splitting import Values
from evstore.transfer import Arrival, arrival, plain_arrivals
from tests.support.json_texts import VALUES, layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"
TEXTS = st.one_of(
    st.sampled_from(
        ["", "A-1", "a", 'a"b', "\\", "é", "\0", "\n", "\x7f", "x" * 600, "東京", "null", "{}", "\u2028"]
    ),
    st.text(max_size=4),
)
ODD = st.sampled_from([None, 1, [], {}, {"a": 1}, True])
METADATA = st.dictionaries(
    st.sampled_from(["correlationId", "causationId", "userId", "tenantId", "custom", "userid"]),
    st.one_of(TEXTS, TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), ODD),
    max_size=4,
)
TAGS = st.lists(st.one_of(st.sampled_from(["order:17", "x", "é", "a b", "a,b", "\x7f", 1]), TEXTS), max_size=3)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "streamId": st.one_of(st.sampled_from(["A-1", "A-2"]), TEXTS, ODD),
    "type": st.one_of(st.sampled_from(["T", "U"]), TEXTS, ODD),
    "metadata": st.one_of(METADATA, METADATA, ODD),
    "id": st.one_of(st.sampled_from([ID, ID.upper(), ID[:-1]]), st.uuids().map(str), ODD),
    "expectedVersion": st.sampled_from([0, 1, "any", "none", None]),
    "key": TEXTS,
    "tags": st.one_of(TAGS, TAGS, ODD),
    "unless": st.one_of(st.just([{"query": [{"tags": ["x"]}], "after": 3}]), ODD),
    "version": st.just(3),
    "more": st.just(1),
}
PLAIN = ("streamId", "type", "metadata", "id", "tags")


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A line, mostly an envelope: with members missing, odd, twofold, in any order, with white space between."""
    names = ["streamId", "type", *draw(st.lists(st.sampled_from(PLAIN), max_size=2, unique=True))]
    if draw(st.integers(0, 5)) == 0:
        names = draw(st.lists(st.sampled_from([*MEMBERS]), max_size=5))
    members = [(name, json.dumps(draw(MEMBERS[name]), ensure_ascii=draw(st.booleans()))) for name in {*names}]
    members += [("data", draw(VALUES.flatmap(layouts)).given)] * draw(st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2]))
    gap = draw(st.sampled_from(["", "", " ", "\t", "\r", "\n"]))
    text = ",".join(f'"{name}"{gap}:{gap}{value}' for name, value in draw(st.permutations(members)))
    return f"{gap}{{{text}}}{gap}".encode("utf-8", "surrogatepass")


LINES = st.one_of(*([written()] * 4), st.binary(max_size=6))
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\n\n", b" ", b"", b"", b"\x1e"])
FILES = st.lists(st.tuples(LINES, ENDS), max_size=7).map(lambda parts: b"".join(map(b"".join, parts)))

Seen = tuple[list[tuple[Any, ...]], tuple[type, str, str | None] | None]


def seen(path: Path, flags: AppendFlags, default: Metadata, tags: tuple[str, ...]) -> Seen:
    """The events of the file, without the ids that were made for them, and the fault that ends them."""
    found: list[tuple[Any, ...]] = []
    try:
        for event in intake.Intake(flags, Preparing(default, tags=tags)).events():
            (stream_id, (prepared,), expected), given_id, new_id, source, conditions = event
            kept = prepared._replace(id="") if new_id else prepared
            found.append((stream_id, kept, expected, given_id, new_id, source and source[1], conditions))
    except InvalidInputError as error:
        return found, (type(error), str(error).replace(str(path), "FILE"), error.source)
    return found, None


@pytest.mark.parametrize(("stream", "type"), [("A-1", None), (None, None), ("A-1", "T"), ("A-1", "")])
@given(
    text=FILES,
    default=st.sampled_from([Metadata(), Metadata(), Metadata(user_id="u", custom={"a": "b"})]),
    tags=st.sampled_from([(), (), ("x", "order:1")]),
    piece=st.sampled_from([1, 7, 64, 1 << 16]),
)
@example(
    text=b'{"type":"T","data":1}{"type":"T","data":2}\n{"type":"T",\n"data":3}\n',
    default=Metadata(),
    tags=(),
    piece=64,
)
@example(text=b'{"a":1}{"a":2}\n{"b":\n3}\n', default=Metadata(), tags=(), piece=1 << 16)
@example(text=b'\n{"b":1}{"b":2}\n', default=Metadata(), tags=(), piece=1 << 16)
@example(
    text=b'{"streamId":"A-1","type":"T","data":{"b":1}\n}{"streamId":"A-1","type":"T","data":1}\n',
    default=Metadata(),
    tags=(),
    piece=1 << 16,
)
@example(text=b'{"type":"T","data":"' + b"[" * 600 + b'"}\n', default=Metadata(), tags=(), piece=1 << 16)
@example(
    text=b'{"type":"T","data":' + b"[" * 513 + b"]" * 513 + b"}\n", default=Metadata(), tags=(), piece=1 << 16
)
@settings(deadline=None, max_examples=100, print_blob=True)
def test_lines_at_once_are_as_lines_one_by_one(
    stream: str | None, type: str | None, text: bytes, default: Metadata, tags: tuple[str, ...], piece: int
) -> None:
    with TemporaryDirectory() as folder, mock.patch.object(packed, "READ_BYTES", piece):
        path = Path(folder, "events")
        path.write_bytes(text)
        flags = AppendFlags(stream=stream, many=stream is None, type=type, files=[str(path)])
        at_once = seen(path, flags, default, tags)
        with (
            mock.patch.object(plain, "plain_envelopes", return_value=None),
            mock.patch.object(plain, "plain_payloads", return_value=None),
        ):
            assert at_once == seen(path, flags, default, tags)


STORED = {
    "id": ID,
    "streamId": "A-1",
    "type": "T",
    "data": {"a": [1, "b"]},
    "metadata": {"userId": "u", "correlationId": "c"},
    "version": 1,
    "globalPosition": 1,
    "timestamp": "2026-01-01T00:00:00.000001Z",
}
ODD_OF_STORED: dict[str, st.SearchStrategy[Any]] = {
    "id": MEMBERS["id"],
    "streamId": MEMBERS["streamId"],
    "type": MEMBERS["type"],
    "data": TEXTS,
    "metadata": MEMBERS["metadata"],
    "version": st.sampled_from([0, -1, 2, 2**63 - 1, 2**63, 1.0, "1", None]),
    "globalPosition": st.sampled_from([0, 2, 2**63, True]),
    "tags": st.one_of(TAGS, TAGS, ODD),
    "redacted": st.sampled_from([True, False, None, 1]),
    "timestamp": st.sampled_from(
        ["2026-01-01T00:00:00+02:00", "2026-01-01", "2026-01-01t00:00:60z", "2016-12-31T23:59:60Z", "x", 1, ""]
    ),
    "more": st.just(1),
}


@st.composite
def lines_of_stored(draw: st.DrawFn) -> bytes:
    """A line as evstore prints it, with a few members odd, missing or twofold."""
    members = [(name, json.dumps(value)) for name, value in STORED.items()]
    for name in draw(st.lists(st.sampled_from([*ODD_OF_STORED]), max_size=2)):
        fate = draw(st.sampled_from(["odd", "odd", "odd", "missing", "twice"]))
        if fate != "twice":
            members = [each for each in members if each[0] != name]
        if fate != "missing":
            members.append((name, json.dumps(draw(ODD_OF_STORED[name]), ensure_ascii=draw(st.booleans()))))
    text = ",".join(f'"{name}":{value}' for name, value in members)
    return f"{{{text}}}".encode("utf-8", "surrogatepass")


@given(
    text=st.lists(st.tuples(lines_of_stored(), ENDS), max_size=5).map(lambda parts: b"".join(map(b"".join, parts)))
)
@settings(deadline=None, max_examples=200, print_blob=True)
def test_stored_events_at_once_are_as_stored_events_one_by_one(text: bytes) -> None:
    def read(value: bytes) -> Arrival:
        return arrival(Preparing(), f"in:{values.line}", StoredEvent.from_json_noting(value)[0])

    def seen(read_lines: Callable[[bytes], list[Arrival] | None]) -> tuple[list[Any], str]:
        nonlocal values
        values = Values("in", read, read_lines=read_lines)
        found: list[Any] = []
        try:
            for _, (source, stored, event) in [*values.feed([text]), *values.end()]:
                found.append((source, stored._replace(metadata_json=event.metadata_json), event))
        except InvalidInputError as error:
            return found, f"{type(error)} {error} {error.source}"
        return found, ""

    values: Values[Arrival]
    assert seen(lambda lines: plain_arrivals(Preparing(), "in", values.line, lines)) == seen(lambda _: None)


def test_what_evstore_printed_is_read_at_once() -> None:
    lines = b"".join(json.dumps({**STORED, "version": n}).encode() + b"\n" for n in (1, 2, 3))
    found = plain_arrivals(Preparing(), "in", 7, lines)
    assert found is not None
    assert [(source, stored.version) for source, stored, _ in found] == [("in:7", 1), ("in:8", 2), ("in:9", 3)]


def test_payloads_are_read_at_once_if_each_is_an_object() -> None:
    none = [None, None]
    found = plain.plain_payloads(b'{"a":1}\n{"b":[{}]}\n', "T")
    assert found == (none, ["T", "T"], ['{"a":1}', '{"b":[{}]}'], ["{}", "{}"], none, none, none)
    assert plain.plain_payloads(b"", "T") is None
    for other in (b"[1]", b'"{"', b'{"a":}', b'{"a":\r1}', b'{"a":"\xff"}', b"[" * 513 + b"]" * 513):
        assert plain.plain_payloads(b'{"a":1}\n' + other + b"\n", "T") is None, other


def envelope(**members: str) -> bytes:
    text = ",".join(f'"{key}":{value}' for key, value in {"type": '"T"', "data": "1", **members}.items())
    return f"{{{text}}}\n".encode()


@pytest.mark.parametrize("named", [[], ["A-1"], ["A-1", "A-2", "A-3"]])
def test_envelopes_are_read_at_once_whichever_of_them_name_a_stream(named: list[str]) -> None:
    lines = b"".join(envelope(streamId=f'"{each}"') for each in named) + envelope() * 2
    found = plain.plain_envelopes(lines)
    assert found is not None
    assert [*found.stream_ids] == [*named, None, None]


def test_lines_as_long_as_an_events_data_may_be_are_read_at_once_and_longer_ones_are_not() -> None:
    lines = envelope() * 2
    with mock.patch.object(plain, "MAX_DATA_BYTES", len(lines)):
        assert plain.plain_envelopes(lines) is not None
        assert plain.plain_envelopes(lines + b" ") is None


@pytest.mark.parametrize(
    "members",
    [
        {"data": "[1,\r2]"},
        {"metadata": '{"userId":""}'},
        {"metadata": '{"custom":{"":"v"}}'},
        {"metadata": f'{{"userId":"{"x" * 600}"}}'},
        {"metadata": '{"userId":"\\u0000"}'},
        {"tags": '["a b,c"]'},
        {"key": '"k"'},
    ],
)
def test_an_envelope_that_is_not_plain_is_left_to_the_reader_of_single_values(members: dict[str, str]) -> None:
    assert plain.plain_envelopes(envelope() + envelope(**members)) is None


def test_plain_lines_get_default_metadata_and_tags_as_one_by_one() -> None:
    default = Metadata(user_id="u", correlation_id="c", custom={"a": "b"})
    metadata = ["{}", '{"userId":"x"}', "{}", '{"correlationId":"d","custom":{"k":"v"}}']
    lines = [envelope(metadata=each) for each in metadata] + [envelope(tags='["y"]')]
    found = plain.plain_envelopes(b"".join(lines))
    assert found is not None
    read = map(envelopes.envelope_from_json, lines)
    preparing = Preparing(default, tags=["x"])
    one_by_one = [preparing.kept(each.type, each.data, each.metadata, tags=each.tags) for each in read]
    kept = [each._replace(id=own.id) for each, own in zip(preparing.kept_each(found), one_by_one, strict=True)]
    assert kept == one_by_one
    assert [each.correlation_id for each in kept] == ["c", "c", "c", "d", "c"]
    assert [each.joined_tags for each in kept] == ["x", "x", "x", "x", "x y"]


@pytest.mark.parametrize("name", ["", "a\0", "x" * 600])
def test_a_type_that_no_event_can_have_is_refused_among_plain_ones(name: str) -> None:
    found = plain.plain_payloads(b"{}\n", "T")
    assert found is not None
    with pytest.raises(InvalidInputError):
        Preparing().kept_each(found._replace(types=[name]))


def test_plain_lines_are_read_at_once(tmp_path: Path) -> None:
    """Otherwise the test above compares the same with the same."""
    lines = [
        *(f'{{"streamId":"A-{n}","type":"T","data":{n},"metadata":{{"userId":"u{n}"}}}}' for n in range(9)),
        f'{{"id":"{ID}","type":"T","streamId":"A-1","data":{{"é":["\\"",1.50]}},"metadata":{{"custom":{{"k":"v"}}}}}}',
        '{ "type" : "T" , "data" : null , "streamId" : "B" }',
        '{"streamId":"A-1","type":"T","data":1,"tags":["order:17","customer:4"]}',
        '{"streamId":"A-1","type":"T","data":1,"tags":[]}',
    ]
    (tmp_path / "events").write_text("\n".join([*lines, ""]))
    read: list[int] = []

    def one_by_one(value: bytes) -> Iterator[Any]:
        raise AssertionError(value)

    with mock.patch.object(envelopes, "envelope_from_json", one_by_one):
        flags = AppendFlags(many=True, files=[str(tmp_path / "events")])
        read = [event.source[1] for event in intake.Intake(flags, Preparing()).events() if event.source]
    assert read == [*range(1, len(lines) + 1)]
