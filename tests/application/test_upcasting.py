"""Upcasters: data of an older schema becomes data of a newer one, and what is missing or wrong is named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

import evstore
from evstore import (
    CodecError,
    EventData,
    InvalidInputError,
    Metadata,
    StoredEvent,
    UnknownEventTypeError,
    Upcast,
    UpcastGapError,
)
from evstore.application.converting import Converter

ID = "01a221cb-b25b-77b1-8e3e-0229734161c9"


@evstore.event(name="Placed", version=3)
@dataclass
class Placed:
    order: str
    total: int
    by: str


@evstore.event
@dataclass
class Opened:
    order: str


@evstore.event
@dataclass
class Priced:
    total: int


def stored(event_type: str, data: Any, version: int | str | None = None, *, redacted: bool = False) -> StoredEvent:
    custom = {} if version is None else {"$schema_version": str(version)}
    text, metadata = EventData("T", data).data_json, Metadata(custom=custom).to_json()
    return StoredEvent(ID, "Order-1", event_type, text, metadata, 4, 9, 0, None, redacted)


def decoded(converter: Converter, event: StoredEvent, *, strict: bool = False) -> list[Any]:
    ((_, found),) = converter.each([event], strict=strict)
    return [*found]


@pytest.fixture
def converter():
    """Placed has version 3, and an upcaster leads there from each earlier version."""
    made = Converter()
    made.register(Placed, Opened, Priced)
    made.add_upcaster("Placed", 1, lambda data: {**data, "total": 1}, None, None)
    made.add_upcaster("Placed", 2, lambda data, stored: {**data, "by": stored.stream_id}, None, None)
    return made


def test_each_version_goes_the_rest_of_the_way(converter):
    way = [
        stored("Placed", {"order": "a"}),
        stored("Placed", {"order": "a"}, 1),
        stored("Placed", {"order": "a", "total": 2}, 2),
        stored("Placed", {"order": "a", "total": 3, "by": "me"}, 3),
    ]
    found = [decoded(converter, each) for each in way]
    assert found == [
        [Placed("a", 1, "Order-1")], [Placed("a", 1, "Order-1")], [Placed("a", 2, "Order-1")], [Placed("a", 3, "me")],
    ]  # fmt: skip


@pytest.mark.parametrize(("missing", "given"), [(1, 1), (2, 1), (2, 2)])
def test_a_gap_is_an_error_that_names_it(missing, given):
    converter = Converter()
    converter.register(Placed)
    for version in {1, 2} - {missing}:
        converter.add_upcaster("Placed", version, lambda data: data, None, None)
    with pytest.raises(
        UpcastGapError, match=f"no upcaster leads from version {missing} to {missing + 1}"
    ) as raised:
        decoded(converter, stored("Placed", {}, given))
    assert (raised.value.event_type, raised.value.version, raised.value.wanted) == ("Placed", missing, 3)
    assert raised.value.__notes__ == [
        f'decoding failed on the event at position 9: Placed {ID}, version 4 of stream "Order-1"'
    ]


def test_without_a_class_an_event_is_left_as_it_is_stored_or_is_refused():
    event, converter = stored("Placed", {}, 2), Converter()
    assert decoded(converter, event) == [event]
    with pytest.raises(UnknownEventTypeError, match='"Placed"'):
        decoded(converter, event, strict=True)


def test_an_event_of_a_later_version_is_refused():
    converter = Converter()
    converter.register(Opened)
    with pytest.raises(CodecError, match="its schema has version 2, Opened has 1: it is newer"):
        decoded(converter, stored("Opened", {"order": "a"}, 2))


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "x", "", " 1", "\u0661", "1" * 5000])
def test_a_schema_version_that_is_no_number_is_refused(converter, version):
    with pytest.raises(CodecError, match="no number from 1") as raised:
        decoded(converter, stored("Placed", {}, version))
    assert len(str(raised.value)) < 200


def test_an_event_type_gets_another_name():
    converter = Converter()
    converter.add_upcaster("OrderOpened", 1, lambda data: {"order": data["id"]}, "Opened", None)
    converter.register(Opened)
    assert decoded(converter, stored("OrderOpened", {"id": "a"})) == [Opened("a")]
    assert converter.sources_of(["Opened"]) == {"Opened", "OrderOpened"}


def test_another_name_may_have_a_later_version():
    converter = Converter()
    converter.add_upcaster("OrderPlaced", 1, lambda data: data, "Placed", 2)
    converter.add_upcaster("Placed", 2, lambda data: {**data, "by": "x"}, None, None)
    converter.register(Placed)
    assert decoded(converter, stored("OrderPlaced", {"order": "a", "total": 1})) == [Placed("a", 1, "x")]


@pytest.fixture
def split():
    """OldPlaced becomes Opened and, where it has a total, Priced."""

    def parts(data: Any) -> list[Upcast]:
        opened = [] if data.get("void") else [Upcast("Opened", {"order": data["order"]})]
        return opened + [Upcast("Priced", {"total": data["total"]}) for _ in data.keys() & {"total"}]

    made = Converter()
    made.add_upcaster("OldPlaced", 1, parts, ["Opened", "Priced"], None)
    return made


def test_one_event_becomes_several_in_order_or_fewer(split):
    split.register(Opened, Priced)
    assert decoded(split, stored("OldPlaced", {"order": "a", "total": 7})) == [Opened("a"), Priced(7)]
    assert decoded(split, stored("OldPlaced", {"order": "a"})) == [Opened("a")]
    assert decoded(split, stored("OldPlaced", {"void": True})) == []


def test_parts_without_a_class_are_one_stored_event(split):
    event = stored("OldPlaced", {"order": "a", "total": 7})
    assert decoded(split, event) == [event]
    split.register(Priced)
    assert decoded(split, event) == [event, Priced(7)]
    with pytest.raises(UnknownEventTypeError, match='"Opened"'):
        decoded(split, event, strict=True)


def test_a_split_must_return_its_parts():
    converter = Converter()
    converter.add_upcaster("OldPlaced", 1, lambda data: data, ("Opened", "Priced"), None)
    with pytest.raises(CodecError, match="leads to several types"):
        decoded(converter, stored("OldPlaced", {"order": "a"}))
    other = Converter()
    other.add_upcaster("OldPlaced", 1, lambda _: [Upcast("Priced", {"total": 1})], "Opened", None)
    with pytest.raises(CodecError, match=r'returned "Priced", which is not in its to='):
        decoded(other, stored("OldPlaced", {}))


def test_a_circle_is_refused_when_it_is_closed():
    converter = Converter()
    converter.add_upcaster("A", 1, lambda data: data, "B", None)
    converter.add_upcaster("B", 1, lambda data: data, "C", 2)
    with pytest.raises(InvalidInputError, match='circle: "C" 2, "A" 1, "B" 1, "C" 2'):
        converter.add_upcaster("C", 2, lambda data: data, "A", None)
    with pytest.raises(InvalidInputError, match='circle: "D" 1, "D" 1'):
        converter.add_upcaster("D", 1, lambda data: data, "D", 1)


def test_a_circle_through_one_of_several_types_is_found_when_an_event_is_loaded():
    converter = Converter()
    converter.add_upcaster("A", 1, lambda data: [Upcast("B", data)], ("B", "C"), None)
    converter.add_upcaster("B", 1, lambda data: data, "A", None)
    with pytest.raises(CodecError, match="its upcasters lead in a circle, to version 1 again"):
        decoded(converter, stored("A", {}))


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5])
def test_versions_of_upcasters_are_numbers_from_1(version):
    with pytest.raises(InvalidInputError, match="a number from 1"):
        Converter().add_upcaster("A", version, lambda data: data, None, None)
    with pytest.raises(InvalidInputError, match="a number from 1"):
        Converter().add_upcaster("A", 1, lambda data: data, "B", version)


def test_a_second_upcaster_from_there_and_one_beyond_the_class_are_refused(converter):
    with pytest.raises(InvalidInputError, match="an upcaster from version 2 already"):
        converter.add_upcaster("Placed", 2, lambda data: data, None, None)
    with pytest.raises(InvalidInputError, match="the last upcaster leads to the version of the class"):
        converter.add_upcaster("Placed", 3, lambda data: data, None, None)
    other = Converter()
    other.add_upcaster("Opened", 1, lambda data: data, None, None)
    with pytest.raises(InvalidInputError, match="the last upcaster leads to the version of the class"):
        other.register(Opened)


class Taking:
    def alone(self, data):
        return data

    def both(self, data, stored):
        return {**data, "total": stored.version}

    def __call__(self, data):
        return data


@pytest.mark.parametrize(
    ("function", "total"),
    [
        (lambda data, total=7: {**data, "total": total}, 7),
        (lambda data, stored=None: {**data, "total": stored and stored.version}, 4),
        (lambda data, /, its, *, other=1: {**data, "total": its.version}, 4),
        (Taking().alone, 1),
        (Taking().both, 4),
        (Taking(), 1),
        (partial(lambda more, data: {**data, "total": more}, 9), 9),
        (dict, 1),
    ],
)  # fmt: skip
def test_an_upcaster_gets_the_stored_event_if_it_takes_it(function, total):
    converter = Converter()
    converter.add_upcaster("OldPriced", 1, function, "Priced", None)
    converter.register(Priced)
    assert decoded(converter, stored("OldPriced", {"total": 1})) == [Priced(total)]


def test_what_an_upcaster_raises_is_the_cause_of_the_error():
    converter = Converter()
    converter.add_upcaster("OldPriced", 1, lambda data: 1 // 0, "Priced", None)
    converter.register(Priced)
    with pytest.raises(CodecError, match=r"OldPriced.*ZeroDivisionError") as raised:
        decoded(converter, stored("OldPriced", {}))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert "position 9" in raised.value.__notes__[0]


def test_an_upcaster_that_forgets_to_return_is_named():
    converter = Converter()
    converter.add_upcaster("OldPriced", 1, lambda data: data.update(total=1), "Priced", None)
    with pytest.raises(CodecError, match=r"OldPriced.*its upcaster from version 1 returned None"):
        decoded(converter, stored("OldPriced", {}))


def test_a_redacted_event_stays_as_it_is_stored(converter):
    event = stored("Placed", None, 1, redacted=True)
    assert decoded(converter, event, strict=True) == [event]


class Foreign:
    """A codec of an application."""

    def encode(self, event: Any) -> str:
        return f'"{event.order}"' if event.order else str(1 // 0)

    def decode(self, data_json: str, cls: Any) -> Any:
        return cls(data_json[1:-1]) if data_json != '""' else 1 // 0


def test_another_codec_is_two_methods_and_what_they_raise_is_a_cause():
    converter = Converter(Foreign())
    converter.register(Opened)
    assert converter.encode(Opened("a")).data_json == '"a"'
    assert decoded(converter, stored("Opened", "b")) == [Opened("b")]
    for work in (lambda: converter.encode(Opened("")), lambda: decoded(converter, stored("Opened", ""))):
        with pytest.raises(CodecError, match=r"Opened.*division") as raised:
            work()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
