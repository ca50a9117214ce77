"""History from elsewhere: events that bring their own times, and no numbers of evstore's."""

from __future__ import annotations

import time

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.decoding import members_of
from evstore.jsontext.faults import fault_of
from evstore.jsontext.judging import NO_LIMIT, decode, keep_json
from evstore.jsontext.keys import check_once
from evstore.model.events import StoredEvent
from evstore.model.ids import key_id, new_id, normalize_id
from evstore.model.metadata import metadata_from_input
from evstore.model.names import joined_tags
from evstore.model.times import microseconds_of


class _Foreign(msgspec.Struct, rename="camel"):
    stream_id: str
    type: str
    data: Raw
    id: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    redacted: bool | UnsetType = UNSET
    # Set by the store that they come from: accepted, and given anew.
    version: Raw | UnsetType = UNSET
    global_position: Raw | UnsetType = UNSET


class _Known(_Foreign, rename="camel", forbid_unknown_fields=True):
    """The same members, and no other key."""


_foreign = msgspec.json.Decoder(_Foreign)
_known = msgspec.json.Decoder(_Known)
_FAULTS = (msgspec.DecodeError, UnicodeError, RecursionError)


def foreign_from_json(line: bytes) -> tuple[StoredEvent, list[str]]:
    """An event of `{"streamId","type","data","timestamp"?,"id"?,"key"?,"metadata"?,"tags"?}` and its unknown keys.

    An absent time is now, an absent id is new or made of the key; version and position are 1, since the store
    gives its own. Raises InvalidInputError.
    """
    unknown: list[str] = []
    try:
        found: _Foreign = decode(_known, line)
    except _FAULTS:
        found, unknown = _with_unknown(line)
    check_once(line, found)
    stream_id = found.stream_id
    metadata = "{}" if found.metadata is UNSET else metadata_from_input(bytes(found.metadata)).to_json()
    data = keep_json(bytes(found.data), NO_LIMIT)
    time_us = _time_of(found.timestamp)
    tags = None if found.tags is UNSET else joined_tags(found.tags)
    event_id = _id_of(found, stream_id)
    stored = StoredEvent(
        event_id, stream_id, found.type, data, metadata, 1, 1, time_us, tags, found.redacted is True
    )
    return stored, unknown


def _with_unknown(line: bytes) -> tuple[_Foreign, list[str]]:
    """The event and its unknown keys. Raises InvalidInputError if something else is wrong."""
    try:
        found = decode(_foreign, line)
    except _FAULTS as error:
        members = members_of("an event", line, error)
        missing = [f'"{key}"' for key in ("streamId", "type", "data") if key not in members]
        if missing:
            raise InvalidInputError(f"missing {', '.join(missing)}") from error
        raise InvalidPayloadError(f"not an event: {fault_of(line, error)}") from error
    known = {*_Foreign.__struct_encode_fields__}
    return found, [key for key in members_of("an event", line, InvalidPayloadError()) if key not in known]


def _id_of(found: _Foreign, stream_id: str) -> str:
    if found.id is not UNSET and found.key is not UNSET:
        raise InvalidInputError('"id" and "key" exclude each other: the id is made of the key')
    if found.key is not UNSET:
        return key_id(stream_id, found.key, 1)
    if found.id is UNSET:
        return new_id()
    try:
        return normalize_id(found.id)
    except InvalidInputError as error:
        error.add_note('call it "key" in place of "id": evstore then makes the id of it')
        raise


def _time_of(text: str | UnsetType) -> int:
    if text is UNSET:
        return time.time_ns() // 1000
    try:
        return microseconds_of(text)
    except (ValueError, OverflowError) as error:
        raise InvalidPayloadError(f'"timestamp" is no time: {error}') from error
