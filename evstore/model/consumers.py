"""Consumers: a name, a filter, and how far each slot has come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias
from zlib import crc32

from evstore.errors import InvalidInputError
from evstore.model.filters import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOTS: Final = 64
"""The slots of a consumer that several members share."""
WHOLE: Final = 0
"""The only slot of a consumer that is not divided."""

ParkedState: TypeAlias = Literal["parked", "retry", "drop"]


def slot_of(stream_id: str) -> int:
    """The slot of a stream in a divided consumer, from 0 to 63."""
    return crc32(stream_id.encode()) % SLOTS


class Member(NamedTuple):
    """Member `number`, from 1, of `of` that share a consumer."""

    number: int
    of: int

    def slots(self) -> list[int]:
        """The slots that this member works for when they are free."""
        return [slot for slot in range(SLOTS) if slot % self.of == self.number - 1]

    @classmethod
    def checked(cls, number: int, of: int) -> Member:
        """The member. Raises InvalidInputError unless there are 1 to 64, and it is one of them."""
        if not 1 <= of <= SLOTS:
            raise InvalidInputError(f"a consumer has 1 to {SLOTS} members, not {of}")
        if not 1 <= number <= of:
            raise InvalidInputError(f"the member of {of} is a number from 1 to {of}, not {number}")
        return cls(number, of)


class Interest(NamedTuple):
    """The events that a consumer is for. None admits all; the members of a field are ORed, the fields ANDed."""

    categories: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None

    @classmethod
    def of(cls, categories: Iterable[str] | None, types: Iterable[str] | None) -> Interest:
        """The same names in the same form, in whatever order they were given."""
        return cls(*(None if names is None else tuple(sorted({*names})) for names in (categories, types)))

    def to_json(self) -> str:
        """The form in which it is kept with the consumer."""
        members = {name: names for name, names in self._asdict().items() if names is not None}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Interest:
        """The interest out of that form, whatever else is kept there."""
        members = json.loads(text)
        return cls(**{name: tuple(members[name]) for name in cls._fields if name in members})

    def filter(self) -> Filter:
        """The filter over the log."""
        return Filter(categories=self.categories, types=self.types)

    def __str__(self) -> str:
        parts = [f"{what} {', '.join(names)}" for what, names in zip(("", "type"), self, strict=True) if names]
        return " and ".join(part.strip() for part in parts) or "every event"


class Checkpoint(NamedTuple):
    """All events of a slot up to a position are handled, but those of streams with a parked event."""

    slot: int
    global_position: int
    """0 where nothing was handled yet."""
    event_id: str | None
    """The id of the event at that position, None at 0."""
    updated_us: int


class Parked(NamedTuple):
    """An event that holds back the later events of its stream."""

    stream_id: str
    global_position: int
    event_id: str
    reason: str
    parked_us: int
    state: ParkedState = "parked"
    """`retry`: the consumer handles it again, and then the later events of the stream. `drop`: only those."""


class ConsumerRecord(NamedTuple):
    """A consumer as it is stored."""

    name: str
    filter_json: str
    """Of its Interest."""
    created_us: int
    checkpoints: tuple[Checkpoint, ...]
    """By slot: of all 64 where the consumer is divided, else one of slot 0."""
    parked: int = 0
    """The number of parked events."""

    @property
    def interest(self) -> Interest:
        """The events that it is for."""
        return Interest.from_json(self.filter_json)

    @property
    def is_divided(self) -> bool:
        """True if it has the 64 slots that members share."""
        return len(self.checkpoints) > 1

    @property
    def global_position(self) -> int:
        """The position up to which everything is handled, but what is parked or held back."""
        return min(each.global_position for each in self.checkpoints)

    @property
    def updated_us(self) -> int:
        """The time at which a checkpoint last moved."""
        return max(each.updated_us for each in self.checkpoints)
