"""The loop of subscriptions: history, then live events, without a gap or a duplicate between the two.

There is no change-over. The loop asks for the head, reads up to it, and waits for a later head; events
committed meanwhile are part of the next read.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from evstore.blocking import check, sleep
from evstore.errors import IncompleteLogError, StoreClosedError, UnavailableError
from evstore.model.filters import Filter
from evstore.observing import logger
from evstore.port import Page
from evstore.reading.anchoring import Anchor
from evstore.reading.pages import BY_POSITION, BY_VERSION, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.errors import EvstoreError
    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

    Seen = tuple[list[StoredEvent], int]
    """The next events, and the number up to which nothing else will match: a cursor may move there."""

T = TypeVar("T")

WAIT_SECONDS: Final = 1.0
"""The longest wait in seconds before the loop looks at the clock again."""
LONGEST_PAUSE: Final = 5.0
"""The longest pause in seconds between two tries to reach a store."""


class Patience(NamedTuple):
    """Limits of waiting: `quiet` seconds without an event, and the monotonic time `deadline`.

    `on_wait` receives an IncompleteLogError that keeps a follower waiting, when its text changes. `on_idle` is
    called before each look for events; what it raises ends the waiting.
    """

    quiet: float | None = None
    deadline: float | None = None
    on_wait: Callable[[EvstoreError], None] = lambda _: None
    on_idle: Callable[[], None] = lambda: None

    def seconds_left(self, quiet_since: float) -> float:
        now = time.monotonic()
        quiet = inf if self.quiet is None else quiet_since + self.quiet - now
        return min(quiet, inf if self.deadline is None else self.deadline - now)


class _GaveUp(Exception):  # noqa: N818 - control flow, never seen outside
    """Patience ended before the store could be reached."""


@contextmanager
def _until_the_end() -> Iterator[None]:
    """End the subscription when the store is closed; raise in a forked child."""
    try:
        yield
    except _GaveUp:
        pass
    except StoreClosedError as error:
        if error.forked:
            raise


def follow_log(adapter: Adapter, where: Filter, after: int, patience: Patience) -> Iterator[Seen]:
    """Pages of the log after a global position, until the store is closed or patience ends.

    The last page up to a head may be empty: what a filter passes over is seen as well.
    """
    with _until_the_end():
        anchor = Anchor(adapter, after, BY_POSITION, partial(reached, patience))
        anchor.hold_at_cursor(lambda page: adapter.read_all(page, Filter()), Page(1, low=after, high=after))
        for head in _heads(adapter, anchor, patience):
            for events in pages_of(
                lambda page: reached(patience, adapter.read_all, page, where),
                Page(0, anchor.cursor, high=head),
                None,
                BY_POSITION,
            ):
                if anchor.has_moved():
                    break
                anchor.take(events[-1])
                yield events, anchor.cursor
            else:
                if not anchor.has_moved() and anchor.cursor < head:
                    anchor.pass_to(head)
                    yield [], head


def follow_stream(
    adapter: Adapter, stream_id: str, where: Filter, after: int, patience: Patience
) -> Iterator[Seen]:
    """Pages of a stream, which may not exist yet, after a version."""
    with _until_the_end():
        anchor = Anchor(adapter, after, BY_VERSION, partial(reached, patience))
        anchor.hold_at_cursor(
            lambda page: adapter.read_stream(stream_id, page, Filter()), Page(1, low=after, high=after)
        )
        for _ in _heads(adapter, anchor, patience, seen=-1):
            for events in pages_of(
                lambda page: reached(patience, adapter.read_stream, stream_id, page, where),
                Page(0, anchor.cursor),
                None,
                BY_VERSION,
            ):
                if anchor.has_moved():
                    break
                anchor.take(events[-1])
                yield events, anchor.cursor


def _heads(adapter: Adapter, anchor: Anchor, patience: Patience, seen: int | None = None) -> Iterator[int]:
    """Yield each head beyond those seen, by default beyond the cursor; anew after another server took over."""
    begin = seen
    quiet_since = time.monotonic()
    while True:
        beyond = anchor.cursor if seen is None else seen
        left = max(0.0, min(WAIT_SECONDS, patience.seconds_left(quiet_since)))
        head = reached(patience, adapter.head, beyond, left)
        if anchor.has_moved():
            seen, head = begin, head if not anchor.is_behind else -1
            beyond = anchor.cursor if seen is None else seen
        if head > beyond:
            before = anchor.times_moved
            yield head
            seen = head if begin is not None and anchor.times_moved == before else begin
            quiet_since = time.monotonic()
            if patience.deadline is not None and quiet_since >= patience.deadline:
                return  # also while new events keep coming
        elif patience.seconds_left(quiet_since) <= 0:
            return


def reached(patience: Patience, ask: Callable[..., T], *what: Any) -> T:
    """Ask until the store can be reached and shows its log without a gap, with growing pauses, or patience ends.

    The cursor never moves past an event that was not delivered: an incomplete log is waited for.
    """
    away_since = time.monotonic()
    pause = 0.1
    reported = ""
    while True:
        check()
        patience.on_idle()
        try:
            return ask(*what)
        except (UnavailableError, IncompleteLogError) as error:
            if isinstance(error, UnavailableError) and not error.retryable:
                raise
            left = patience.seconds_left(away_since)
            if left <= 0:
                raise _GaveUp from error
            if str(error) != reported:
                reported = str(error)
                logger().warning("waiting for the event store: %s", error)
                if isinstance(error, IncompleteLogError):
                    patience.on_wait(error)
            sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)
