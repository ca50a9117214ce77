"""Chapter "Reading", R6: what went in comes out, to the byte."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Final

import pytest

from evstore.model.filters import Filter
from evstore.model.metadata import Metadata
from evstore.port import Append
from evstore.testing.asking import ALL_NAMES, accepted, history, log
from evstore.testing.builders import a_write, an_append, an_event, an_id
from evstore.testing.harness import DURABLE, Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

DATA: Final = {
    "null": "null",
    "empty string": '""',
    "decimal with a zero": "1.10",
    "beyond a double": "1e400",
    "exponent": "1E+2",
    "minus zero": "-0",
    "minus zero point zero": "-0.0",
    "thirty digits": "123456789012345678901234567890",
    "digits of a fraction": "0.1000000000000000055511151231257827",
    "duplicate keys": '{"a":1,"a":2}',
    "key order": '{"b":1,"a":2,"10":3,"9":4}',
    "white space": '{ "a" :\t[ 1 , 2 ] }',
    "escaped letter": r'"\u00e9"',
    "escaped letter, capitals": r'"\u00E9"',
    "escaped slash": r'"\/"',
    "escaped zero": r'{"\u0000":"a\u0000b"}',
    "escaped control characters": r'"\n\r\t\b\f\u001b\u007f"',
    "escaped quotes and backslashes": r'"\"\\\\\""',
    "escaped pair of surrogates": r'"\ud83d\ude00"',
    "emoji": '"😀 👩‍👩‍👧"',
    "composed": '"é"',
    "decomposed": '"e\u0301"',
    "line separators": '"\u2028\u2029\u0085"',
    "byte order mark": '"\ufeff"',
    "no characters": '"\uffff\U0010ffff"',
    "right to left": '"\u202eabc\u202c שלום"',
    "quotes of SQL": r"""{"it's":"'; DROP TABLE events; --"}""",
    "placeholders": '"%s %(a)s ? ?1 :a @a $1 {} {0} ${a}"',
    "deep": "[" * 512 + "]" * 512,
    "long": '"' + "0123456789abcdef" * 16_384 + '"',
}

METADATA: Final = {
    "none": Metadata(),
    "the four ids": Metadata("correlation", "causation", "user", "tenant"),
    "one id": Metadata(tenant_id="tenant"),
    "custom alone": Metadata(custom={"key": "value", "empty": "", "$schema_version": "2"}),
    "custom named like an id": Metadata("a", custom={"correlationId": "b", "custom": "c"}),
    "characters": Metadata('é"\\/\n\t', "e\u0301", "\u2028", "😀\uffff"),
    "characters of custom": Metadata(custom={"'\"\\": "\x01\x7f\x85", "é": "e\u0301", "e\u0301": "é"}),
    "look like JSON": Metadata('{"a":1}', "null", "1.10", " ", custom={"a": "[]", "b": "true"}),
    "longest ids": Metadata("é" * 256, "ü" * 256, "ß" * 256, "x" * 512),
    "long custom": Metadata(custom={str(n): "0123456789" * 60 for n in range(90)}),
}

NAMES: Final = (
    'it\'s "quoted" `so` \\ and /so/',
    "%s %(a)s ? ?1 :a @a $1 {} [a] *",
    "'; DROP TABLE events; /*",
    "  a  b  ",
    "\u00a0a\u00a0",
    "😀",
    "é",
    "e\u0301",
    "\uff21",  # a wide A
    "Straße",
    "a\u2028b",
    "\ufeffa\u200bb\u202e",
    "\U0010ffff",
    "é" * 127,
)

READS: Final[Mapping[str, Callable[[Adapter, Sequence[str]], list[StoredEvent]]]] = {
    "stream": lambda adapter, _: history(adapter, "Order-1"),
    "log": lambda adapter, _: log(adapter),
    "category": lambda adapter, _: log(adapter, Filter(categories=("Order",))),
    "get": lambda adapter, ids: adapter.get(ids),
}


class TextClauses(Harness):
    """R6 of data, metadata and names."""

    @pytest.mark.parametrize("kind", READS)
    def test_R6_data_comes_back_byte_for_byte(self, adapter: Adapter, kind: str) -> None:
        unit = an_append("Order-1", [an_event(data_json=text) for text in DATA.values()])
        accepted(adapter, unit)
        found = {event.id: event.data_json for event in READS[kind](adapter, [*unit.ids()])}
        assert dict(zip(DATA, map(found.get, unit.ids()), strict=True)) == DATA

    @pytest.mark.parametrize("kind", READS)
    def test_R6_metadata_comes_back_equal(self, adapter: Adapter, kind: str) -> None:
        unit = an_append("Order-1", [an_event(metadata=each) for each in METADATA.values()])
        accepted(adapter, unit)
        found = {event.id: event.metadata for event in READS[kind](adapter, [*unit.ids()])}
        assert dict(zip(METADATA, map(found.get, unit.ids()), strict=True)) == METADATA

    def test_R6_names_come_back_exactly(self, adapter: Adapter) -> None:
        for name in NAMES:
            stream_id = f"{name}-{name}"
            accepted(adapter, an_append(stream_id, [an_event(name, correlation_id=name)]))
            (found,) = history(adapter, stream_id)
            assert (found.stream_id, found.type, found.metadata.correlation_id) == (stream_id, name, name)
            assert log(adapter, Filter((name,), (name,), name)) == [found]
        assert {info.category for info in adapter.categories(ALL_NAMES)} == set(NAMES)
        assert {info.type for info in adapter.types(ALL_NAMES, None)} == set(NAMES)

    def test_R6_names_that_look_alike_stay_apart(self, adapter: Adapter) -> None:
        alike = ["\u00e9", "e\u0301", "\u00c9", "E\u0301", "e", "E", "e ", "\uff45", "\ufeffe", "e\u200b"]
        alike += ["\u00c5", "\u212b", "A\u030a"]
        for name in alike:
            accepted(adapter, an_append(f"{name}-1", [an_event(name)]))
        assert [len(history(adapter, f"{name}-1")) for name in alike] == [1] * len(alike)
        assert [info.streams for info in adapter.categories(ALL_NAMES)] == [1] * len(alike)
        assert [info.events for info in adapter.types(ALL_NAMES, None)] == [1] * len(alike)

    def test_R6_a_stream_id_may_be_512_bytes_long(self, adapter: Adapter) -> None:
        one, other = ("x" * 511 + last for last in "ab")
        accepted(adapter, Append([a_write(one), a_write(other, 2)]))
        assert [len(history(adapter, each)) for each in (one, other)] == [1, 2]

    def test_R6_an_id_comes_back_as_it_went_in(self, adapter: Adapter) -> None:
        ids = [
            an_id(),
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00000000-0000-0000-0000-000000000000",
            "00000000-0000-1000-8000-00000000000e",
        ]
        accepted(adapter, an_append(events=[an_event(id=each) for each in ids]))
        assert [event.id for event in log(adapter)] == ids
        assert {event.id for event in adapter.get(ids)} == set(ids)

    def test_R6_nothing_is_worn_off_by_reopening(self, adapter: Adapter, another: Callable[[], Adapter]) -> None:
        self.needs(adapter, DURABLE)
        events = [an_event(data_json=text) for text in DATA.values()]
        events += [an_event(metadata=metadata) for metadata in METADATA.values()]
        events += [an_event(name) for name in NAMES]
        accepted(adapter, an_append("Order-1", events))
        adapter.close()
        found = history(another(), "Order-1")
        assert [(e.id, e.type, e.data_json, e.metadata) for e in found] == [
            (e.id, e.type, e.data_json, Metadata.from_json(e.metadata_json)) for e in events
        ]


class TimestampClauses(Harness):
    """R6 of times."""

    def test_R6_the_timestamp_is_taken_when_the_unit_is_stored(self, adapter: Adapter) -> None:
        before = time_ns() // 1000
        receipt = accepted(adapter, an_append())
        after = time_ns() // 1000
        # A database server has a clock of its own.
        slack = 60_000_000
        assert before - slack <= receipt.timestamp_us <= after + slack

    def test_R6_all_events_of_a_unit_share_one_timestamp(self, adapter: Adapter) -> None:
        receipt = accepted(adapter, Append([a_write(events=200), a_write(events=200)]))
        assert {event.timestamp_us for event in log(adapter)} == {receipt.timestamp_us}

    def test_R6_a_unit_may_bring_its_own_time(self, adapter: Adapter) -> None:
        # Zero is 1970; the first and the last are the years 1 and 9999.
        for own_us in (-62_135_596_800_000_000, -1, 0, 1, 1_700_000_000_123_456, 253_402_300_799_999_999):
            unit = Append([a_write(events=2), a_write()], [own_us] * 3)
            assert accepted(adapter, unit).timestamp_us == own_us
            assert {event.timestamp_us for event in adapter.get([*unit.ids()])} == {own_us}

    def test_R6_a_unit_may_bring_a_time_for_each_event(self, adapter: Adapter) -> None:
        times_us = [3_000_000, 1_000_000, 2_000_000]
        receipt = accepted(adapter, Append([a_write(events=2), a_write()], times_us))
        assert [event.timestamp_us for event in log(adapter)] == times_us
        assert receipt.timestamp_us == times_us[0]

    def test_R6_the_time_of_a_unit_is_its_own_alone(self, adapter: Adapter) -> None:
        times = (1_700_000_000_000_000, None, 1_600_000_000_000_000)
        adapter.append([an_append(timestamp_us=timestamp_us) for timestamp_us in times])
        first, now, last = (event.timestamp_us for event in log(adapter))
        assert (first, last) == (1_700_000_000_000_000, 1_600_000_000_000_000)
        assert now > first
