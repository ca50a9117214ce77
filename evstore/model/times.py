"""Moments, kept as microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from evstore.errors import InvalidPayloadError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:)60((?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)"
)


def format_timestamp(timestamp_us: int) -> str:
    """The moment in UTC, always with six decimals, so that timestamps sort as text."""
    moment = EPOCH + timedelta(microseconds=timestamp_us)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


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


def timestamp_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises InvalidPayloadError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise InvalidPayloadError(f"the time {moment.isoformat()} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)
