"""The body of an event's message: a JSON line with all but its data, then the data as they are.

Position and stream are those of the message; the line has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from evstore.adapters.paging import event_of as made_of
from evstore.errors import CorruptStoreError
from evstore.jsontext.quoting import quote

if TYPE_CHECKING:
    from evstore.model.events import StoredEvent
    from evstore.model.sources import Source
    from evstore.port import PreparedEvent


class Place(NamedTuple):
    """The numbers of an event within its stream and its unit."""

    version: int
    time_us: int
    number: int
    """Within the unit, from 1."""
    size: int
    """Of the unit, in events."""
    created_us: int
    """The time of the first event of its stream."""
    source: Source | None = None
    """The source that the unit takes; the first event alone has it."""


class Line(msgspec.Struct):
    """The line of a message."""

    type: str = msgspec.field(name="t")
    version: int = msgspec.field(name="v")
    time_us: int = msgspec.field(name="s")
    id: str = msgspec.field(name="i")
    number: int = msgspec.field(name="k")
    size: int = msgspec.field(name="n")
    created_us: int = msgspec.field(name="c")
    metadata: msgspec.Raw = msgspec.field(name="m")
    tags: str | None = msgspec.field(name="g", default=None)
    redacted: bool = msgspec.field(name="r", default=False)
    source: tuple[str, int] | None = msgspec.field(name="o", default=None)


_decoder = msgspec.json.Decoder(Line)


def body_of(event: PreparedEvent, place: Place) -> bytes:
    """The body of an event at this place."""
    rare = ""
    if event.joined_tags:
        rare = f',"g":{quote(event.joined_tags)}'
    if event.redacted:
        rare += ',"r":true'
    if place.source:
        rare += f',"o":[{quote(place.source.name)},{place.source.position}]'
    return (
        f'{{"t":{quote(event.type)},"v":{place.version},"s":{place.time_us},"i":"{event.id}",'
        f'"k":{place.number},"n":{place.size},"c":{place.created_us},"m":{event.metadata_json}{rare}}}\n'
        f"{event.data_json}"
    ).encode()


def line_of(body: bytes, sequence: int) -> Line:
    """The line of a body. Raises CorruptStoreError."""
    return _parts_of(body, sequence)[0]


def event_of(body: bytes, stream_id: str, sequence: int) -> StoredEvent:
    """The event of a message. Raises CorruptStoreError."""
    line, data = _parts_of(body, sequence)
    if sequence % 2 == 0:
        raise out_of_step(sequence)
    try:
        return made_of((
            line.id, stream_id, line.type, data.decode(), str(line.metadata, "utf-8"), line.version,
            position_of(sequence), line.time_us, line.tags, line.redacted,
        ))  # fmt: skip
    except UnicodeDecodeError as error:
        raise CorruptStoreError(f"the event at sequence {sequence} is not UTF-8: {error}") from error


def _parts_of(body: bytes, sequence: int) -> tuple[Line, bytes]:
    """The line, and the data behind it."""
    line, end, data = body.partition(b"\n")
    try:
        if not end:
            raise ValueError("it has no data")
        return _decoder.decode(line), data
    except (ValueError, msgspec.MsgspecError) as error:
        raise CorruptStoreError(f"the message at sequence {sequence} is no event: {error}") from error


def out_of_step(sequence: int) -> CorruptStoreError:
    """The error for a message that cannot have this sequence: one of another program is somewhere before it."""
    return CorruptStoreError(
        f"the message at sequence {sequence} is out of step: another program wrote to the stream"
    )


def position_of(sequence: int) -> int:
    """The position of the event whose message, or whose id, has this sequence; 0 for 0."""
    return (sequence + 1) // 2


def sequence_of(position: int) -> int:
    """The sequence of the message of the event at this position."""
    return 2 * position - 1
