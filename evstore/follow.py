"""The tail loop: history, then what comes, without a gap or a duplicate between the two.

There is no moment of change-over. The loop asks for the head, reads up to it, and waits until there is a later
one; whatever was committed meanwhile is simply part of the next read.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.adapters.base import Page
from evstore.errors import StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.base import Adapter
    from evstore.events import Filter, StoredEvent

WAIT_SECONDS: Final = 1.0
"""How long one wait lasts, at most, before the loop looks at the clock again."""
PAGE: Final = 200


class Patience(NamedTuple):
    """How long to wait: `quiet` seconds without an event, and not beyond the monotonic time `deadline`."""

    quiet: float | None = None
    deadline: float | None = None

    def left(self, quiet_since: float) -> float:
        now = time.monotonic()
        quiet = inf if self.quiet is None else quiet_since + self.quiet - now
        return min(quiet, inf if self.deadline is None else self.deadline - now)


@contextmanager
def _until_closed() -> Iterator[None]:
    """Closing the store is the end of a subscription; going on with it in a forked child is an error."""
    try:
        yield
    except StoreClosedError as error:
        if error.forked:
            raise


def follow_log(adapter: Adapter, where: Filter, after: int, patience: Patience) -> Iterator[StoredEvent]:
    """Events of the log after a global position, until the store is closed or patience ends."""
    with _until_closed():
        for head in _heads(adapter, after, patience):
            cursor: int | None = after
            while cursor is not None:
                events = adapter.read_all(Page(PAGE, cursor, high=head), where)
                yield from events
                cursor = events[-1].global_position if len(events) == PAGE else None
            after = max(after, head)


def follow_stream(
    adapter: Adapter, stream_id: str, where: Filter, after: int, patience: Patience
) -> Iterator[StoredEvent]:
    """Events of a stream, which may not exist yet, after a version."""
    with _until_closed():
        for _ in _heads(adapter, -1, patience):
            full = True
            while full:
                events = adapter.read_stream(stream_id, Page(PAGE, after), where)
                yield from events
                after = events[-1].version if events else after
                full = len(events) == PAGE


def _heads(adapter: Adapter, seen: int, patience: Patience) -> Iterator[int]:
    """Yield each head beyond those seen."""
    quiet_since = time.monotonic()
    while True:
        left = patience.left(quiet_since)
        head = adapter.head(seen, max(0.0, min(WAIT_SECONDS, left)))
        if head > seen:
            yield head
            seen = head
            quiet_since = time.monotonic()
            if patience.deadline is not None and quiet_since >= patience.deadline:
                return  # also where there is always something new
        elif patience.left(quiet_since) <= 0:
            return
