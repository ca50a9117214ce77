"""Classes of every kind are events: each comes back as it was, or is refused before anything is stored."""

# ruff: noqa: DTZ001 - a naive time is a value like any other

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - annotations that are read
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, SecretStr, computed_field
from pydantic.dataclasses import dataclass as model_dataclass

import evstore
from evstore import CodecError
from evstore.application.codec import JSON

T = TypeVar("T")


@dataclass(frozen=True)
class Address:
    street: str
    since: date


@evstore.event
@dataclass(frozen=True, slots=True)
class Frozen:
    n: int


@dataclass(slots=True)
@evstore.event
class SlotsLater:
    n: int


@evstore.event
@dataclass(kw_only=True)
class ByKeyword:
    n: int
    note: str = "none"


@dataclass
class Base:
    n: int


@evstore.event
@dataclass
class Derived(Base):
    total: Decimal


@dataclass
class Changed(Generic[T]):
    old: T
    new: T


@evstore.event
@dataclass
class PriceChanged:
    price: Changed[Decimal]
    days: Changed[list[date]]


@evstore.event
@dataclass
class CountChanged(Changed[int]):
    pass


@evstore.event
@dataclass
class Nested:
    one: Address
    many: list[Address]
    by_name: dict[str, Address]


@evstore.event
@dataclass
class Counted:
    n: int
    twice: int = field(init=False)
    unit: ClassVar[str] = "piece"

    def __post_init__(self) -> None:
        self.twice = 2 * self.n


@evstore.event
@dataclass
class Empty:
    pass


@evstore.event
class Tagged(msgspec.Struct, tag=True):
    n: int


@evstore.event
class Renamed(msgspec.Struct, rename="camel", frozen=True, tag="r", tag_field="kind", kw_only=True):
    order_id: int


@evstore.event
class AsArray(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    n: int
    note: str = ""


class Card(msgspec.Struct, tag="card"):
    number: str


class Cash(msgspec.Struct, tag="cash"):
    at: datetime


@evstore.event
@dataclass
class Paid:
    by: Card | Cash | None


@evstore.event
@attrs.define
class OfAttrs:
    total: Decimal
    many: list[int] = attrs.field(factory=list)


@evstore.event
@attrs.frozen(kw_only=True)
class FrozenAttrs:
    total: Decimal


@evstore.event
class Row(NamedTuple):
    n: int
    total: Decimal


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    YES = "yes"


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: Decimal


class Options(TypedDict):
    a: int
    b: NotRequired[date]


@evstore.event
@dataclass
class Values:
    aware: datetime
    naive: datetime
    clock: time
    took: timedelta
    colour: Colour
    level: Level
    word: Word
    rights: Rights
    numbers: set[int]
    words: frozenset[str]
    pair: tuple[int, str]
    totals: tuple[Decimal, ...]
    point: Point
    raw: bytes
    maybe: int | None
    either: int | str | None
    by_number: dict[int, str]
    by_id: dict[UUID, Decimal]
    by_colour: dict[Colour, int]
    options: Options
    letter: Literal["a", "b"]
    positive: Annotated[int, msgspec.Meta(ge=0)]
    ratio: float
    large: int
    rows: Sequence[Mapping[str, int]]
    anything: Any


VALUES = Values(
    aware=datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=2))), naive=datetime(2026, 1, 2),
    clock=time(1, 2), took=timedelta(days=-1, microseconds=3), colour=Colour.RED, level=Level.HIGH, word=Word.YES,
    rights=Rights.READ | Rights.WRITE, numbers={1, 2}, words=frozenset({"a"}), pair=(1, "a"),
    totals=(Decimal("1.10"), Decimal("1E+5")), point=Point(1, Decimal("-0")), raw=b"\x00\xff", maybe=None,
    either="x", by_number={1: "a"}, by_id={UUID(int=7): Decimal(1)}, by_colour={Colour.BLUE: 1},
    options={"a": 1, "b": date(2026, 1, 2)}, letter="a", positive=0, ratio=0.1 + 0.2, large=10**40,
    rows=[{"a": 1}], anything={"a": [1, None, "é\u2028\x00"]},
)  # fmt: skip


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Home(Model):
    street: str
    since: date


class ByCard(Model):
    kind: Literal["card"]
    number: str


class InCash(Model):
    kind: Literal["cash"]
    at: datetime


@evstore.event
class Ordered(Model):
    home: Home
    paid: ByCard | InCash = Field(discriminator="kind")
    total: Decimal
    by_id: dict[UUID, list[Decimal]] = {}
    took: timedelta = timedelta(1)
    numbers: set[int] = {3, 1}


@evstore.event
class Aliased(Model):
    order_id: int = Field(alias="orderId")


@evstore.event
class AliasedOut(Model):
    order_id: int = Field(0, serialization_alias="orderId")


@evstore.event
class Computed(Model):
    model_config = ConfigDict(extra="forbid")
    n: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.n


@evstore.event
class Extra(Model):
    model_config = ConfigDict(extra="allow")
    n: int
    _cached: int = PrivateAttr(0)


@evstore.event
class Root(RootModel[list[int]]):
    pass


@evstore.event
class Box(Model, Generic[T]):
    inner: T


BoxOfInt = evstore.event(name="box-of-int")(Box[int])


@evstore.event
@model_dataclass
class ModelDataclass:
    n: int
    total: Decimal


