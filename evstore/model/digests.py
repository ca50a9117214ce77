"""Hashes that prove a log unchanged: of one event's content, and of a log up to an event.

The content of an event is these eight lines, in UTF-8, each with its line break: id, stream id, type, version,
microseconds from 1970-01-01T00:00:00Z to its time, tags with a space between, metadata, data. None of them can
hold a line break, so no two events have the same content. Its hash is SHA-256, in `sha256sum`'s words:

    printf '%s\\n' ID STREAM TYPE VERSION MICROS TAGS METADATA DATA | sha256sum

The digest of a log is 32 zero bytes for no event, and after each event the SHA-256 of the digest before and the
content's hash, as 64 bytes. A redacted event keeps the hash of the content that it had.

The digest of a part of a log is of what it holds now. It is the SHA-256 over, for each event, its position as 8
bytes, the highest first, the hash of the content that it has now, and a byte: 1 if it is redacted, else 0.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evstore.model.events import StoredEvent

EMPTY: Final = bytes(32)
"""The digest of a log without events."""


def content_hash(
    event_id: str,
    stream_id: str,
    type: str,
    version: int,
    timestamp_us: int,
    joined_tags: str | None,
    metadata_json: str,
    data_json: str,
) -> bytes:
    """The 32 bytes of the hash of an event's content."""
    lines = (
        f"{event_id}\n{stream_id}\n{type}\n{version}\n{timestamp_us}\n{joined_tags or ''}\n"
        f"{metadata_json}\n{data_json}\n"
    )
    return sha256(lines.encode("utf-8", "surrogateescape")).digest()


def content_hash_of(event: StoredEvent) -> bytes:
    """The hash of the content that the event has now."""
    its = (event.id, event.stream_id, event.type, event.version, event.timestamp_us)
    return content_hash(*its, event.joined_tags, event.metadata_json, event.data_json)


def digest_of_part(events: Iterable[StoredEvent]) -> bytes:
    """The digest of a part of a log, from its events in their order."""
    digest = sha256()
    for event in events:
        digest.update(event.global_position.to_bytes(8, "big"))
        digest.update(content_hash_of(event))
        digest.update(b"\1" if event.redacted else b"\0")
    return digest.digest()


def chained(before: bytes, content: bytes) -> bytes:
    """The digest of a log after an event, from the digest before it and the hash of its content."""
    return sha256(before + content).digest()


def shown(position: int, digest: bytes) -> str:
    """`POSITION:HASH`, the form in which a digest is noted elsewhere."""
    return f"{position}:{digest.hex()}"
