"""The wire form as fields: metadata and stored events out of JSON text.

Payloads are sliced out of the text by msgspec, not parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.did_you_mean import nearest
from evstore.errors import InvalidPayloadError
from evstore.jsontext.faults import fault_of
from evstore.jsontext.judging import NO_LIMIT, KeptJson, decode, keep_json
from evstore.jsontext.keys import check_once, check_once_in_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable


class MetadataFields(NamedTuple):
    """The five members of metadata; an absent id is None."""

    correlation_id: str | None
    causation_id: str | None
    user_id: str | None
    tenant_id: str | None
    custom: dict[str, str]


class StoredFields(NamedTuple):
    """The members of a stored event as its line holds them."""

    id: str
    stream_id: str
    type: str
    data: KeptJson
    metadata: KeptJson
    version: int
    global_position: int
    timestamp: str
    tags: list[str]
    redacted: bool


class MetadataMembers(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The members in the order of the wire form, which leaves absent ones out."""

    correlation_id: str | None = None
    causation_id: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    custom: dict[str, str] = {}


class _Stored(msgspec.Struct, rename="camel"):
    id: str
    stream_id: str
    type: str
    data: Raw
    metadata: Raw
    version: int
    global_position: int
    timestamp: str
    tags: list[str] | UnsetType = UNSET
    redacted: bool | UnsetType = UNSET


class _Known(_Stored, rename="camel", forbid_unknown_fields=True):
    """The same members, and no other key."""


METADATA_KEYS: Final = MetadataMembers.__struct_encode_fields__

_metadata = msgspec.json.Decoder(MetadataMembers)
_stored = msgspec.json.Decoder(_Stored)
_known = msgspec.json.Decoder(_Known)
_members = msgspec.json.Decoder(dict[str, Raw])


def metadata_fields(text: str | bytes) -> MetadataFields:
    """The members of metadata. Raises InvalidPayloadError."""
    try:
        found = decode(_metadata, text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        _explain_metadata(text, error)
    return MetadataFields(found.correlation_id, found.causation_id, found.user_id, found.tenant_id, found.custom)


def metadata_of_each(texts: Iterable[str]) -> list[MetadataMembers] | None:
    """The members of each metadata, None if any of it is not as it should be."""
    try:
        return [*map(_metadata.decode, texts)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def stored_fields(line: str | bytes) -> StoredFields:
    """The members of a line that evstore printed; unknown keys are ignored. Raises InvalidPayloadError."""
    return _fields(_stored, line)


def stored_fields_and_unknown(line: str | bytes) -> tuple[StoredFields, list[str]]:
    """The same members, and the unknown keys."""
    try:
        return _fields(_known, line), []
    except InvalidPayloadError:
        found = _fields(_stored, line)
        known = {*_Stored.__struct_encode_fields__}
        return found, [key for key in _members.decode(line) if key not in known]


def _fields(decoder: msgspec.json.Decoder[Any], line: str | bytes) -> StoredFields:
    try:
        if decoder is _stored and isinstance(line, bytes):
            line.decode()  # what is no member of it is passed over unread
        found = decode(decoder, line)
        data, metadata = keep_json(bytes(found.data), NO_LIMIT), keep_json(bytes(found.metadata), NO_LIMIT)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"not a stored event: {fault_of(line, error)}") from error
    check_once(line.encode() if isinstance(line, str) else line, found)
    check_once_in_metadata(bytes(found.metadata))
    return StoredFields(
        found.id,
        found.stream_id,
        found.type,
        data,
        metadata,
        found.version,
        found.global_position,
        found.timestamp,
        [] if found.tags is UNSET else found.tags,
        found.redacted is True,
    )


def members_of(what: str, text: str | bytes, error: Exception) -> dict[str, Raw]:
    """The members of an object whose decoding failed with `error`. Raises InvalidPayloadError."""
    try:
        return _members.decode(text)
    except msgspec.ValidationError:
        raise InvalidPayloadError(f"{what} is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidPayloadError(f"not valid JSON: {fault_of(text, error)}") from None


def _explain_metadata(text: str | bytes, error: Exception) -> NoReturn:
    if isinstance(error, UnicodeDecodeError):
        raise InvalidPayloadError("metadata is not UTF-8")
    members = members_of("metadata", text, error)
    for key in members:
        if key not in METADATA_KEYS:
            meant = nearest(key, METADATA_KEYS)
            more = f'did you mean "{meant}"? Else ' if meant else ""
            raise InvalidPayloadError(f'unknown metadata key "{key}"; {more}put it under "custom"')
    for key in METADATA_KEYS[:-1]:
        if key in members and not bytes(members[key]).startswith((b'"', b"null")):
            raise InvalidPayloadError(f'metadata "{key}" is not a string')
    raise InvalidPayloadError('metadata "custom" is not an object of strings')