ORDERED = Ordered(
    home=Home(street="a", since=date(2026, 1, 2)), paid=InCash(kind="cash", at=datetime(2026, 1, 2, tzinfo=UTC)),
    total=Decimal("1.10"), by_id={UUID(int=7): [Decimal("2.50")]},
)  # fmt: skip

EVENTS = [
    Frozen(1), SlotsLater(1), ByKeyword(n=1), Derived(1, Decimal("1.0")), CountChanged(1, 2), Counted(2), Empty(),
    PriceChanged(Changed(Decimal(1), Decimal("1.5")), Changed([date(2026, 1, 2)], [])),
    Nested(Address("a", date(2026, 1, 2)), [Address("b", date(2026, 1, 3))], {"k": Address("c", date.min)}),
    Tagged(1), Renamed(order_id=1), AsArray(1), Paid(Card("1")), Paid(Cash(datetime(2026, 1, 2))), Paid(None),
    OfAttrs(Decimal("1.1"), [1]), FrozenAttrs(total=Decimal(1)), Row(1, Decimal("2.5")), VALUES,
    ORDERED, Aliased(orderId=1), AliasedOut(order_id=7), Computed(n=1), Extra(n=1, other="x"), Root([1, 2]),
    BoxOfInt(inner=1), ModelDataclass(1, Decimal(2)),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_of_every_kind_of_class_comes_back_as_it_was(event):
    again = JSON.decode(JSON.encode(event), type(event))
    assert again == event
    assert type(again) is type(event)


def test_a_model_is_written_by_its_aliases_where_it_is_read_by_them():
    assert JSON.encode(Aliased(orderId=1)) == '{"orderId":1}'
    assert JSON.encode(AliasedOut(order_id=1)) == '{"order_id":1}'


class Mixed(Enum):
    A = 1
    B = "b"


class Opaque(dict):  # type: ignore[type-arg]
    """A dict that is written as JSON, and cannot be read as itself."""


@evstore.event
@dataclass
class OfMixed:
    value: Mixed


@evstore.event
@dataclass
class OfOpaque:
    inner: list[Opaque | None]


@evstore.event
@attrs.define
class Private:
    n: int
    _note: str = "x"


@evstore.event
class Plain:
    pass


@evstore.event
class Inside(BaseModel):
    n: int = Field(0, validation_alias="number")


@evstore.event
class Secret(BaseModel):
    password: SecretStr


@evstore.event
class Ratio(BaseModel):
    value: float


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (OfMixed(Mixed.A), "Mixed"),
        (OfOpaque([Opaque(a=1)]), "Opaque is no dataclass"),
        (Private(1, "y"), "attribute _note"),
        (Plain(), "Plain is no dataclass"),
        (Inside(number=7), "n would not come back"),
        (Secret(password=SecretStr("x")), "password would not come back"),
        (Ratio(value=float("nan")), "valid number"),
        (Ratio(value=float("inf")), "valid number"),
        (Ratio.model_construct(value="x"), "Expected `float`"),
        (Frozen("1"), "Expected `int`, got `str`"),  # type: ignore[arg-type]
        (ByKeyword(n=1, note=None), "note"),  # type: ignore[arg-type]
        (PriceChanged(Changed(1.5, "a"), Changed([], [])), r"\$\.price\.new"),  # type: ignore[arg-type]
    ],
)
def test_an_event_that_would_not_come_back_is_refused_when_it_is_written(event, named):
    with pytest.raises(CodecError, match=named) as raised:
        JSON.encode(event)
    assert raised.value.event_type == type(event).__name__
    assert raised.value.__cause__ is not None


def test_classes_in_a_function_are_found_by_annotations_that_are_text():
    @dataclass
    class Line:
        total: Money

    @dataclass
    class Money:
        amount: Total

    @evstore.event
    @dataclass(frozen=True)
    class Placed:
        lines: tuple[Line, ...]
        colour: Colour
        by_name: dict[str, Line | None] | None = None

    event = Placed((Line(Money(Decimal("1.10"))),), Colour.RED, {"a": None})
    assert JSON.decode(JSON.encode(event), Placed) == event


Total = Decimal


def test_a_class_of_a_function_hides_one_of_its_module():
    class Colour(Enum):
        GREEN = "green"

    @evstore.event(name="painted")
    @dataclass
    class Painted:
        colour: Colour

    assert JSON.decode('{"colour":"green"}', Painted) == Painted(Colour.GREEN)


def test_classes_in_a_class_and_in_a_program_that_is_run_are_found():
    class Orders:
        @dataclass
        class Line:
            n: int

        @evstore.event
        @dataclass
        class Placed:
            line: Line  # type: ignore[name-defined]  # noqa: F821

    event = Orders.Placed(Orders.Line(1))  # type: ignore[arg-type]
    assert JSON.decode(JSON.encode(event), Orders.Placed) == event

    program = """
from __future__ import annotations
from dataclasses import dataclass
from decimal import Decimal
import evstore
@evstore.event
@dataclass
class Placed:
    total: Decimal
"""
    names: dict[str, Any] = {}
    exec(program, names)
    assert JSON.decode('{"total":"1.10"}', names["Placed"]).total == Decimal("1.10")


def test_a_class_that_no_annotation_can_name_is_refused_when_it_is_used():
    @evstore.event
    @dataclass
    class Odd:
        socket: Unknown  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(CodecError, match="Odd cannot be decoded: name 'Unknown'"):
        JSON.encode(Odd(1))
