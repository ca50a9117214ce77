"""Times and durations as people write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import Final

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.model.times import moment_of

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_LOCAL: Final = rf"{_DATE} {_CLOCK}"
_TIME: Final = rf"{_DATE}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"
_DAYS: Final = {"today": 0, "yesterday": 1}
FORMS: Final = (
    "2026-11-23T14:30:00Z; in local time, as tables print it, 2026-11-23, '2026-11-23 14:30:00', 14:30, today or "
    "yesterday; or an age as 2h or 7d"
)


def duration(flag: str, value: str) -> float:
    """Seconds."""
    found = re.fullmatch(_DURATION, value)
    if not found:
        raise UsageError(f'{flag} takes a duration as 500ms, 30s, 5m, 2h or 7d, not "{value}"')
    return float(found[1]) * _UNITS[found[2]]


def moment(flag: str, value: str) -> datetime:
    """A point in time: RFC 3339, a day or time of the zone in which tables print times, or an age."""
    try:
        if re.fullmatch(_DURATION, value):
            return datetime.now(UTC) - timedelta(seconds=duration(flag, value))
        found = _of_a_table(value)
        if found is not None:
            return _in_zone(found)
        if not re.fullmatch(_TIME, value.upper()):
            raise ValueError(value)
        found = moment_of(value)
    except (ValueError, OverflowError):
        raise UsageError(f'{flag} takes a time as {FORMS}; not "{value}"') from None
    if found.tzinfo is None:
        local = value.upper().replace("T", " ")
        raise UsageError(
            f"{flag} {value} has no time zone; write {value}Z for UTC, or '{local}' for the time that tables print"
        )
    return found


def _of_a_table(value: str) -> datetime | None:
    """A time without a zone, as a table prints it or a person calls it; None for another form."""
    if re.fullmatch(_DATE, value) or re.fullmatch(_LOCAL, value):
        return datetime.fromisoformat(value)
    today = datetime.now(UTC if settings.current.utc else None).replace(tzinfo=None)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    if value in _DAYS:
        return midnight - timedelta(days=_DAYS[value])
    if re.fullmatch(_CLOCK, value):
        return datetime.combine(midnight, clock.fromisoformat(value))
    return None


def _in_zone(found: datetime) -> datetime:
    if not settings.current.utc:
        with suppress(OverflowError, ValueError, OSError):  # the first and last moments have no local time
            return found.astimezone().astimezone(UTC)
    return found.replace(tzinfo=UTC)
