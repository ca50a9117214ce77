"""Envelopes: events with type and, if given, stream, as files and pipes bring them.

Payloads are sliced out of the text by msgspec, not parsed. Plain envelopes, one on each line, are read many at a
time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.did_you_mean import nearest
from evstore.errors import InvalidInputError, InvalidPayloadError, InvalidVersionError
from evstore.jsontext.decoding import members_of
from evstore.jsontext.faults import fault_of
from evstore.jsontext.judging import MAX_DATA_BYTES, KeptJson, decode, keep_each, keep_json
from evstore.jsontext.keys import check_once
from evstore.model.metadata import NO_METADATA, Metadata, keeps_rules, metadata_from_input
from evstore.model.versions import expected_version

if TYPE_CHECKING:
    from collections.abc import Sequence


class Envelope(NamedTuple):
    """An event on its way in, with its stream and expected version; absent members are None."""

    type: str
    data: KeptJson
    metadata: Metadata
    id: str | None
    stream_id: str | None
    expected_version: int | None
    key: str | None = None


class _Envelope(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    type: str
    data: Raw
    metadata: Raw | UnsetType = UNSET
    id: str | UnsetType = UNSET
    stream_id: str | UnsetType = UNSET
    expected_version: Raw | UnsetType = UNSET
    key: str | UnsetType = UNSET
    # Set by the store alone: accepted, so that a line that was read can be appended, and ignored.
    version: Raw | UnsetType = UNSET
    global_position: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET


class PlainEnvelopes(NamedTuple):
    """Envelopes with no other members than these, a column each; absent members are None."""

    stream_ids: Sequence[str | None]
    types: Sequence[str]
    data: Sequence[KeptJson]
    metadata: Sequence[str]
    """The wire form of metadata that keeps every rule."""
    correlation_ids: Sequence[str | None]
    ids: Sequence[str | None]


class _PlainMetadata(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """Members in the order of the wire form."""

    correlation_id: str | UnsetType = UNSET
    causation_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET
    custom: dict[str, str] | UnsetType = UNSET


class _Plain(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    type: str
    data: Raw
    metadata: _PlainMetadata | UnsetType = UNSET
    id: str | UnsetType = UNSET
    stream_id: str | UnsetType = UNSET


_envelopes = msgspec.json.Decoder(_Envelope)
_plain = msgspec.json.Decoder(_Plain)
_ABSENT: Final = _PlainMetadata()
_encode_lines = msgspec.json.Encoder().encode_lines
_word = msgspec.json.Decoder(str)
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,30}")
_STRINGS: Final = ("type", "id", "streamId", "key")
_APPENDABLE: Final = ("type", "data", "metadata", "id", "streamId", "expectedVersion", "key")
_KNOWN: Final = (*_APPENDABLE, "version", "globalPosition", "timestamp")


def envelope_from_json(value: bytes, max_data_bytes: int = MAX_DATA_BYTES) -> Envelope:
    """Read `{"type","data","metadata"?,"id"?,"key"?,"streamId"?,"expectedVersion"?}`. Raises InvalidInputError."""
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
    )


def plain_envelopes(lines: bytes) -> PlainEnvelopes | None:
    """Read lines that hold a plain envelope each. None if anything else may be there, whose meaning or fault
    `envelope_from_json` finds."""
    if b"\r" in lines or len(lines) > MAX_DATA_BYTES:
        return None
    try:
        found = _plain.decode_lines(lines)
        data = keep_each(each.data for each in found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidPayloadError):
        return None
    if not found:
        return None
    given = [each.metadata for each in found]
    metadata = [_ABSENT if each is UNSET else each for each in given]
    texts = _encode_lines(metadata).decode()
    wire_forms = texts.split("\n")[:-1]
    if not keeps_rules(texts, wire_forms) or '""' in texts or '"custom":{}' in texts:  # an empty member is absent
        return None
    stream_ids = [_or_none(each.stream_id) for each in found]
    ids = [_or_none(each.id) for each in found]
    correlation_ids = [_or_none(each.correlation_id) for each in metadata]
    # As in `check_once`: two quotes for each key and each string.
    quotes = 6 * len(found) + sum(text.count('"') for text in data) + texts.count('"')
    quotes += 2 * (len(found) - given.count(UNSET))
    quotes += 4 * (2 * len(found) - ids.count(None) - stream_ids.count(None))
    if lines.count(b'"') != quotes:
        return None
    types = [each.type for each in found]
    return PlainEnvelopes(stream_ids, types, data, wire_forms, correlation_ids, ids)


def _or_none(member: str | UnsetType) -> str | None:
    return None if member is UNSET else member


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
    raise InvalidInputError(f"not an event: {fault_of(value, error)}")
