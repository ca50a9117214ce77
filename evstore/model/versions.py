"""Versions, and what an append may expect of a stream."""

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
"""An expected version in words, as the command line and envelopes say it."""


def check_expected_version(expected: int) -> None:
    """Raise InvalidVersionError unless this can be expected of a stream."""
    if type(expected) is not int or not STREAM_EXISTS <= expected <= MAX_VERSION:
        raise InvalidVersionError(expected)


def expected_version(said: object) -> int:
    """An expected version said as a number or a word, else InvalidVersionError."""
    version = EXPECTED_WORDS.get(said) if isinstance(said, str) else said
    if type(version) is not int:
        raise InvalidVersionError(said)
    check_expected_version(version)
    return version


def check_version(stream_id: str, expected: int, actual: int) -> None:
    """Judge an expected version against the stream's version (0: the stream is missing)."""
    if expected == ANY_VERSION:
        return
    if expected == STREAM_EXISTS:
        if actual == 0:
            raise StreamNotFoundError(stream_id)
    elif expected != actual:
        raise ConcurrencyError(stream_id, expected, actual)
