"""Times as a person reads them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from evstore.cli import settings
from evstore.model.times import moment_at

if TYPE_CHECKING:
    from datetime import datetime


def local(timestamp_us: int) -> datetime:
    """A time in the local zone, or in UTC with `--utc`."""
    found = moment_at(timestamp_us)
    if not settings.current.utc:
        with suppress(OverflowError, ValueError, OSError):  # the first and last moments have no local time
            found = found.astimezone()
    return found


def today() -> str:
    """The date, as times in a table begin with it."""
    return local(time.time_ns() // 1000).strftime("%Y-%m-%d")
