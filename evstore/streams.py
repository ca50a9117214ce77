"""The rules of names, versions and ids. Pure functions; each rule is defined here and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evstore.errors import (
    ConcurrencyError,
    EventIdConflictError,
    InvalidInputError,
    InvalidStreamIdError,
    InvalidVersionError,
    StreamNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evstore.events import EventData, StoredEvent, Write

ANY_VERSION: Final = -1
"""Append whatever version the stream has."""
NO_STREAM: Final = 0
"""Append only if the stream does not exist yet."""
STREAM_EXISTS: Final = -2
"""Append only if the stream exists, at whatever version."""

MAX_STREAM_ID_BYTES: Final = 512
MAX_NAME_BYTES: Final = 255
MAX_VERSION: Final = 2**63 - 1
"""Versions and positions are signed 64-bit integers in every database."""

_REFUSED_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_KEY_NAMESPACE: Final = "f2a7c1de-5d5b-5c1e-9b0a-2f4f1d8b6f3e"
"""Of ids made from keys; it must never change."""
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def category_of(stream_id: str) -> str:
    """What stands before the first hyphen; an id without one is its own category."""
    return stream_id.partition("-")[0]


def check_stream_id(stream_id: str) -> None:
    """Raise InvalidStreamIdError, with the reason, unless the id may name a stream."""
    if not isinstance(stream_id, str):
        raise InvalidStreamIdError(f"a stream id is a string, not {type(stream_id).__name__}")
    if not stream_id:
        raise InvalidStreamIdError("the stream id is empty")
    if stream_id[0] == "-":
        raise InvalidStreamIdError(f'stream id "{stream_id}" starts with "-", so it has no category')
    if stream_id[0] == "$":
        raise InvalidStreamIdError(f'stream id "{stream_id}" starts with "$", which is reserved')
    _check_characters("stream id", stream_id, MAX_STREAM_ID_BYTES)


def check_name(what: str, name: str) -> None:
    """The rule of event types, consumer names and checkpoint names; `what` names it in the message."""
    if not isinstance(name, str):
        raise InvalidInputError(f"the {what} is a string, not {type(name).__name__}")
    if not name:
        raise InvalidInputError(f"the {what} is empty")
    _check_characters(what, name, MAX_NAME_BYTES)


def _check_characters(what: str, name: str, most_bytes: int) -> None:
    if len(name) <= most_bytes and name.isascii() and name.isprintable():
        return  # most names; the rest of the rule in two C calls
    error = InvalidStreamIdError if what == "stream id" else InvalidInputError
    refused = _REFUSED_CHARACTER.search(name)
    if refused:
        code = ord(refused[0])
        kind = "lone surrogate (is it UTF-8?)" if code >= 0xD800 else "control character"  # noqa: PLR2004
        raise error(f"the {what} holds the {kind} U+{code:04X} at character {refused.start() + 1}")
    size = len(name.encode())
    if size > most_bytes:
        raise error(f"the {what} is {size} bytes long, at most {most_bytes} are allowed")


def check_expected_version(expected: int) -> None:
    """Raise InvalidVersionError unless this can be expected of a stream."""
    if type(expected) is not int or not STREAM_EXISTS <= expected <= MAX_VERSION:
        raise InvalidVersionError(expected)


def check_version(stream_id: str, expected: int, actual: int) -> None:
    """Judge an expected version against the stream's version (0: the stream is missing)."""
    if expected == ANY_VERSION:
        return
    if expected == STREAM_EXISTS:
        if actual == 0:
            raise StreamNotFoundError(stream_id)
    elif expected != actual:
        raise ConcurrencyError(stream_id, expected, actual)


def normalize_id(event_id: object) -> str:
    """The id as it is stored: 36 characters, lower case. Any UUID version is taken."""
    text = str(event_id).lower()
    if not _UUID.fullmatch(text):
        shown = text if len(text) <= 50 else text[:50] + "…"  # noqa: PLR2004
        raise InvalidInputError(f'"{shown}" is not an event id: 36 characters, as in a UUID')
    return text


def key_id(stream_id: str, key: str, ordinal: int) -> str:
    """The id that a caller's key makes for the event at this place (from 1) of an append: a UUIDv5."""
    from uuid import UUID, uuid5  # noqa: PLC0415 - most ids are not made of keys

    if not isinstance(key, str) or not key:
        raise InvalidInputError("the key is empty")
    try:
        # Length first, so that no stream and key together look like another pair.
        return str(uuid5(UUID(_KEY_NAMESPACE), f"{len(stream_id)}:{stream_id}:{key}:{ordinal}"))
    except UnicodeEncodeError:
        raise InvalidInputError("the key holds a lone surrogate") from None


def check_ids(held_id: str, pairs: Iterable[tuple[Write, EventData, StoredEvent | None]]) -> Iterator[StoredEvent]:
    """Yield the events as first stored if the append is a retry, else raise EventIdConflictError.

    `held_id` is one of the append's ids that is stored; `pairs` are all its events in order, each with its
    write and with the stored event of the same id. It is a retry if all ids are stored: each write's in its
    stream, at consecutive versions, in its order, with the same type and the same data.
    """
    reached: dict[str, int] = {}
    last_write: Write | None = None
    for write, event, found in pairs:
        if found is None:
            raise EventIdConflictError(held_id, "is stored already, but other events of this append are not")
        check_same(write.stream_id, event, found)
        before = reached.get(write.stream_id, 0)
        consecutive = found.version == before + 1 if write is last_write else found.version > before
        if not consecutive:
            raise EventIdConflictError(found.id, "is stored at another place in its stream")
        reached[write.stream_id] = found.version
        last_write = write
        yield found


def check_same(stream_id: str, event: EventData, found: StoredEvent) -> None:
    from evstore.jsontext import same_json  # noqa: PLC0415 - a retry is rare, start-up is not

    if found.stream_id != stream_id:
        raise EventIdConflictError(found.id, f'is already in stream "{found.stream_id}"')
    if found.type != event.type:
        raise EventIdConflictError(found.id, f'is already an event of type "{found.type}"')
    if not same_json(found.data_json, event.data_json):
        raise EventIdConflictError(found.id, "is already stored with other data")
