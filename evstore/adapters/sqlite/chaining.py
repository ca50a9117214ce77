"""The hashes that a tamper-evident store keeps with its events, and any store with those that are redacted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from evstore.errors import CorruptStoreError
from evstore.model.digests import EMPTY, chained, content_hash

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from evstore.port import PreparedEvent

_VERSION, _TIME = 3, 7  # columns of ADD_EVENT


def checked_digest(location: str, head: int, digest: object) -> bytes:
    """The digest of the log up to the head. Raises CorruptStoreError if the event there has none."""
    if head == 0:
        return EMPTY
    if not isinstance(digest, bytes) or len(digest) != len(EMPTY):
        raise CorruptStoreError(
            f"the event store at {location} is damaged: the digest of position {head} is missing"
        )
    return digest


def hashed(
    rows: Iterable[tuple[Any, ...]], page: list[tuple[str, int | None, PreparedEvent]], digest: bytes | None
) -> Generator[tuple[Any, ...], None, bytes | None]:
    """The rows with the time of a redaction elsewhere, the hash of a redacted content, and the digest.

    `digest`: of the log before them, None if the store keeps none; that after them is returned.
    """
    now = time.time_ns() // 1000
    for row, (stream_id, _, event) in zip(rows, page, strict=True):
        event_id, type_, data, metadata, _, tags, redacted = event
        content = content_hash(event_id, stream_id, type_, row[_VERSION], row[_TIME], tags, metadata, data)
        if digest is not None:
            digest = chained(digest, content)
        yield row + ((now, content, digest) if redacted else (None, None, digest))
    return digest
