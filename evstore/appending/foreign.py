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
from evstore.model.times import moment_of, timestamp_us


class _Foreign(msgspec.Struct, rename="camel"):
    stream_id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    id: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    version: Raw | UnsetType = UNSET
    global_position: Raw | UnsetType = UNSET


_foreign = msgspec.json.Decoder(_Foreign)
_KEYS = _Foreign.__struct_encode_fields__
_REQUIRED = ("streamId", "type", "data")


def foreign_from_json(line: bytes) -> tuple[StoredEvent, list[str]]:
    """An event of `{"streamId","type","data","timestamp"?,"id"?,"key"?,"metadata"?}`, and its unknown keys.

    An absent time is now, an absent id is new or made of the key; version and position are 1, since the store
    gives its own. Raises InvalidInputError.
    """
    try:
        found = decode(_foreign, line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        members_of("an event", line, error)
        raise InvalidPayloadError(f"not an event: {fault_of(line, error)}") from error
    members = members_of("an event", line, InvalidPayloadError())
    missing = [f'"{key}"' for key in _REQUIRED if key not in members]
    if missing:
        raise InvalidInputError(f"missing {', '.join(missing)}")
    unknown = [key for key in members if key not in _KEYS]
    if not unknown:
        check_once(line, found)
    assert isinstance(found.data, Raw)
    stream_id, kind = str(found.stream_id), str(found.type)
    metadata = "{}" if found.metadata is UNSET else metadata_from_input(bytes(found.metadata)).to_json()
    data = keep_json(bytes(found.data), NO_LIMIT)
    event = StoredEvent(_id_of(found, stream_id), stream_id, kind, data, metadata, 1, 1, _time_of(found.timestamp))
    return event, unknown


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
        return timestamp_us(moment_of(text))
    except (ValueError, OverflowError) as error:
        raise InvalidPayloadError(f'"timestamp" is no time: {error}') from error
