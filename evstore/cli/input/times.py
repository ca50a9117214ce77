"""Times and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from evstore.cli.errors import UsageError
from evstore.model.times import moment_of

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def duration(flag: str, value: str) -> float:
    """Seconds."""
    found = _DURATION.fullmatch(value)
    if not found:
        raise UsageError(f'{flag} takes a duration as 500ms, 30s, 5m, 2h or 7d, not "{value}"')
    return float(found[1]) * _UNITS[found[2]]


def moment(flag: str, value: str) -> datetime:
    """A point in time: RFC 3339, a date (midnight UTC), or an age."""
    try:
        if _DURATION.fullmatch(value):
            return datetime.now(UTC) - timedelta(seconds=duration(flag, value))
        if _DATE.fullmatch(value):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        if not _TIME.fullmatch(value.upper()):
            raise ValueError(value)
        found = moment_of(value)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{flag} takes a time as 2026-11-23T14:30:00Z, a date as 2026-11-23, or an age as 2h or 7d, "
            f'not "{value}"'
        ) from None
    if found.tzinfo is None:
        raise UsageError(f"{flag} {value} has no time zone; write {value}Z for UTC")
    return found
