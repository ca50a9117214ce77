"""What a store tells of itself when it is verified, and what is found wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, TypeAlias

    What: TypeAlias = Literal["category", "type", "stream"]
    """What has a name."""


class Finding(NamedTuple):
    """Two things in a store that contradict each other, or one that cannot have come from evstore."""

    kind: str
    """One stable word, as `position-gap`."""
    message: str
    position: int | None = None
    """The event's, if it is about one."""
    stream_id: str | None = None
    advice: str = ""
    """What to do about it."""


class AuditedEvent(NamedTuple):
    """An event as it lies there, and what the store knows beside it; None where that is missing.

    Text that is not UTF-8 comes with its bytes as lone surrogates (`surrogateescape`).
    """

    # What StoredEvent has, in its order.
    id: str
    stream_id: str | None
    type: str | None
    data_json: str
    metadata_json: str
    version: int
    global_position: int
    timestamp_us: int
    category: str | None
    """By the event's own record."""
    stream_category: str | None
    """By its stream's."""
    found_by_id: int | None
    """The position of the first event that has this id, as a search for the id finds it."""
    found_by_version: int | None
    """And of the first that has its stream and version."""
    predecessor: int | None
    """And of the one before it in its stream."""
    category_number: int = 1
    """Where it stands within its category; a store that keeps no such numbers leaves this and the next alone."""
    number_before: int | None = None
    """The number of the event before it in the category, None if it is the first."""
    correlation_hash: int | None = None
    in_category: bool = True
    """Whether it is found among the events of its category, and so are the following."""
    in_type: bool = True
    in_timestamp: bool = True
    in_correlation: bool = True
    """Also if it has no correlation id."""
    strange: Sequence[str] = ()
    """What is no value that its column can hold, and is left out here."""


class AuditedName(NamedTuple):
    """A stream, a type or a category as it lies there."""

    key: int | str
    """What the next page goes on behind."""
    name: str
    found: int | str | None
    """The key of the first that a search for the name finds."""
    has_events: bool
    category: str | None = None
    """Of a stream, as are the following."""
    number: int = 1
    """Where it stands within its category."""
    number_before: int | None = None
    """The next lower number in its category, None if there is none."""
    found_by_number: int | str | None = None
    """The key of the first stream of the category that has this number."""
    in_category: bool = True
    """Whether it is found among the streams of its category."""
    strange: Sequence[str] = ()
    """As of an event."""
