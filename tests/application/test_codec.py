"""The codec: an event of the application becomes JSON text, and the text the same event again."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pytest

import evstore
from evstore import CodecError, UnknownEventTypeError
from evstore.application.codec import JSON


class Colour(Enum):
    RED = "red"


@evstore.event
@dataclass
class Everything:
    text: str
    total: Decimal
    id: UUID
    at: datetime
    day: date
    took: timedelta
    colour: Colour
    many: list[int]
    maybe: int | None = None
    inner: dict[str, Decimal] = field(default_factory=dict)


@evstore.event
class Struct(msgspec.Struct, rename="camel"):
    order_id: str
    total: Decimal


@evstore.event
@dataclass
class Measured:
    value: float
    note: str | None = None


EVENT = Everything(
    "é\n", Decimal("1.10"), UUID(int=7), datetime(2026, 11, 28, 1, 2, 3, 4, UTC), date(2026, 11, 28),
    timedelta(seconds=90), Colour.RED, [1, 2], None, {"a": Decimal("1e400")},
)  # fmt: skip


@pytest.mark.parametrize("event", [EVENT, Struct("1", Decimal("2.50")), Measured(0.1, None)])
def test_an_event_comes_back_as_it_was(event):
    assert JSON.decode(JSON.encode(event), type(event)) == event


def test_the_text_has_the_values_as_json_spells_them():
    found = json.loads(JSON.encode(EVENT))
    assert found["total"] == "1.10"
    assert found["id"] == str(UUID(int=7))
    assert found["at"] == "2026-11-28T01:02:03.000004Z"
    assert (found["colour"], found["maybe"]) == ("red", None)
    assert JSON.encode(Struct("1", Decimal(2))) == '{"orderId":"1","total":"2"}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_is_refused(value):
    with pytest.raises(CodecError, match="Measured"):
        JSON.encode(Measured(value))


def test_an_object_that_cannot_be_written_is_refused():
    with pytest.raises(CodecError, match="Measured"):
        JSON.encode(Measured(object()))  # type: ignore[arg-type]
    with pytest.raises(UnknownEventTypeError, match="dict"):
        JSON.encode({})


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ('{"value":"1"}', "value"),
        ("{}", "value"),
        ("null", "Measured"),
        ("[1]", "Measured"),
        ('{"value":1,"note":2}', "note"),
    ],
)
def test_decoding_is_strict(data, named):
    with pytest.raises(CodecError, match=named) as raised:
        JSON.decode(data, Measured)
    assert raised.value.event_type == "Measured"
    assert isinstance(raised.value.__cause__, msgspec.ValidationError)


def test_members_that_a_class_does_not_have_are_passed_over():
    assert JSON.decode('{"value":1.5,"later":true}', Measured) == Measured(1.5)


def test_a_class_that_cannot_be_decoded_is_named():
    @evstore.event
    @dataclass
    class Odd:
        socket: Unknown  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(CodecError, match="Odd"):
        JSON.decode("{}", Odd)


def test_attrs_classes_are_events():
    attrs = pytest.importorskip("attrs", reason="attrs comes with hypothesis alone")

    @evstore.event
    @attrs.define
    class Placed:
        order_id: str
        total: Any

    assert JSON.decode(JSON.encode(Placed("1", 2)), Placed) == Placed("1", 2)
