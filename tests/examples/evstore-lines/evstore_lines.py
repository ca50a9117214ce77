"""An adapter for evstore: the whole log in one file of JSON lines, for one process at a time.

    evstore --db lines:log.ndjson init

The first line names the format. Each further line is a unit, as a list of its events in evstore's wire form, with
the source that it took. A line is written and synced at once; what a crash leaves of one is no line, and is cut off.
Everything is read into memory when the store is opened.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from itertools import islice, repeat
from operator import attrgetter
from threading import Condition
from typing import TYPE_CHECKING, Any, NoReturn

from evstore import (
    CategoryInfo,
    DeniedError,
    EvstoreError,
    NotAStoreError,
    NotInitializedError,
    PositionConflictError,
    SourceInfo,
    StorageFullError,
    StoreBusyError,
    StoreClosedError,
    StoredEvent,
    StoreInfo,
    StreamInfo,
    TagInfo,
    TypeInfo,
    UnavailableError,
    UnsupportedError,
    category_of,
)
from evstore.port import (
    PLAIN,
    AlreadyStored,
    Append,
    Capabilities,
    Filter,
    Initialization,
    NamePage,
    Outcome,
    Page,
    Receipt,
    bounds_of,
    check_version,
    digest_by_reading,
    source_taken,
    violation_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore import Query

FORMAT = '{"format":"evstore-lines","version":1}\n'


def connect(url: str, *, timeout: float = 30.0) -> LinesAdapter:
    """The adapter for `lines:PATH`."""
    return LinesAdapter(os.path.abspath(url.partition(":")[2]), timeout)


class LinesAdapter:
    capabilities = Capabilities(
        name="lines",
        durable=True,
        how_durable="the line of an append is synced to disk before the append returns",
        multi_process=False,
    )
    notes: Sequence[str] = ()
    on_wait: Callable[[Any], None] | None = None

    def __init__(self, path: str, timeout: float) -> None:
        self.location = path
        self.files = (path,)
        self._timeout = timeout
        self._file = -1
        self._log: list[StoredEvent] = []
        self._ids: dict[str, StoredEvent] = {}
        self._streams: dict[str, list[StoredEvent]] = {}
        self._sources: dict[str, SourceInfo] = {}
        self._changed = Condition()
        self._closed = False
        self._pid = os.getpid()

    # --- living ---

    def initialize(self, wanted: Initialization = PLAIN) -> None:
        self._check_open()
        with self._changed, _translated(self.location):
            if self._file < 0:
                try:
                    new = os.open(self.location, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                except FileExistsError:
                    pass
                else:
                    os.write(new, FORMAT.encode())
                    os.fsync(new)
                    os.close(new)
            self._open()

    def _open(self) -> None:
        if self._file >= 0:
            return
        try:
            file = os.open(self.location, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            raise NotInitializedError(self.location) from None
        try:
            self._lock(file)
            self._load(file)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _lock(self, file: int) -> None:
        until = time.monotonic() + self._timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise StoreBusyError(f"another process has {self.location} open") from None
                time.sleep(0.01)
            else:
                return

    def _load(self, file: int) -> None:
        with open(file, "rb", closefd=False) as lines:
            if lines.readline() != FORMAT.encode():
                raise NotAStoreError(self.location, "its first line is another")
            end = lines.tell()
            for line in lines:
                if not line.endswith(b"\n"):
                    os.ftruncate(file, end)
                    break
                end += len(line)
                unit = json.loads(line)
                self._add([StoredEvent.from_json(each) for each in unit["events"]], unit["source"])

    def close(self) -> None:
        with self._changed:
            self._closed = True
            if self._file >= 0 and self._pid == os.getpid():
                os.close(self._file)
            self._file = -1
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError
        if self._pid != os.getpid():
            raise StoreClosedError("the store was opened before this process was forked", forked=True)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        self._check_open()
        with self._changed, _translated(self.location):
            self._check_open()
            self._open()
            yield

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with self._opened():
            for unit in units:
                outcomes.append(self._append(unit))
                if until_refused and not isinstance(outcomes[-1], Receipt):
                    break
            self._changed.notify_all()
        return outcomes

    def _append(self, unit: Append) -> Outcome:
        first = len(self._log) + 1
        held = [each for each in unit.ids() if each in self._ids]
        if held:
            return AlreadyStored(held)
        if unit.first_position not in (None, first):
            return PositionConflictError(unit.first_position, first)
        last = self._sources.get(unit.source.name) if unit.source else None
        taken = source_taken(unit.source, last and last.position)
        if taken is not None:
            return taken
        try:
            events, firsts = self._numbered(unit, first)
        except EvstoreError as refused:
            return refused
        if unit.conditions:
            violation = violation_of(unit.conditions, self._first_match)
            if violation is not None:
                return violation
        self._write(events, unit.source)
        self._add(events, unit.source)
        return Receipt(first, len(events), firsts, events[0].timestamp_us)

    def _numbered(self, unit: Append, first: int) -> tuple[list[StoredEvent], list[int]]:
        times = iter(unit.times_us) if unit.times_us is not None else repeat(time.time_ns() // 1000)
        versions: dict[str, int] = {}
        events: list[StoredEvent] = []
        firsts: list[int] = []
        for stream_id, given, expected in unit.writes:
            version = versions.get(stream_id, self._version(stream_id))
            check_version(stream_id, expected, version)
            firsts.append(version + 1)
            for each in given:
                version += 1
                texts = (each.type, each.data_json, each.metadata_json)
                numbers = (version, first + len(events), next(times))
                events.append(StoredEvent(each.id, stream_id, *texts, *numbers, each.joined_tags, each.redacted))
            versions[stream_id] = version
        for stream_id, expected in unit.requirements:
            check_version(stream_id, expected, self._version(stream_id))
        return events, firsts

    def _version(self, stream_id: str) -> int:
        return len(self._streams.get(stream_id, ()))

    def _first_match(self, query: Query, after: int) -> int | None:
        where = Filter(query=query)
        return next((e.global_position for e in self._log[after:] if where.matches(e)), None)

    def _write(self, events: Sequence[StoredEvent], source: Any) -> None:
        line = json.dumps({"events": [each.to_json() for each in events], "source": source}) + "\n"
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            rest = memoryview(line.encode())
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except BaseException:
            os.ftruncate(self._file, end)
            raise

    def _add(self, events: Sequence[StoredEvent], source: Any) -> None:
        self._log += events
        for each in events:
            self._ids[each.id] = each
            self._streams.setdefault(each.stream_id, []).append(each)
        if source:
            name, position = source
            self._sources[name] = SourceInfo(name, position, len(self._log))

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        raise UnsupportedError("a store of lines redacts nothing")

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        with self._opened():
            return _page(self._streams.get(stream_id, []), attrgetter("version"), page, where)

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        with self._opened():
            return _page(self._log, attrgetter("global_position"), page, where)

    def count(self, low: int, high: int, where: Filter) -> int:
        with self._opened():
            return sum(low <= each.global_position <= high and where.matches(each) for each in self._log)

    def digest(self, low: int, high: int) -> bytes:
        return digest_by_reading(self.read_all, low, high)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        with self._opened():
            return [self._ids[each] for each in ids if each in self._ids]

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        where = Filter(since_us=since_us, until_us=until_us)
        with self._opened():
            found = [each.global_position for each in self._log if where.matches(each)]
        return (found[0], found[-1]) if found else None

    def head(self, beyond: int, timeout: float) -> int:
        with self._opened():
            self._changed.wait_for(lambda: self._closed or len(self._log) > beyond, timeout)
            self._check_open()
            return len(self._log)

    # --- lists and facts ---

    def stream(self, stream_id: str) -> StreamInfo | None:
        with self._opened():
            return self._info(stream_id) if stream_id in self._streams else None

    def _info(self, stream_id: str) -> StreamInfo:
        first, last = self._streams[stream_id][0], self._streams[stream_id][-1]
        times = first.timestamp_us, last.timestamp_us
        return StreamInfo(stream_id, category_of(stream_id), last.version, *times, last.type)

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        with self._opened():
            wanted = (each for each in self._streams if category in (None, category_of(each)))
            return [self._info(each) for each in _names(wanted, page)]

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        with self._opened():
            found = []
            for name in _names({category_of(each) for each in self._streams}, page):
                streams = sum(category_of(each) == name for each in self._streams)
                events = [each for each in self._log if each.category == name]
                ends = events[0].global_position, events[-1].global_position
                found.append(CategoryInfo(name, streams, len(events), *ends, events[-1].timestamp_us))
            return found

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        with self._opened():
            its = ((e.global_position, [e.type]) for e in self._log if category in (None, e.category))
            return [TypeInfo(*each) for each in _counts(its, page)]

    def tags(self, page: NamePage) -> list[TagInfo]:
        with self._opened():
            return [TagInfo(*each) for each in _counts(((e.global_position, e.tags) for e in self._log), page)]

    def sources(self, page: NamePage) -> list[SourceInfo]:
        with self._opened():
            return [self._sources[name] for name in _names(self._sources, page)]

    def info(self) -> StoreInfo:
        with self._opened():
            return StoreInfo(
                backend="lines",
                backend_version="1",
                location=self.location,
                schema_version=1,
                streams=len(self._streams),
                categories=len({category_of(each) for each in self._streams}),
                head=len(self._log),
                size_bytes=os.fstat(self._file).st_size,
                durability={"synced": True},
                warnings=(),
                missing=0,
                durable=True,
                how_durable=self.capabilities.how_durable,
            )

    def backup(self, path: str, force: bool) -> NoReturn:
        raise UnsupportedError(f"a store of lines is one file, {self.location}: copy it while nobody appends")


@contextmanager
def _translated(location: str) -> Iterator[None]:
    """The errors of the operating system as those of evstore."""
    try:
        yield
    except PermissionError as error:
        raise DeniedError(f"{location}: {error.strerror}") from error
    except OSError as error:
        kind = StorageFullError if error.errno in (28, 122) else UnavailableError
        raise kind(f"{location}: {error.strerror}") from error


def _page(
    events: Sequence[StoredEvent], at: Callable[[StoredEvent], int], page: Page, where: Filter
) -> list[StoredEvent]:
    low, high = bounds_of(page)
    inside = range(bisect_left(events, low, key=at), bisect_right(events, high, key=at))
    wanted = (events[n] for n in (reversed(inside) if page.backward else inside) if where.matches(events[n]))
    return [*islice(wanted, page.limit)]


def _names(names: Iterable[str], page: NamePage) -> list[str]:
    found = (each for each in names if each.startswith(page.prefix) and (page.after is None or each > page.after))
    return sorted(found)[: page.limit]


def _counts(named: Iterable[tuple[int, Iterable[str]]], page: NamePage) -> list[tuple[str, int, int, int]]:
    positions: dict[str, list[int]] = {}
    for position, names in named:
        for name in names:
            positions.setdefault(name, []).append(position)
    return [
        (name, len(positions[name]), positions[name][0], positions[name][-1]) for name in _names(positions, page)
    ]
