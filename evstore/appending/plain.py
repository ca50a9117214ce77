"""Plain lines, many at a time: events spelled as programs spell them.

Whoever asks makes sure that each line is an object, as the splitter does. What is plain is valid, so the columns
need no further look. Anything else, and every fault, is left to the reader of single values, which knows all forms
and finds the words and the place of a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.decoding import MetadataMembers
from evstore.jsontext.judging import MAX_DATA_BYTES, KeptJson, keep_each
from evstore.jsontext.keys import all_once
from evstore.model.metadata import keeps_rules
from evstore.model.names import joined_tags
from evstore.model.times import microseconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class PlainEnvelopes(NamedTuple):
    """Envelopes with no other members than these, a column each; absent members are None."""

    stream_ids: Sequence[str | None]
    types: Sequence[str]
    data: Sequence[KeptJson]
    metadata: Sequence[str]
    """The wire form of metadata that keeps every rule."""
    correlation_ids: Sequence[str | None]
    ids: Sequence[str | None]
    tags: Sequence[str | None]
    """As `PreparedEvent.joined_tags`, checked."""


class PlainStored(NamedTuple):
    """Stored events, a column each."""

    envelopes: PlainEnvelopes
    versions: Sequence[int]
    global_positions: Sequence[int]
    times_us: Sequence[int]


class _Envelope(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    type: str
    data: Raw
    metadata: MetadataMembers | UnsetType = UNSET
    id: str | UnsetType = UNSET
    stream_id: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET


class _Stored(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    type: str
    data: Raw
    metadata: MetadataMembers
    id: str
    stream_id: str
    version: int
    global_position: int
    timestamp: str
    tags: list[str] | UnsetType = UNSET


_raw = msgspec.json.Decoder(Raw)
_envelopes = msgspec.json.Decoder(_Envelope)
_stored = msgspec.json.Decoder(_Stored)
_encode_lines = msgspec.json.Encoder().encode_lines
_ABSENT: Final = MetadataMembers()


def plain_envelopes(lines: bytes) -> PlainEnvelopes | None:
    """Read whole lines, each a plain envelope, else None."""
    return _columns(lines, _decoded(_envelopes, lines))


def plain_payloads(lines: bytes, type: str) -> PlainEnvelopes | None:
    """Read whole lines, each an object that is the data of an event of this type, else None."""
    try:
        data = keep_each(_decoded(_raw, lines))
    except (UnicodeDecodeError, InvalidPayloadError):
        return None
    if not data or not all(text.startswith("{") for text in data):  # an array would be several events
        return None
    none = [None] * len(data)
    return PlainEnvelopes(none, [type] * len(data), data, ["{}"] * len(data), none, none, none)


def plain_stored(lines: bytes) -> PlainStored | None:
    """Read whole lines, each a stored event as evstore prints it, else None."""
    found = _decoded(_stored, lines)
    envelopes = _columns(lines, found, more_keys=3, more_strings=1)  # version, globalPosition, and timestamp
    if envelopes is None:
        return None
    try:
        times_us = [microseconds_of(each.timestamp) for each in found]
    except (ValueError, OverflowError):
        return None
    return PlainStored(
        envelopes, [each.version for each in found], [each.global_position for each in found], times_us
    )


def _decoded(decoder: msgspec.json.Decoder[Any], lines: bytes) -> list[Any]:
    """The events of the lines, none if one of them is not plain."""
    if b"\r" in lines or len(lines) > MAX_DATA_BYTES:
        return []
    try:
        return decoder.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _columns(lines: bytes, found: list[Any], more_keys: int = 0, more_strings: int = 0) -> PlainEnvelopes | None:
    """The members of envelopes. So many keys and strings stand on each line besides."""
    if not found:
        return None
    try:
        data = keep_each(each.data for each in found)
    except (UnicodeDecodeError, InvalidPayloadError):
        return None
    given = [each.metadata for each in found]
    metadata = [_ABSENT if each is UNSET else each for each in given]
    texts = _encode_lines(metadata).decode()
    wire_forms = texts.split("\n")[:-1]
    if not keeps_rules(texts, wire_forms) or '""' in texts:  # an empty id is absent
        return None
    stream_ids = [_or_none(each.stream_id) for each in found]
    ids = [_or_none(each.id) for each in found]
    tags = [each.tags for each in found]
    try:
        joined = _joined(tags)
    except InvalidInputError:
        return None
    strings = (3 + more_strings) * len(found) - ids.count(None) - stream_ids.count(None)  # with type
    keys = strings + (3 + more_keys - more_strings) * len(found) - given.count(UNSET) - tags.count(UNSET)
    strings += sum(len(each) for each in tags if each)
    if not all_once(lines, keys, strings, sum(text.count('"') for text in data) + texts.count('"')):
        return None
    correlation_ids = [each.correlation_id for each in metadata]
    return PlainEnvelopes(
        stream_ids, [each.type for each in found], data, wire_forms, correlation_ids, ids, joined
    )


def _joined(tags: list[list[str] | UnsetType]) -> list[str | None]:
    """The tags of each event as they are kept. Raises InvalidInputError."""
    none: list[str | None] = [None] * len(tags)
    return none if tags.count(UNSET) == len(tags) else [joined_tags(each or ()) for each in tags]


def _or_none(member: str | UnsetType) -> str | None:
    return None if member is UNSET else member
