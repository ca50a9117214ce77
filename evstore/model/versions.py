"""Versions, and the expectations of an append."""

from __future__ import annotations

from typing import Final

from evstore.errors import ConcurrencyError, InvalidVersionError, StreamNotFoundError

ANY_VERSION: Final = -1
"""Append whatever version the stream has."""
NO_STREAM: Final = 0
"""Append only if the stream does not exist yet."""
STREAM_EXISTS: Final = -2
"""Append only if the stream exists, at whatever version."""

MAX_VERSION: Final = 2**63 - 1
"""Versions and positions are signed 64-bit integers in every database."""
MIN_INTEGER: Final = -(2**63)
"""The lowest of them, which as a version or position only a damaged store holds."""

EXPECTED_WORDS: Final = {"any": ANY_VERSION, "no-stream": NO_STREAM, "exists": STREAM_EXISTS}
"""The words for expected versions on the command line and in envelopes."""


def check_expected_version(expected: int) -> None:
    """Raise InvalidVersionError unless this is a version or a constant."""
    if type(expected) is not int or not STREAM_EXISTS <= expected <= MAX_VERSION:
        raise InvalidVersionError(expected)


def expected_version(given: object) -> int:
    """The expected version that a number or a word means. Raises InvalidVersionError."""
    version = EXPECTED_WORDS.get(given) if isinstance(given, str) else given
    if type(version) is not int:
        raise InvalidVersionError(given)
    check_expected_version(version)
    return version


def check_version(stream_id: str, expected: int, actual: int) -> None:
    """Raise unless a stream at version `actual` (0: missing) meets the expected version."""
    if expected == ANY_VERSION:
        return
    if expected == STREAM_EXISTS:
        if actual == 0:
            raise StreamNotFoundError(stream_id)
    elif expected != actual:
        raise ConcurrencyError(stream_id, expected, actual)
