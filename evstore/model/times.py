"""Moments, kept as microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from evstore.errors import InvalidPayloadError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def format_timestamp(timestamp_us: int) -> str:
    """The moment in UTC, always with six decimals, so that timestamps sort as text."""
    moment = EPOCH + timedelta(microseconds=timestamp_us)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def timestamp_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises InvalidPayloadError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise InvalidPayloadError(f"the time {moment.isoformat()} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)
