"""The store: what applications and the command line call. All meaning is here or in `streams`; storage is not."""

from __future__ import annotations

import sys
from itertools import count
from os import fspath
from typing import TYPE_CHECKING, Any

from evstore.adapters.base import Append, Held, Page, Receipt
from evstore.errors import (
    EventNotFoundError,
    EvstoreError,
    InvalidInputError,
    NoEventsError,
    StoreClosedError,
    StreamNotFoundError,
    UnsupportedError,
)
from evstore.events import EventData, Filter, Metadata, StoredEvent, Write
from evstore.pages import (
    BY_POSITION,
    BY_VERSION,
    MOST_IN_PAGE,
    check_limit,
    events_of,
    filter_of,
    names_of,
    range_of,
    searchable,
)
from evstore.retries import Known, first_stored, in_turn, judged, looked_up, split, stored_now
from evstore.streams import (
    ANY_VERSION,
    check_expected_version,
    check_name,
    check_stream_id,
    check_version,
    key_id,
    normalize_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from os import PathLike
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from evstore.adapters.base import Adapter, Backup
    from evstore.events import CategoryInfo, StoreInfo, StreamInfo, TypeInfo
    from evstore.verify import Verification


class Appended(list[StoredEvent]):
    """The stored events of an append. `duplicate`: they had been stored before, and nothing was added."""

    duplicate: bool = False


def connect(url: str, *, max_data_bytes: int | None = None, **options: Any) -> EventStore:
    """The store at `memory:`, `sqlite:///path`, a bare path, `postgresql://…`, or the URL of an installed adapter.

    Nothing is opened before the first operation, and nothing is made before `initialize`. `max_data_bytes`
    bounds one event's data (16 MiB); `options` go to the adapter: `timeout` in seconds to wait for other writers
    (30), for PostgreSQL `pool_size`, the most connections at a time (10).
    """
    from evstore.adapters import open_adapter  # noqa: PLC0415 - the core knows no adapter

    return EventStore(open_adapter(url, **options), max_data_bytes=max_data_bytes)


class EventStore:
    """Append-only streams of events. A context manager; threads may share it, forked children may not."""

    def __init__(self, adapter: Adapter, *, max_data_bytes: int | None = None) -> None:
        self._adapter = adapter
        self._max_data_bytes = max_data_bytes
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def initialize(self) -> None:
        """Make the store if it is not there yet. Anything else at that place is left alone: SchemaError."""
        self._adapter.initialize()

    def close(self) -> None:
        """Free everything; subscriptions end. Closing twice is fine."""
        self._closed = True
        self._adapter.close()

    # --- appending ---

    def append(
        self,
        stream_id: str,
        events: Iterable[EventData],
        expected_version: int = ANY_VERSION,
        metadata: Metadata | None = None,
        *,
        key: str | None = None,
    ) -> Appended:
        """Store all the events or none, durably, and return them as stored.

        `metadata` fills the gaps of each event's own. Appending again with the same ids changes nothing and
        returns the events as first stored, flagged `duplicate`, whatever version the stream has by now. A `key`
        makes the ids of events that have none, always the same for the same stream, key and place in the append.
        Raises InvalidInputError, ConcurrencyError, StreamNotFoundError (STREAM_EXISTS), EventIdConflictError.
        """
        return self.append_many([Write(stream_id, events, expected_version)], metadata, key=key)  # type: ignore[arg-type]

    def append_many(
        self,
        writes: Iterable[Write | tuple[str, Sequence[EventData], int]],
        metadata: Metadata | None = None,
        *,
        key: str | None = None,
    ) -> Appended:
        """Store the events of several streams, all or none, contiguous and in the order given.

        A stream may come more than once; each expected version is judged where it stands.
        """
        unit = self.unit(writes, metadata, key=key)
        (outcome,) = self.submit([unit])
        if isinstance(outcome, EvstoreError):
            raise outcome
        stored = Appended(self.stored_of(unit, outcome))
        stored.duplicate = isinstance(outcome, Known) and outcome.duplicate
        return stored

    def unit(
        self,
        writes: Iterable[Write | tuple[str, Sequence[EventData], int]],
        metadata: Metadata | None = None,
        *,
        key: str | None = None,
    ) -> Append:
        """Check and complete an append without making it. Raises InvalidInputError."""
        if self._closed:
            raise StoreClosedError
        checked: list[Write] = []
        ids: set[str] = set()
        ordinals = count(1)
        ids_are_new = False
        for write in writes:
            stream_id, events, expected = Write(*write)
            check_stream_id(stream_id)
            if isinstance(events, EventData):
                raise InvalidInputError("events come in a list, also when there is only one")
            complete = []
            for event in events:
                made = None if key is None else key_id(stream_id, key, next(ordinals))
                complete.append(self.check(event, metadata, id=made))
                ids_are_new = ids_are_new or (made is None and event.id is None)
            if not complete:
                raise NoEventsError(f'no events to append to stream "{stream_id}"')
            check_expected_version(expected)
            for event in complete:
                assert event.id is not None
                if event.id in ids:
                    raise InvalidInputError(f"event id {event.id} comes twice in one append")
                ids.add(event.id)
            checked.append(Write(stream_id, complete, expected))
        if not checked:
            raise NoEventsError
        return Append(checked, ids_are_new=ids_are_new)

    def check(
        self,
        event: EventData,
        metadata: Metadata | None = None,
        *,
        id: str | None = None,
        data_is_kept: bool = False,
    ) -> EventData:
        """The event as it can be stored: its id made if absent, its metadata filled up. Or InvalidInputError.

        `id` is for an event that brings none. `data_is_kept`: its data came out of `jsontext.keep_json`, so that
        it need not be judged again.
        """
        if not isinstance(event, EventData):
            raise InvalidInputError(f"an event is an EventData, not {type(event).__name__}")
        if event.checked:
            return event
        from evstore.jsontext import MAX_DATA_BYTES, check_json  # noqa: PLC0415 - reading a log does not need them
        from evstore.wire import check_metadata  # noqa: PLC0415

        check_name("event type", event.type)
        text = event.data_json
        if not data_is_kept:
            text = check_json(text, self._max_data_bytes or MAX_DATA_BYTES)
        own = event.metadata
        check_metadata(own)
        if metadata is not None:
            check_metadata(metadata)
            own = own.over(metadata)
            check_metadata(own)  # together they may be too large
        event_id = (id or new_id()) if event.id is None else normalize_id(event.id)
        return EventData.from_json(event.type, text, own, event_id, checked=True)

    def submit(self, units: Sequence[Append]) -> list[Receipt | Known | EvstoreError]:
        """Append units made by `unit`, each judged as if alone, in one durable commit; say what came of each.
        Raises where nothing is known to be stored.

        For those who append much: what comes back is ranges, not events.
        """
        outcomes = self._adapter.append(units)
        return [judged(self._adapter, unit, each) for unit, each in zip(units, outcomes, strict=True)]

    def submit_in_turn(self, units: Sequence[Append]) -> Iterator[Receipt | Known]:
        """Append units of one event each, as if one after the other, though they share commits.

        Yields what is durable. The first that is refused is raised, and none behind it was made.
        """
        return in_turn(self._adapter, units)

    def split_stored(self, writes: Iterable[Write]) -> Iterator[tuple[Write, StoredEvent | None]]:
        """Each write of one event, with the event as first stored if it is stored and the same."""
        return split(self._adapter, writes)

    def stored_of(self, unit: Append, outcome: Receipt | Known) -> Iterator[StoredEvent]:
        """The events of a unit as they are stored, after `submit`."""
        if isinstance(outcome, Receipt):
            return stored_now(unit, outcome)
        return first_stored(self._adapter, unit, Held([outcome.first.id]))

    def judge(self, unit: Append) -> bool:
        """Raise what appending the unit would raise now; nothing is written. Whether it would be stored: what is
        there already would not."""
        held = next((found for _, _, found in looked_up(self._adapter, unit.writes) if found), None)
        if held is not None:
            for _ in first_stored(self._adapter, unit, Held([held.id])):
                continue
            return False
        versions: dict[str, int] = {}
        for stream_id, events, expected in unit.writes:
            if stream_id not in versions:
                info = self._adapter.stream(stream_id)
                versions[stream_id] = info.version if info else 0
            check_version(stream_id, expected, versions[stream_id])
            versions[stream_id] += len(events)
        return True

    # --- reading ---

    def read(
        self,
        stream_id: str,
        *,
        after: int | None = 0,
        to: int | None = None,
        limit: int | None = None,
        backward: bool = False,
        types: Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[StoredEvent]:
        """A stream's events by version, lazily. A missing stream is empty.

        `after` (exclusive) and `to` (inclusive) are versions and bound the range whatever the direction;
        `since` is inclusive, `until` exclusive; `limit` counts what comes out, 0 gives nothing.
        """
        check_stream_id(stream_id)
        where = filter_of(types=types, since=since, until=until)
        page = range_of(after, to, backward)
        return events_of(lambda p: self._adapter.read_stream(stream_id, p, where), page, limit, BY_VERSION)

    def replay(
        self,
        categories: Iterable[str] | None = None,
        *,
        after: int | None = 0,
        to: int | None = None,
        limit: int | None = None,
        backward: bool = False,
        types: Iterable[str] | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[StoredEvent]:
        """The log of these categories, or all of it, by global position, up to the end it has now, lazily.

        `after` (exclusive) and `to` (inclusive) are global positions; the rest as in `read`.
        """
        where = filter_of(categories, types, correlation_id, since, until)
        page = range_of(after, to, backward)
        check_limit(limit)

        def read() -> Iterator[StoredEvent]:
            narrowed = self._narrowed(page, where)
            if narrowed:
                yield from events_of(lambda p: self._adapter.read_all(p, where), narrowed, limit, BY_POSITION)

        return read()

    def _narrowed(self, page: Page, where: Filter) -> Page | None:
        """End at the head of now, so that a replay ends while others append; begin where the time does."""
        head = self._adapter.head(-1, 0)
        low, high = page.low, min(page.high, head)
        if where.since_us is not None or where.until_us is not None:
            span = self._adapter.span(where.since_us, where.until_us)
            if span is None:
                return None
            low, high = max(low, span[0]), min(high, span[1])
        return page._replace(low=low, high=high)

    def subscribe(
        self,
        categories: Iterable[str] | None = None,
        *,
        stream_id: str | None = None,
        after: int | None = 0,
        types: Iterable[str] | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> Iterator[StoredEvent]:
        """History after a position (a version, with `stream_id`), then live events, without gap or duplicate.

        Ends when the store is closed, after `timeout` seconds without an event, or when `time.monotonic()`
        has reached `deadline`.
        """
        from evstore.follow import Patience, follow_log, follow_stream  # noqa: PLC0415 - a plain read does not wait

        self._adapter.head(-1, 0)  # a store that is closed already is an error here, later it is the end
        if stream_id is None:
            where = filter_of(categories, types, correlation_id, since)
            return follow_log(
                self._adapter, where, range_of(after, None, False).low - 1, Patience(timeout, deadline)
            )
        if categories is not None or correlation_id is not None:
            raise InvalidInputError("a subscription is to one stream, or to the log and its filters, not both")
        check_stream_id(stream_id)
        low = range_of(after, None, False).low
        where = filter_of(types=types, since=since)
        return follow_stream(self._adapter, stream_id, where, low - 1, Patience(timeout, deadline))

    def get(self, event_id: str | UUID) -> StoredEvent:
        """The event with this id, else EventNotFoundError."""
        wanted = normalize_id(event_id)
        found = self._adapter.get([wanted])
        if not found:
            raise EventNotFoundError(wanted)
        return found[0]

    def get_many(self, ids: Iterable[str | UUID]) -> dict[str, StoredEvent]:
        """The events that have these ids, by id and in their order; those that are not there are left out."""
        wanted = [normalize_id(each) for each in ids]
        pages = (wanted[at : at + MOST_IN_PAGE] for at in range(0, len(wanted), MOST_IN_PAGE))
        found = {event.id: event for page in pages for event in self._adapter.get(page)}
        return {each: found[each] for each in wanted if each in found}

    def head(self) -> int:
        """The global position of the last event, 0 if there is none."""
        return self._adapter.head(-1, 0)

    # --- lists and facts ---

    def stream_info(self, stream_id: str) -> StreamInfo:
        """Version, category and times of a stream, else StreamNotFoundError."""
        check_stream_id(stream_id)
        found = self._adapter.stream(stream_id)
        if found is None:
            raise StreamNotFoundError(stream_id)
        return found

    def streams(self, category: str | None = None, *, prefix: str = "") -> Iterator[StreamInfo]:
        """Streams by id, in code point order, lazily."""
        if category is not None:
            searchable("the category", category)
        return names_of(lambda page: self._adapter.streams(page, category), prefix)

    def categories(self, *, prefix: str = "") -> Iterator[CategoryInfo]:
        """Categories by name, in code point order, lazily."""
        return names_of(self._adapter.categories, prefix)

    def types(self, category: str | None = None, *, prefix: str = "") -> Iterator[TypeInfo]:
        """Event types by name, in code point order, with counts."""
        if category is not None:
            searchable("the category", category)
        return names_of(lambda page: self._adapter.types(page, category), prefix)

    def info(self) -> StoreInfo:
        """What the store is, where it lies, how much it holds."""
        return self._adapter.info()

    # --- keeping ---

    def verify(
        self,
        *,
        after: int = 0,
        expect: str | None = None,
        engine: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Verification:
        """Whether the store contradicts itself, as of the head it has when the first finding is asked for.

        `expect`: the digest that an earlier verification told. `engine`: also with the engine's own check.
        `on_progress` hears, page after page, how many positions are done, and how many there are.
        """
        from evstore.audits import audits_of  # noqa: PLC0415
        from evstore.verify import Verification  # noqa: PLC0415

        parts = (self._adapter, audits_of(self._adapter))
        return Verification(*parts, after=after, expect=expect, engine=engine, on_progress=on_progress)

    def backup(self, path: str | PathLike[str], *, force: bool = False) -> Backup:
        """Copy the store, while it is in use, to a new file; with `force` also over another.

        Raises UnsupportedError where that is not evstore's to do.
        """
        copy = getattr(self._adapter, "backup", None)
        if copy is None:
            raise UnsupportedError("the adapter of this store makes no backups")
        made: Backup = copy(fspath(path), force)
        return made


def new_id() -> str:
    """A fresh UUIDv7: ids made one after the other are neighbours in the index."""
    if sys.version_info >= (3, 14):
        from uuid import uuid7  # noqa: PLC0415
    else:
        from uuid_utils import uuid7  # noqa: PLC0415
    return str(uuid7())
