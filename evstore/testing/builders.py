"""Test data: whatever a test does not name is valid, new, and unlike anything made before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from evstore.appending.preparing import Preparing
from evstore.model.events import EventData, Write
from evstore.model.metadata import Metadata
from evstore.model.versions import ANY_VERSION
from evstore.port import Append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.model.events import Many
    from evstore.port import PreparedEvent, PreparedWrite

# SQLite binds at most 32,766 parameters to a statement.
MORE_THAN_A_STATEMENT_BINDS: Final = 33_000


def an_id() -> str:
    """An event id as adapters get it: lower case."""
    return str(uuid4())


def a_stream_id(category: str = "Order") -> str:
    """A stream id of this category that no other test has."""
    return f"{category}-{an_id()}"


def an_event(
    type: str = "ItemAdded",
    data_json: str = '{"quantity":1}',
    *,
    id: str | None = None,
    correlation_id: str | None = None,
    metadata: Metadata | None = None,
    tags: Iterable[str] = (),
) -> PreparedEvent:
    """A prepared event; `correlation_id` is short for a metadata that holds nothing else."""
    event = EventData.from_json(type, data_json, metadata or Metadata(correlation_id), id or an_id(), tags)
    return Preparing().event(event)


def a_write(
    stream_id: str | None = None, events: int | Many[PreparedEvent] = 1, expected: int = ANY_VERSION
) -> PreparedWrite:
    """A write of these events, or of that many, to this stream or to a new stream."""
    made = [an_event() for _ in range(events)] if isinstance(events, int) else events
    return Write(stream_id or a_stream_id(), made, expected)


def an_append(
    stream_id: str | None = None,
    events: int | Many[PreparedEvent] = 1,
    expected: int = ANY_VERSION,
    *,
    timestamp_us: int | None = None,
    first_position: int | None = None,
) -> Append:
    """A unit of one write; one of several is `Append([a_write(...), a_write(...)])`."""
    write = a_write(stream_id, events, expected)
    return Append([write], None if timestamp_us is None else [timestamp_us] * len(write.events), first_position)
