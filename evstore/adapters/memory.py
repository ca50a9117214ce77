"""The contract of `evstore.port` in plain Python: the reference, and the model for random tests.

Everything is forgotten when the adapter is closed or the process ends. Not for speed: reads ask
`Filter.matches` of one event after the other, so that nothing here can disagree with it.

`memory:FILE.ndjson` holds the events of a file that evstore printed, as they were stored, also compressed. Such a
store can only be read, for what was appended to it would be thrown away.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from itertools import repeat
from operator import attrgetter
from threading import Condition
from typing import TYPE_CHECKING, Final

from evstore.adapters.living import check_open, check_process
from evstore.adapters.memory_lists import (
    categories_of,
    counts_of,
    info_of,
    names_of,
    page_of,
    stored,
    stream_info,
    without_data,
)
from evstore.adapters.memory_snapshots import MemorySnapshots
from evstore.adapters.memory_sources import MemorySources
from evstore.adapters.units import answer_in_order
from evstore.blocking import wait_for
from evstore.errors import (
    DeniedError,
    EventNotFoundError,
    EvstoreError,
    InvalidUrlError,
    PositionConflictError,
    UnsupportedError,
)
from evstore.model.conditions import violation_of
from evstore.model.facts import TagInfo, TypeInfo
from evstore.model.filters import Filter
from evstore.model.names import category_of
from evstore.model.versions import MAX_VERSION, check_version
from evstore.port import PLAIN, AlreadyStored, Capabilities, Page, Receipt
from evstore.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

    from evstore.model.conditions import Query
    from evstore.model.events import StoredEvent
    from evstore.model.facts import CategoryInfo, LockWait, SourceInfo, StoreInfo, StreamInfo
    from evstore.port import Append, Consumers, Initialization, NamePage, Outcome, Snapshots

CAPABILITIES: Final = Capabilities(
    name="memory",
    durable=False,
    how_durable="none: what is appended is gone when the command ends",
    multi_process=False,
    born_initialized=True,
    can_redact=True,
    has_consumers=True,
    steps_append=True,
    has_snapshots=True,
)


def connect(url: str, *, timeout: float = 30.0) -> MemoryAdapter:  # noqa: ARG001 - nothing here waits
    """The store of `memory:` or `memory:FILE.ndjson`. `timeout` is taken as by every adapter."""
    path = url.removeprefix("memory:")
    if path.startswith("//"):
        raise InvalidUrlError(f'"{redacted(url)}" is not a store in memory: use "memory:" or "memory:FILE.ndjson"')
    return MemoryAdapter(os.path.abspath(path) if path else "")


class MemoryAdapter:
    capabilities = CAPABILITIES
    files: Sequence[str] = ()
    notes: Sequence[str] = ()
    on_wait: Callable[[LockWait], None] | None = None

    def __init__(self, path: str = "") -> None:
        self.location = f"memory:{path}"
        self._path = path
        self._to_load = path  # read by the first call, as every adapter opens with the first call
        self._log: list[StoredEvent] = []
        self._ids: dict[str, StoredEvent] = {}
        self._streams: dict[str, list[StoredEvent]] = {}
        self._sources = MemorySources()
        self._consumers: Consumers | None = None
        self._snapshots = MemorySnapshots(self._opened, lambda: self._streams)
        self._changed = Condition()
        self._closed = False
        self._pid = os.getpid()

    def initialize(self, _wanted: Initialization = PLAIN) -> None:
        with self._opened():
            return

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        with self._opened():
            return answer_in_order(units, self._append, until_refused)

    def _append(self, unit: Append) -> Outcome:
        if self._path:
            return DeniedError(f"{self.location} can only be read: an appended event would be thrown away")
        first = len(self._log) + 1
        known = self._known(unit, first)
        if known is not None:
            return known
        versions: dict[str, int] = {}
        added: list[StoredEvent] = []
        firsts: list[int] = []
        times = repeat(time.time_ns() // 1000) if unit.times_us is None else iter(unit.times_us)
        for stream_id, events, expected in unit.writes:
            version = versions.get(stream_id, len(self._streams.get(stream_id, ())))
            try:
                check_version(stream_id, expected, version)
            except EvstoreError as refused:
                return refused
            firsts.append(version + 1)
            for event in events:
                version += 1
                added.append(stored(event, stream_id, version, first + len(added), next(times)))
            versions[stream_id] = version
        unmet = self._unmet(unit)
        if unmet is not None:
            return unmet
        self._log += added
        for each in added:
            self._ids[each.id] = each
            self._streams.setdefault(each.stream_id, []).append(each)
        self._sources.record(unit.source, len(self._log))
        self._changed.notify_all()
        return Receipt(first, len(added), firsts, added[0].timestamp_us)

    def _known(self, unit: Append, first: int) -> Outcome | None:
        """The answer that needs no look at versions."""
        held = [each for each in unit.ids() if each in self._ids]
        if held:
            return AlreadyStored(held)
        if unit.first_position not in (None, first):
            return PositionConflictError(unit.first_position, first)
        return self._sources.taken(unit.source)

    def _unmet(self, unit: Append) -> EvstoreError | None:
        """The refusal of the unit by its requirements and conditions."""
        for stream_id, expected in unit.requirements:
            try:
                check_version(stream_id, expected, len(self._streams.get(stream_id, ())))
            except EvstoreError as refused:
                return refused
        return violation_of(unit.conditions, self._first_match) if unit.conditions else None

    def _first_match(self, query: Query, after: int) -> int | None:
        found = page_of(self._log, attrgetter("global_position"), Page(1, after=after), Filter(query=query))
        return found[0].global_position if found else None

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        with self._opened():
            for each in ids:
                if each not in self._ids:
                    raise EventNotFoundError(each)
            outcome = self._append(unit)
            if isinstance(outcome, Receipt):
                for each in ids:
                    self._replace(self._redacted(self._ids[each], metadata=metadata))
                    self._snapshots.forget(self._ids[each].stream_id)
            return outcome

    _redacted = staticmethod(without_data)

    def _replace(self, event: StoredEvent) -> None:
        old = self._ids[event.id]
        self._ids[event.id] = event
        for events in (self._log, self._streams[event.stream_id]):
            events[events.index(old)] = event

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        with self._opened():
            return page_of(self._streams.get(stream_id, []), attrgetter("version"), page, where)

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        with self._opened():
            return page_of(self._log, attrgetter("global_position"), page, where)

    def count(self, low: int, high: int, where: Filter) -> int:
        return len(self.read_all(Page(MAX_VERSION, low=low, high=high), where))

    def digest(self, low: int, high: int) -> bytes:
        from evstore.port.digesting import digest_by_reading

        return digest_by_reading(self.read_all, low, high)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        with self._opened():
            return [self._ids[each] for each in ids if each in self._ids]

    def stream(self, stream_id: str) -> StreamInfo | None:
        with self._opened():
            events = self._streams.get(stream_id)
            return stream_info(stream_id, events) if events else None

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        with self._opened():
            ids = [i for i in self._streams if category is None or category_of(i) == category]
            return [stream_info(each, self._streams[each]) for each in names_of(ids, page)]

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        with self._opened():
            return categories_of(self._log, self._streams, page)

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        with self._opened():
            events = [e for e in self._log if category is None or e.category == category]
            return [TypeInfo(*each) for each in counts_of(((e.global_position, (e.type,)) for e in events), page)]

    def tags(self, page: NamePage) -> list[TagInfo]:
        with self._opened():
            return [TagInfo(*each) for each in counts_of(((e.global_position, e.tags) for e in self._log), page)]

    def sources(self, page: NamePage) -> list[SourceInfo]:
        with self._opened():
            return self._sources.page(page)

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        found = self.read_all(Page(limit=MAX_VERSION), Filter(since_us=since_us, until_us=until_us))
        return (found[0].global_position, found[-1].global_position) if found else None

    def head(self, beyond: int, timeout: float) -> int:
        with self._opened():
            wait_for(self._changed, lambda: self._closed or self._head() > beyond, timeout)
            self._check_open()
            return self._head()

    def _head(self) -> int:
        return self._log[-1].global_position if self._log else 0

    def consumers(self) -> Consumers:
        from evstore.adapters.memory_consumers import MemoryConsumers

        with self._opened():
            given = (self._opened, lambda: self._log, self._append, self._unappend, self.get)
            self._consumers = self._consumers or MemoryConsumers(*given)
            return self._consumers

    def snapshots(self) -> Snapshots:
        return self._snapshots

    def _unappend(self, head: int) -> None:
        """Take away the events after `head`, whose step failed."""
        self._sources.unrecord(head)
        while self._head() > head:
            event = self._log.pop()
            del self._ids[event.id]
            self._streams[event.stream_id].pop()
            if not self._streams[event.stream_id]:
                del self._streams[event.stream_id]

    def info(self) -> StoreInfo:
        with self._opened():
            return info_of(self._log, self.location, CAPABILITIES.how_durable)

    def backup(self, _path: str, _force: bool) -> NoReturn:
        raise UnsupportedError("a store in memory has no file to copy; evstore export writes its events to one")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._log, self._ids, self._streams, self._sources = [], {}, {}, MemorySources()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        check_process(self._pid)  # before the lock: another thread may have held it when this process began
        with self._changed:
            self._check_open()
            if self._to_load:
                self._load(self._to_load)
                self._to_load = ""
            yield

    def _load(self, path: str) -> None:
        from evstore.adapters.memory_file import events_of

        for event in events_of(path):
            self._log.append(event)
            self._ids[event.id] = event
            self._streams.setdefault(event.stream_id, []).append(event)

    def _check_open(self) -> None:
        check_open(self._closed, self._pid)
