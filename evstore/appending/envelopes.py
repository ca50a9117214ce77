"""Envelopes: events with type and, if given, stream, as files and pipes bring them.

Payloads are sliced out of the text by msgspec, not parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.did_you_mean import nearest
from evstore.errors import InvalidInputError, InvalidPayloadError, InvalidVersionError
from evstore.jsontext.decoding import members_of
from evstore.jsontext.faults import fault_of
from evstore.jsontext.judging import MAX_DATA_BYTES, KeptJson, decode, keep_json
from evstore.jsontext.keys import check_once
from evstore.model.ids import key_id
from evstore.model.metadata import NO_METADATA, Metadata, metadata_from_input
from evstore.model.versions import expected_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.model.conditions import AppendCondition


class Envelope(NamedTuple):
    """An event on its way in, with its stream and expected version; absent members are None."""

    type: str
    data: KeptJson
    metadata: Metadata
    id: str | None
    stream_id: str | None
    expected_version: int | None
    key: str | None = None
    tags: Sequence[str] = ()
    conditions: tuple[AppendCondition, ...] = ()

    def named_stream(self) -> str:
        """The stream that it names. Raises InvalidInputError."""
        if self.stream_id is None:
            raise InvalidInputError('missing "streamId"')
        return self.stream_id

    def id_of_key(self, stream_id: str, given_id: str | None) -> str | None:
        """The id that its key makes in a stream, None without a key. Raises InvalidInputError beside an id."""
        if self.key is None:
            return None
        if given_id is not None:
            raise InvalidInputError('"id" and "key" exclude each other: the id is made of the key')
        return key_id(stream_id, self.key, 1)


class _Envelope(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    type: str
    data: Raw
    metadata: Raw | UnsetType = UNSET
    id: str | UnsetType = UNSET
    stream_id: str | UnsetType = UNSET
    expected_version: Raw | UnsetType = UNSET
    key: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    unless: Raw | UnsetType = UNSET
    # Set by the store alone: accepted, so that a line that was read can be appended, and ignored.
    version: Raw | UnsetType = UNSET
    global_position: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET
    redacted: Raw | UnsetType = UNSET


_envelopes = msgspec.json.Decoder(_Envelope)
_strings = msgspec.json.Decoder(list[str])
_word = msgspec.json.Decoder(str)
_MOST_DIGITS: Final = 30  # more than any position has
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,%d}" % _MOST_DIGITS)
_STRINGS: Final = ("type", "id", "streamId", "key")
_APPENDABLE: Final = ("type", "data", "metadata", "id", "streamId", "expectedVersion", "key", "tags", "unless")
_KNOWN: Final = (*_APPENDABLE, "version", "globalPosition", "timestamp", "redacted")


def envelope_from_json(value: bytes, max_data_bytes: int = MAX_DATA_BYTES) -> Envelope:
    """Read `{"type","data","metadata"?,"id"?,"key"?,"streamId"?,"expectedVersion"?,"tags"?,"unless"?}`.

    Raises InvalidInputError.
    """
    try:
        found = decode(_envelopes, value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _explain(value, error)
    check_once(value, found)
    metadata = NO_METADATA if found.metadata is UNSET else metadata_from_input(bytes(found.metadata))
    return Envelope(
        found.type,
        keep_json(bytes(found.data), max_data_bytes),
        metadata,
        None if found.id is UNSET else found.id,
        None if found.stream_id is UNSET else found.stream_id,
        None if found.expected_version is UNSET else _expected(bytes(found.expected_version)),
        None if found.key is UNSET else found.key,
        () if found.tags is UNSET else found.tags,
        () if found.unless is UNSET else _conditions(bytes(found.unless)),
    )


def _conditions(text: bytes) -> tuple[AppendCondition, ...]:
    import json

    from evstore.model.conditions import AppendCondition

    try:
        members = json.loads(text.decode(), object_pairs_hook=_once, parse_int=_integer)
    except UnicodeDecodeError:
        raise InvalidInputError('"unless" is not UTF-8') from None
    if not isinstance(members, list):
        raise InvalidInputError('"unless" is a list of conditions, {"query":[…],"after":P}')
    return tuple(map(AppendCondition.from_members, members))


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for number, (key, _) in enumerate(pairs):
        if key in dict(pairs[:number]):
            raise InvalidPayloadError(f'the key "{key}" stands twice')
    return dict(pairs)


def _are_strings(value: bytes) -> bool:
    try:
        _strings.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _expected(text: bytes) -> int:
    if _WHOLE_NUMBER.fullmatch(text):
        return expected_version(int(text))
    try:
        return expected_version(_word.decode(text))
    except msgspec.DecodeError:
        raise InvalidVersionError(text[:40].decode(errors="replace")) from None
    except UnicodeDecodeError:
        raise InvalidInputError('"expectedVersion" is not UTF-8') from None


def _explain(value: bytes, error: Exception) -> NoReturn:
    """Raise the error that explains why an envelope cannot be read; slow, and used once."""
    members = members_of("an event", value, error)
    if "specversion" in members:
        raise InvalidInputError("a CloudEvent is no envelope of evstore; --type TYPE takes each value as data")
    for key in members:
        if key not in _KNOWN:
            meant = nearest(key, _APPENDABLE)
            more = f'; did you mean "{meant}"?' if meant else f"; known keys are {', '.join(_APPENDABLE)}"
            raise InvalidInputError(f'unknown key "{key}"{more}')
    for key in ("type", "data"):
        if key not in members:
            raise InvalidInputError(f'missing "{key}"')
    for key in _STRINGS:
        if key in members and not bytes(members[key]).startswith(b'"'):
            raise InvalidInputError(f'"{key}" is not a string')
    if "tags" in members and not _are_strings(bytes(members["tags"])):
        raise InvalidInputError('"tags" is not a list of strings')
    raise InvalidInputError(f"not an event: {fault_of(value, error)}")
