"""Moments, kept as microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from evstore.errors import CorruptStoreError, InvalidPayloadError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
"""Microseconds."""
_LEAP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:)60((?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)"
)


@lru_cache(maxsize=16)  # the events of a unit share their moment
def format_timestamp(timestamp_us: int) -> str:
    """The moment in UTC, always with six decimals, so that timestamps sort as text. Raises CorruptStoreError."""
    # A damaged page may hold anything, of which `moment_at` says so.
    second = timestamp_us - timestamp_us % _SECOND if isinstance(timestamp_us, int) else timestamp_us
    return f"{_second(second)}.{str(_SECOND + timestamp_us - second)[1:]}Z"


@lru_cache(maxsize=16)  # and neighbours in the log their second
def _second(timestamp_us: int) -> str:
    return moment_at(timestamp_us).isoformat(timespec="seconds").removesuffix("+00:00")


def moment_at(timestamp_us: int) -> datetime:
    """The moment in UTC. Raises CorruptStoreError for a time that no append lets in."""
    try:
        return EPOCH + timedelta(microseconds=timestamp_us)
    except (OverflowError, TypeError):
        raise CorruptStoreError(f"the event store is damaged: it holds the time {timestamp_us!r}") from None


def moment_of(text: str) -> datetime:
    """The moment of a time in RFC 3339 (or another form of ISO 8601). Raises ValueError.

    Its letters may be small. A leap second, which only the last second of a day in UTC can be, is the first
    of the next day, as in the time of every system.
    """
    text = text.upper()
    leap = _LEAP.fullmatch(text)
    if leap is None:
        return datetime.fromisoformat(text)
    moment = datetime.fromisoformat(f"{leap[1]}59{leap[2]}")
    if moment.tzinfo is None or moment.astimezone(UTC).strftime("%H:%M") != "23:59":
        raise ValueError(f"second 60 in {text} is no leap second, which ends a day in UTC")
    return moment + timedelta(seconds=1)


@lru_cache(maxsize=16)  # the events of a unit share their moment
def microseconds_of(text: str) -> int:
    """Microseconds since 1970 of such a time. Raises ValueError or OverflowError, also if it has no time zone."""
    return timestamp_us(moment_of(text))


def timestamp_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises InvalidPayloadError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise InvalidPayloadError(f"the time {moment.isoformat()} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)
