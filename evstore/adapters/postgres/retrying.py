"""Seconds between tries after a lost connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.postgres.location import Location

PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries, so that a server may restart meanwhile. Tries are bounded, whatever happens."""
FAILOVER_PAUSE: Final = 0.5
"""Between further tries while one of several hosts may be about to take the place of another."""


def pauses(location: Location, timeout: float) -> Iterator[float]:
    """A pause before each further try; where the store has several hosts, for `timeout` seconds at least."""
    until = time.monotonic() + timeout
    yield from PAUSES
    while location.has_several_hosts and time.monotonic() < until:
        yield FAILOVER_PAUSE
