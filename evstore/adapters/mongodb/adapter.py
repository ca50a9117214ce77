"""The MongoDB adapter: a database, with many clients.

An append is one document, whose `_id` is the number that follows: its insert is the only thing that has to be
atomic. Everything else follows from these documents, or is inserted under a number of its own in the same way.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from pymongo.errors import ConnectionFailure

from evstore.adapters.living import check_open, check_process
from evstore.adapters.mongodb import info as facts
from evstore.adapters.mongodb import layout
from evstore.adapters.mongodb.errors import translated
from evstore.adapters.mongodb.index import Index
from evstore.adapters.mongodb.lists import Lists
from evstore.adapters.mongodb.reading import Reading
from evstore.adapters.mongodb.session import Session
from evstore.adapters.mongodb.units import Units
from evstore.adapters.mongodb.writing import Writing
from evstore.errors import UnavailableError, UnsupportedError
from evstore.model.filters import Filter
from evstore.port import PLAIN, Capabilities, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.adapters.mongodb.consumers import MongoConsumers
    from evstore.adapters.mongodb.location import Location
    from evstore.model.conditions import Query
    from evstore.model.events import StoredEvent
    from evstore.model.facts import CategoryInfo, LockWait, SourceInfo, StoreInfo, StreamInfo, TagInfo, TypeInfo
    from evstore.port import Append, Audits, Consumers, Initialization, NamePage, Outcome, Snapshots

T = TypeVar("T")

CAPABILITIES: Final = Capabilities(
    name="MongoDB",
    durable=True,
    how_durable=facts.HOW_DURABLE,
    multi_process=True,
    has_audits=True,
    has_consumers=True,
    has_snapshots=True,
)
_SHORTEST_LOOK: Final = 0.01
_LONGEST_LOOK: Final = 0.05
"""Seconds between two looks for the next unit, which grow while there is none."""


class MongoAdapter:
    capabilities = CAPABILITIES
    files: Sequence[str] = ()
    notes: Sequence[str] = ()
    on_wait: Callable[[LockWait], None] | None = None

    def __init__(self, location: Location, timeout: float) -> None:
        self.location = location.shown
        self._session = session = Session(location, timeout)
        self._guard = guard = threading.RLock()
        self._units = units = Units(session)
        self._index = index = Index(session, units)
        self._reading = Reading(units, index, guard)
        self._lists = Lists(index, guard)
        self._writing = Writing(session, units, index, guard, self._first_match, self._lists.staged)
        self._consumers: MongoConsumers | None = None
        self._closed = False
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"MongoAdapter({self.location})"

    # --- living ---

    def initialize(self, _wanted: Initialization = PLAIN) -> None:
        self._check()
        with translated(self.location):
            layout.initialize(self._session.database, self.location)

    def close(self) -> None:
        was_open, self._closed = not self._closed, True
        if was_open and self._pid == os.getpid():
            if self._consumers is not None:
                self._consumers.end()
            self._session.close()

    def _check(self) -> None:
        check_process(self._pid)
        check_open(self._closed, self._pid)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """A call to a store that is there."""
        self._check()
        try:
            with translated(self.location):
                self._session.open()
                yield
        except UnavailableError:
            self._check()  # for a client that is closed tells so in many ways
            raise

    def _call(self, work: Callable[[], T]) -> T:
        """The answer to a question, which is asked again if a connection was lost."""
        deadline = time.monotonic() + self._session.timeout
        while True:
            try:
                with self._opened():
                    return work()
            except UnavailableError as error:
                if not isinstance(error.__cause__, ConnectionFailure) or time.monotonic() > deadline:
                    raise
                self._session.pause(_LONGEST_LOOK)

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        with self._opened():
            return self._writing.append(units, until_refused)

    def _first_match(self, query: Query, after: int) -> int | None:
        found = self._reading.read_all(Page(1, after=after), Filter(query=query))
        return found[0].global_position if found else None

    def redact(self, _ids: Sequence[str], _unit: Append, *, metadata: bool) -> NoReturn:  # noqa: ARG002 - the port's
        raise UnsupportedError("a store on MongoDB cannot redact: what it relies on is that no document changes")

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        return self._call(lambda: self._reading.read_stream(stream_id, page, where))

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        return self._call(lambda: self._reading.read_all(page, where))

    def count(self, low: int, high: int, where: Filter) -> int:
        return self._call(lambda: self._reading.count(low, high, where))

    def digest(self, low: int, high: int) -> bytes:
        from evstore.port.digesting import digest_by_reading

        return digest_by_reading(self.read_all, low, high)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        return self._call(lambda: self._reading.get(ids))

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        return self._call(lambda: self._reading.span(since_us, until_us))

    def head(self, beyond: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        pause = _SHORTEST_LOOK
        while True:
            head = self._call(self._units.head)
            left = deadline - time.monotonic()
            if head > beyond or left <= 0:
                return head
            self._session.pause(min(left, pause))
            pause = min(pause * 1.2, _LONGEST_LOOK)

    # --- lists and facts ---

    def stream(self, stream_id: str) -> StreamInfo | None:
        return self._call(lambda: self._lists.stream(stream_id))

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        return self._call(lambda: self._lists.streams(page, category))

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        return self._call(lambda: self._lists.categories(page))

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        return self._call(lambda: self._lists.types(page, category))

    def tags(self, page: NamePage) -> list[TagInfo]:
        return self._call(lambda: self._lists.tags(page))

    def sources(self, page: NamePage) -> list[SourceInfo]:
        return self._call(lambda: self._lists.sources(page))

    def info(self) -> StoreInfo:
        return self._call(lambda: facts.info(self._session, self._lists.facts()))

    def consumers(self) -> Consumers:
        from evstore.adapters.mongodb.consumers import MongoConsumers

        with self._opened():
            if self._consumers is None:
                self._consumers = MongoConsumers(self._session, self._units, self._check, self.get)
            return self._consumers

    def snapshots(self) -> Snapshots:
        from evstore.adapters.mongodb.snapshots import MongoSnapshots

        return MongoSnapshots(self._session, self._opened, self._version)

    def _version(self, stream_id: str) -> int:
        found = self._lists.stream(stream_id)
        return found.version if found else 0

    def audits(self) -> Audits:
        from evstore.adapters.mongodb.audit import MongoAudits

        with self._opened():
            return MongoAudits(self._units, self._index, self._reading, self._lists, self._opened)

    def backup(self, path: str, _force: bool) -> NoReturn:
        raise UnsupportedError(
            f"the servers' own tools back up a store on MongoDB: mongodump --out {path}; "
            "evstore export writes its events to a file"
        )
