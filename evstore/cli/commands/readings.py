"""The two readings: a stream by version, and the log by global position."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evstore.cli.output import writer
from evstore.errors import IncompleteLogError, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Protocol

    from evstore.cli.options import Period
    from evstore.errors import EvstoreError
    from evstore.model.events import StoredEvent
    from evstore.store import EventStore
else:
    Protocol = object  # made for type checkers alone


T = TypeVar("T")

PAUSE_SECONDS: Final = 0.2
"""The pause between two looks at a log that is incomplete."""


class Reading(Protocol):
    """Events of a store in an order that has numbers: versions or positions."""

    by_stream: bool
    """All events are of one stream, and the numbers are its versions."""
    waiting: Waiting
    """The wait of a follower for a log that is incomplete."""

    def in_range(self, after: int, to: int | None, limit: int | None, *, backward: bool) -> Iterator[StoredEvent]:
        """The events with numbers from `after` (exclusive) to `to` (inclusive)."""

    def follow(self, after: int, deadline: float | None) -> Iterator[StoredEvent]:
        """The events after a number, and those that come, until the deadline."""

    def number(self, event: StoredEvent) -> int:
        """The number of an event in this reading."""

    def head(self) -> int:
        """The present last number, 0 if there is none."""

    def count(self, after: int, to: int | None) -> int | None:
        """The number of events in a range, None unless their numbers say it."""

    def check_there(self) -> None:
        """Raise an error if there is nothing to read from and the caller did not allow that."""


class Waiting:
    """A wait for a log that is incomplete: noted once, however many events come meanwhile."""

    def __init__(self) -> None:
        self._noted: object = None

    def note(self, error: EvstoreError) -> None:
        missing = error.facts().get("missing")
        if missing != self._noted:
            writer.note(f"waiting: {error}")
        self._noted = missing

    def until_whole(self, ask: Callable[[], T], deadline: float | None) -> T:
        """Ask until the log is whole, or raise its error at the deadline."""
        while True:
            try:
                return ask()
            except IncompleteLogError as error:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                self.note(error)
                writer.check_reader()
                time.sleep(PAUSE_SECONDS)


class StreamReading:
    by_stream = True

    def __init__(
        self,
        store: EventStore,
        stream: str,
        types: Sequence[str] | None,
        period: Period,
        tags: Sequence[str] | None,
        *,
        missing_ok: bool,
    ) -> None:
        self._store = store
        self._stream = stream
        self._types = types
        self._period = period
        self._tags = tags
        self._missing_ok = missing_ok
        self.waiting = Waiting()

    def in_range(self, after: int, to: int | None, limit: int | None, *, backward: bool) -> Iterator[StoredEvent]:
        since, until = self._period
        return self._store.read(
            self._stream,
            after=after,
            to=to,
            limit=limit,
            backward=backward,
            types=self._types,
            since=since,
            until=until,
            tags=self._tags,
        )

    def follow(self, after: int, deadline: float | None) -> Iterator[StoredEvent]:
        return self._store.subscribe(
            stream_id=self._stream,
            after=after,
            deadline=deadline,
            types=self._types,
            since=self._period.since,
            tags=self._tags,
            on_wait=self.waiting.note,
            on_idle=writer.check_reader,
        )

    def number(self, event: StoredEvent) -> int:
        return event.version

    def head(self) -> int:
        try:
            return self._store.stream_info(self._stream).version
        except StreamNotFoundError:
            return 0

    def count(self, after: int, to: int | None) -> int | None:
        if self._types is not None or self._tags is not None or self._period != (None, None):
            return None
        info = self._store.stream_info(self._stream)
        return _between(after, to, info.version) if info.events == info.version else None

    def check_there(self) -> None:
        from evstore.cli.suggestions import find_stream

        if not self._missing_ok:
            find_stream(self._store, self._stream)


class LogReading:
    by_stream = False

    def __init__(self, store: EventStore, categories: Sequence[str] | None, filters: Mapping[str, Any]) -> None:
        self._store = store
        self._categories = categories
        self._filters = filters
        self.waiting = Waiting()

    def in_range(self, after: int, to: int | None, limit: int | None, *, backward: bool) -> Iterator[StoredEvent]:
        return self._store.replay(
            self._categories, after=after, to=to, limit=limit, backward=backward, **self._filters
        )

    def follow(self, after: int, deadline: float | None) -> Iterator[StoredEvent]:
        lasting = {name: value for name, value in self._filters.items() if name != "until"}
        return self._store.subscribe(
            self._categories,
            after=after,
            deadline=deadline,
            on_wait=self.waiting.note,
            on_idle=writer.check_reader,
            **lasting,
        )

    def number(self, event: StoredEvent) -> int:
        return event.global_position

    def head(self) -> int:
        return self._store.head()

    def count(self, after: int, to: int | None) -> int | None:
        if self._categories is not None or any(each is not None for each in self._filters.values()):
            return None
        info = self._store.info()
        return _between(after, to, info.head) if info.events == info.head else None

    def check_there(self) -> None:
        """The log is always there."""


def _between(after: int, to: int | None, head: int) -> int:
    """The numbers after one, up to another or the head."""
    return max(0, (head if to is None else min(to, head)) - after)
