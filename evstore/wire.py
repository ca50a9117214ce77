"""Reading the wire form: envelopes, metadata and stored events out of JSON text.

Writing it is `to_json` of the values themselves. Payloads are sliced out of the text by msgspec, not parsed.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from evstore.errors import InvalidInputError, InvalidPayloadError, InvalidVersionError
from evstore.events import (
    MAX_METADATA_BYTES,
    MAX_METADATA_ID_BYTES,
    METADATA_KEYS,
    EventData,
    Metadata,
    StoredEvent,
    timestamp_us,
)
from evstore.jsontext import MAX_DATA_BYTES, decode, describe, keep_json
from evstore.streams import (
    ANY_VERSION,
    MAX_VERSION,
    NO_STREAM,
    STREAM_EXISTS,
    check_expected_version,
    normalize_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

EXPECTED_WORDS: Final = {"any": ANY_VERSION, "no-stream": NO_STREAM, "exists": STREAM_EXISTS}
"""An expected version in words, as the command line and envelopes say it."""


class Envelope(NamedTuple):
    """An event on its way in, and where it wants to go."""

    event: EventData
    stream_id: str | None
    expected_version: int | None


class _Envelope(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    type: str
    data: Raw
    metadata: Raw | UnsetType = UNSET
    id: str | UnsetType = UNSET
    stream_id: str | UnsetType = UNSET
    expected_version: Raw | UnsetType = UNSET
    # What only the store sets: taken, so that what was read can be appended, and ignored.
    version: Raw | UnsetType = UNSET
    global_position: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET


class _Metadata(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
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


class _Known(_Stored, rename="camel", forbid_unknown_fields=True):
    """The same without anything else."""


_envelopes = msgspec.json.Decoder(_Envelope)
_metadata = msgspec.json.Decoder(_Metadata)
_stored = msgspec.json.Decoder(_Stored)
_known = msgspec.json.Decoder(_Known)
_members = msgspec.json.Decoder(dict[str, Raw])

_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,30}")
_word = msgspec.json.Decoder(str)
_STRINGS: Final = ("type", "id", "streamId")
_APPENDABLE: Final = ("type", "data", "metadata", "id", "streamId", "expectedVersion")
_KNOWN: Final = (*_APPENDABLE, "version", "globalPosition", "timestamp")


def envelope_from_json(value: bytes, max_data_bytes: int = MAX_DATA_BYTES) -> Envelope:
    """Read `{"type","data","metadata"?,"id"?,"streamId"?,"expectedVersion"?}`, else InvalidInputError."""
    try:
        found = decode(_envelopes, value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _explain_envelope(value, error)
    metadata = None if found.metadata is UNSET else metadata_from_json(bytes(found.metadata))
    return Envelope(
        EventData.from_json(
            found.type,
            keep_json(bytes(found.data), max_data_bytes),
            metadata,
            None if found.id is UNSET else found.id,
        ),
        None if found.stream_id is UNSET else found.stream_id,
        None if found.expected_version is UNSET else _expected(bytes(found.expected_version)),
    )


def _expected(said: bytes) -> int:
    if _WHOLE_NUMBER.fullmatch(said):
        return expected_version(int(said))
    try:
        return expected_version(_word.decode(said))
    except msgspec.DecodeError:
        raise InvalidVersionError(said[:40].decode(errors="replace")) from None
    except UnicodeDecodeError:
        raise InvalidInputError('"expectedVersion" is not UTF-8') from None


def expected_version(said: object) -> int:
    """An expected version said as a number or a word, else InvalidVersionError."""
    version = EXPECTED_WORDS.get(said) if isinstance(said, str) else said
    if type(version) is not int:
        raise InvalidVersionError(said)
    check_expected_version(version)
    return version


@lru_cache(maxsize=256)  # events of one cause arrive together and share their metadata
def metadata_from_json(text: str | bytes) -> Metadata:
    """Read the wire form of metadata, else InvalidPayloadError."""
    try:
        found = decode(_metadata, text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        _explain_metadata(text, error)
    return Metadata(found.correlation_id, found.causation_id, found.user_id, found.tenant_id, custom=found.custom)


def stored_from_json(line: str | bytes) -> StoredEvent:
    """Read a line that evstore printed, else InvalidInputError."""
    return _from_line(_stored, line)


def stored_and_unknown(line: str | bytes) -> tuple[StoredEvent, list[str]]:
    """The same, and the keys that this evstore does not know."""
    try:
        return _from_line(_known, line), []
    except InvalidPayloadError:
        found = _from_line(_stored, line)
        known = {*_Stored.__struct_encode_fields__}
        return found, [key for key in _members.decode(line) if key not in known]


def _from_line(decoder: msgspec.json.Decoder[Any], line: str | bytes) -> StoredEvent:
    try:
        found = decode(decoder, line)
        moment = datetime.fromisoformat(found.timestamp)
        data, metadata = keep_json(bytes(found.data), MAX_VERSION), keep_json(bytes(found.metadata), MAX_VERSION)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"not a stored event: {describe(error)}") from error
    return StoredEvent(
        normalize_id(found.id),
        found.stream_id,
        found.type,
        data,
        metadata,
        found.version,
        found.global_position,
        timestamp_us(moment),
    )


def check_metadata(metadata: Metadata) -> None:
    """Raise InvalidPayloadError unless every database can keep and search this metadata."""
    if not isinstance(metadata, Metadata):
        raise InvalidPayloadError(f"metadata is a Metadata, not {type(metadata).__name__}")
    if metadata.checked:
        return
    ids = (metadata.correlation_id, metadata.causation_id, metadata.user_id, metadata.tenant_id)
    for key, value in zip(METADATA_KEYS, ids, strict=False):
        if value is None:
            continue
        size = len(_checked_text(f'metadata "{key}"', value).encode())
        if size > MAX_METADATA_ID_BYTES:
            raise InvalidPayloadError(
                f'metadata "{key}" is {size} bytes long, at most {MAX_METADATA_ID_BYTES} are allowed'
            )
    try:
        members = metadata.custom.items()
    except AttributeError:
        raise InvalidPayloadError('metadata "custom" is not an object of strings') from None
    for key, value in members:
        if not _checked_text('a key of metadata "custom"', key):
            raise InvalidPayloadError('metadata "custom" has an empty key')
        _checked_text(f'metadata "custom" "{key}"', value)
    size = len(metadata.to_json().encode())
    if size > MAX_METADATA_BYTES:
        raise InvalidPayloadError(f"metadata is {size} bytes long, at most {MAX_METADATA_BYTES} are allowed")
    object.__setattr__(metadata, "checked", True)


def _checked_text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidPayloadError(f"{what} is not a string")
    if "\0" in value:
        raise InvalidPayloadError(f"{what} holds U+0000")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidPayloadError(f"{what} holds a lone surrogate") from None
    return value


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    folded = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _explain_envelope(value: bytes, error: Exception) -> NoReturn:
    """Say what is wrong with an envelope that could not be read; the slow way, taken once."""
    members = _members_of("an event", value, error)
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
    raise InvalidInputError(f"not an event: {describe(error)}")


def _explain_metadata(text: str | bytes, error: Exception) -> NoReturn:
    if isinstance(error, UnicodeDecodeError):
        raise InvalidPayloadError("metadata is not UTF-8")
    members = _members_of("metadata", text, error)
    for key in members:
        if key not in METADATA_KEYS:
            meant = nearest(key, METADATA_KEYS)
            more = f'did you mean "{meant}"? Else ' if meant else ""
            raise InvalidPayloadError(f'unknown metadata key "{key}"; {more}put it under "custom"')
    for key in METADATA_KEYS[:-1]:
        if key in members and not bytes(members[key]).startswith((b'"', b"null")):
            raise InvalidPayloadError(f'metadata "{key}" is not a string')
    raise InvalidPayloadError('metadata "custom" is not an object of strings')


def _members_of(what: str, text: str | bytes, error: Exception) -> dict[str, Raw]:
    try:
        return _members.decode(text)
    except msgspec.ValidationError:
        raise InvalidPayloadError(f"{what} is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidPayloadError(f"not valid JSON: {describe(error)}") from None
