"""EventStore, the façade that applications and the command line call."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from os import fspath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from evstore.appending.appender import Appender
from evstore.appending.outcomes import Duplicate
from evstore.errors import (
    EventNotFoundError,
    EvstoreError,
    IncompleteLogError,
    InvalidInputError,
    StoreClosedError,
    StreamNotFoundError,
    UnsupportedError,
)
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.model.ids import normalize_id
from evstore.model.names import check_known_stream_id, check_name
from evstore.model.versions import ANY_VERSION
from evstore.observing import is_watched, watched_append
from evstore.port import MOST_IN_PAGE, Initialization, Page, SourceTaken
from evstore.reading.anchoring import steady
from evstore.reading.pages import BY_POSITION, BY_VERSION, Paged, events_of, names_of, pages_of
from evstore.reading.ranges import check_limit, filter_of, range_of, searchable, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from os import PathLike
    from types import TracebackType
    from typing import Self, TypeAlias, TypedDict, Unpack
    from uuid import UUID

    from evstore.application.aggregate import Aggregate
    from evstore.application.aggregates import Aggregates
    from evstore.application.codec import Codec
    from evstore.application.converting import Converter
    from evstore.application.snapshots import SnapshotKeeper
    from evstore.comparing import Comparison
    from evstore.consumers.consumer import Consumer
    from evstore.consumers.overview import ConsumerList
    from evstore.consumers.projecting import ProjectionRunner
    from evstore.consumers.projections import Projection
    from evstore.consumers.transactions import Nesting
    from evstore.mirroring import Mirrored
    from evstore.model.conditions import AppendCondition, Query
    from evstore.model.events import EventData, NewWrite
    from evstore.model.facts import (
        Backup,
        CategoryInfo,
        LockWait,
        Migration,
        SourceInfo,
        StoreInfo,
        StreamInfo,
        TagInfo,
        TypeInfo,
    )
    from evstore.model.metadata import Metadata
    from evstore.model.raw import RawPage
    from evstore.port import Adapter, Append, Capabilities
    from evstore.verifying.verification import Verification

    Guard: TypeAlias = Query | AppendCondition | "Decision"
    Unless: TypeAlias = Guard | Iterable[Guard] | None

    A = TypeVar("A", bound=Aggregate)

    class AppendOptions(TypedDict, total=False):
        """Those of `EventStore.append` for events that have their ids."""

        tags: Iterable[str]
        unless: Unless
        require: Iterable[tuple[str, int]]
        source: tuple[str, int] | None


S = TypeVar("S")


class Appended(list[StoredEvent]):
    """The stored events of an append. `duplicate`: an earlier append stored them, and this one added nothing.

    It is empty if an earlier append took the source that far.
    """

    duplicate: bool = False


class Loaded(list[Any]):
    """The events of a stream as an application knows them. `version`: the last version that was read."""

    version: int = 0


class Decision(NamedTuple):
    """The events that a decision rests on. As `unless` of an append it admits no further event of this kind."""

    query: Query
    after: int
    """The head of the log up to which the events were read."""
    events: tuple[StoredEvent, ...]


class EventStore:
    """Append-only streams of events. A context manager; threads may share it, forked children may not."""

    def __init__(
        self,
        adapter: Adapter,
        *,
        max_data_bytes: int | None = None,
        on_wait: Callable[[LockWait], None] | None = None,
        codec: Codec | None = None,
    ) -> None:
        self._adapter = adapter
        if on_wait is not None:
            adapter.on_wait = on_wait
        self._closed = False
        self._nesting: Nesting | None = None  # made by the first consumer
        self._codec = codec
        self._snapshots: SnapshotKeeper | None = None
        self.appender = Appender(adapter, max_data_bytes, self._encoded)
        """Appends in bulk, in units and receipts instead of events; for use inside evstore."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def initialize(
        self, *, tamper_evident: bool = False, grant_read: Iterable[str] = (), grant_append: Iterable[str] = ()
    ) -> None:
        """Make the store unless it exists. Raises SchemaError, and changes nothing, if something else is there.

        `tamper_evident`, for the life of the store, keeps with each event the digest of the log up to it. The
        others give roles of the server the rights that they need to read, or to read and append, also where the
        store exists. Raises RoleNotFoundError, and UnsupportedError where a store cannot have that, or exists
        without digests.
        """
        readers, appenders = (strings("a role", names) for names in (grant_read, grant_append))
        if tamper_evident and not self.capabilities.tamper_evident:
            raise UnsupportedError(f"a store of {self.capabilities.name} cannot be tamper-evident")
        if (readers or appenders) and not self.capabilities.can_grant:
            raise _no_roles(self._adapter)
        self._adapter.initialize(Initialization(tamper_evident, readers, appenders))

    def close(self) -> None:
        """Free all resources and end subscriptions. Closing twice is fine."""
        self._closed = True
        self._adapter.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError

    # --- appending ---

    def append(
        self,
        stream_id: str,
        events: Iterable[Any],
        expected_version: int = ANY_VERSION,
        metadata: Metadata | None = None,
        *,
        key: str | None = None,
        tags: Iterable[str] = (),
        unless: Unless = None,
        require: Iterable[tuple[str, int]] = (),
        source: tuple[str, int] | None = None,
        connection: Any = None,
    ) -> Appended:
        """Store all the events or none, durably, and return them as stored.

        An event is an EventData, or an object of a class that `event` names. `metadata` fills the gaps of each
        event's own, and `evstore.metadata` those that are left. Appending again with the same ids changes nothing
        and returns the events as first stored, flagged `duplicate`, whatever version the stream has by now. A
        `key` makes the ids of events that have none, always the same for the same stream, key and place in the
        append. `tags` are added to those of each event.

        `unless` refuses the append if the store holds an event that a Query matches; of an AppendCondition or of
        what `decide` gave, one after that position. `require` names versions of streams that are not written.

        `source`, as ("orders.csv", 17), is recorded with the events: how far an outside source was taken. If its
        position is not greater than the last one of that name, nothing is stored, and the result is empty and
        flagged `duplicate`.

        `connection`, of the driver (sqlite3 or psycopg) and to the database of the store, appends in the
        transaction that it is in, or that the driver would begin for an INSERT. The events are stored with the
        application's COMMIT, and nothing is after its ROLLBACK; until then no other writer of the store goes on,
        and an append without `connection` in this thread would wait for itself. If this raises, the transaction is
        as it was. PostgreSQL: nobody is notified, so whoever follows sees the events with the next poll.

        Raises InvalidInputError, CodecError, ConcurrencyError, StreamNotFoundError (STREAM_EXISTS),
        AppendConditionError, EventIdConflictError; with `connection` also UnsupportedError, in memory.
        """
        return self.append_many(
            [(stream_id, events, expected_version)],  # type: ignore[list-item]
            metadata,
            key=key,
            tags=tags,
            unless=unless,
            require=require,
            source=source,
            connection=connection,
        )

    def append_many(
        self,
        writes: Iterable[NewWrite],
        metadata: Metadata | None = None,
        *,
        key: str | None = None,
        tags: Iterable[str] = (),
        unless: Unless = None,
        require: Iterable[tuple[str, int]] = (),
        source: tuple[str, int] | None = None,
        connection: Any = None,
    ) -> Appended:
        """Store the events of several streams, all or none, contiguous and in the order given.

        A stream may come more than once; each expected version is judged where it stands. The rest as in `append`.
        """
        self._check_open()
        if self._nesting is not None:
            self._nesting.check()
        guards = {"unless": unless, "require": require, "source": source}
        unit = self.appender.unit(writes, metadata, key=key, tags=tags, **guards)
        if is_watched():
            name = self._adapter.capabilities.name
            return watched_append(unit, name, lambda: self._appended(unit, connection))
        return self._appended(unit, connection)

    def _appended(self, unit: Append, connection: Any) -> Appended:
        outcome, events = self.appender.append(unit, connection)
        stored = Appended(events)
        taken = isinstance(outcome, SourceTaken)
        stored.duplicate = taken or (isinstance(outcome, Duplicate) and outcome.by_earlier_append)
        return stored

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
        tags: Iterable[str] | None = None,
    ) -> Iterator[StoredEvent]:
        """A stream's events by version, lazily. A missing stream is empty.

        `after` (exclusive) and `to` (inclusive) are versions and bound the range whatever the direction;
        `since` is inclusive, `until` exclusive; `limit` counts what comes out, 0 gives nothing.
        """
        check_known_stream_id(stream_id)
        where = filter_of(types=types, since=since, until=until, tags=tags)
        page = range_of(after, to, backward)
        fetch = steady(self._adapter, lambda p: self._adapter.read_stream(stream_id, p, where), BY_VERSION)
        return events_of(fetch, page, limit, BY_VERSION)

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
        user_id: str | None = None,
        tenant_id: str | None = None,
        custom: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        tags: Iterable[str] | None = None,
        query: Query | Iterable[Query] | None = None,
    ) -> Iterator[StoredEvent]:
        """The log of these categories, or all of it, by global position, up to the end it has now, lazily.

        `after` (exclusive) and `to` (inclusive) are global positions; the rest as in `read`. Filters are ANDed;
        `custom` asks for each of its keys and values in the metadata, `tags` for each tag, `query` for what one of
        the queries matches.
        """
        where = filter_of(categories, types, correlation_id, since, until, user_id, tenant_id, custom, tags, query)
        page = range_of(after, to, backward)
        check_limit(limit)

        def pages() -> Generator[list[StoredEvent], None, None]:
            narrowed = self._narrowed(page, where)
            if narrowed:
                fetch = steady(self._adapter, lambda p: self._adapter.read_all(p, where), BY_POSITION)
                yield from pages_of(fetch, narrowed, limit, BY_POSITION)

        def raw_pages() -> Iterator[RawPage]:
            from evstore.reading.raw import raw_pages_of

            narrowed = self._narrowed(page, where)
            return raw_pages_of(self._adapter, narrowed, limit) if narrowed else iter(())

        found = Paged.of(pages())
        if self._adapter.capabilities.reads_raw and where == Filter():
            found.raw_pages = raw_pages
        return found

    # --- events and objects of the application ---

    @cached_property
    def _converter(self) -> Converter:
        from evstore.application.converting import Converter

        # Two threads that need it first at the same time must get the same.
        made: Converter = vars(self).setdefault("_converter", Converter(self._codec))
        return made

    def _encoded(self, event: Any) -> EventData:
        return self._converter.encode(event)

    def register(self, *classes: type) -> None:
        """Let `load` make events of these classes, which `event` names. Registering one twice is fine.

        Raises UnknownEventTypeError for a class without a name, InvalidInputError where two have the same, or
        where an upcaster leads beyond the version of a class.
        """
        self._converter.register(*classes)

    def upcaster(
        self,
        event_type: str,
        from_version: int = 1,
        *,
        to: str | Iterable[str] | None = None,
        to_version: int | None = None,
    ) -> Callable[[S], S]:
        """Decorate a function that makes the data of the next schema version, whenever an event is loaded.

        `function(data)`, or `function(data, stored)`, gets the data as `StoredEvent.data` has it, and returns that
        of version `from_version` + 1. `to` names another event type, of version `to_version` (1), or several: then
        the function returns a list of `Upcast`, empty to leave the event out. Nothing that is stored changes.

        Raises InvalidInputError for a second upcaster from there, one that closes a circle, and one that leads
        beyond the version of a registered class.
        """

        def taken(function: S) -> S:
            self._converter.add_upcaster(event_type, from_version, function, to, to_version)  # type: ignore[arg-type]
            return function

        return taken

    def decode(self, stored: StoredEvent, *, strict: bool = False) -> tuple[Any, ...]:
        """The application's event, or the several or none that an upcaster makes of it.

        An event whose type is not registered stays a StoredEvent, or raises UnknownEventTypeError if `strict`; one
        that was redacted stays it always. Raises CodecError, and UpcastGapError where an upcaster is missing.
        """
        ((_, found),) = self._converter.each([stored], strict=strict)
        return tuple(found)

    def load(
        self,
        stream_id: str,
        *,
        strict: bool = False,
        after: int | None = 0,
        to: int | None = None,
        limit: int | None = None,
        backward: bool = False,
        types: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> Loaded:
        """A stream's events as objects of the registered classes, in a list. A missing stream is empty.

        Its `version` is the last one that was read, for the append that follows. Events are decoded as `decode`
        does; the rest as in `read`.
        """
        loaded = Loaded()
        found = self.read(stream_id, after=after, to=to, limit=limit, backward=backward, types=types, tags=tags)
        for stored, events in self._converter.each(found, strict=strict):
            loaded += events
            loaded.version = max(loaded.version, stored.version)
        return loaded

    def fold(self, stream_id: str, initial: S, function: Callable[[S, Any], S], *, strict: bool = False) -> S:
        """The state of a stream: `function(state, event)` for each event that `load` gives, from `initial` on."""
        state = initial
        for _, events in self._converter.each(self.read(stream_id), strict=strict):
            for event in events:
                state = function(state, event)
        return state

    def load_aggregate(self, cls: type[A], id: str, *, to: int | None = None) -> A:
        """The aggregate as the events of its stream make it, up to version `to`; at version 0 without a stream.

        Raises InvalidInputError, CodecError, and what a method of the class raises.
        """
        return self._aggregates.load(cls, id, to)

    def save_aggregate(
        self, aggregate: Aggregate, metadata: Metadata | None = None, **options: Unpack[AppendOptions]
    ) -> Appended:
        """Append what the aggregate recorded, after the version that it was loaded or saved at, and return it.

        Without recorded events nothing is written, and the result is empty. Afterwards the aggregate can go on.
        One that could not be saved keeps its events; saving it again stores none of them twice. `options` as in
        `append`. Raises ConcurrencyError if its stream has another version by now.
        """
        if not aggregate.pending:
            return Appended()
        saved = [*self._aggregates.save(aggregate, lambda writes: self.append_many(writes, metadata, **options))]
        found = Appended(event for each in saved for event in each)
        found.duplicate = all(each.duplicate for each in saved)
        return found

    @overload
    def update(
        self,
        cls: type[A],
        id: str,
        change: Callable[[A], object],
        /,
        *,
        tries: int = 10,
        metadata: Metadata | None = None,
    ) -> A: ...

    @overload
    def update(
        self,
        query: Query,
        decide: Callable[[Decision], Iterable[NewWrite] | None],
        /,
        *,
        tries: int = 10,
        metadata: Metadata | None = None,
    ) -> Appended: ...

    def update(
        self, what: Any, given: Any, change: Any = None, /, *, tries: int = 10, metadata: Metadata | None = None
    ) -> Any:
        """Load an aggregate, change it, save it and return it, as `update(Order, "1", lambda order: …)`.

        With a query, `update(query, decide)` appends the writes that `decide(decision)` returns, unless an event
        that the query matches came meanwhile; None and no writes append nothing.

        What loses a race is done anew with what is there then, in all `tries` times, after short pauses; then
        ConcurrencyError or AppendConditionError is raised. What the function raises leaves `update` at once.
        """
        from evstore.application.aggregates import again

        def decided() -> Callable[[], Appended]:
            decision = self.decide(what)
            writes = [*(given(decision) or ())]
            return lambda: self.append_many(writes, metadata, unless=decision) if writes else Appended()

        def changed() -> Callable[[], Aggregate]:
            aggregate = self.load_aggregate(what, given)
            change(aggregate)

            def saved() -> Aggregate:
                self.save_aggregate(aggregate, metadata)
                return aggregate  # type: ignore[no-any-return]

            return saved

        return again(tries, changed if isinstance(what, type) else decided)

    def snapshots(self, every: int) -> None:
        """Let aggregates be loaded from snapshots, and keep one whenever so many events were saved since the last.

        A snapshot is a cache: it is used only if its stream has the same event at its version, and its class the
        same code. State that would not come back as it is has none, which the logger `evstore` reports once.

        Raises UnsupportedError where the store keeps none, InvalidInputError for less than 1.
        """
        from evstore.application.snapshots import keeper

        self._snapshots = keeper(self._adapter, self._converter, every)

    @property
    def _aggregates(self) -> Aggregates:
        from evstore.application.aggregates import Aggregates

        return Aggregates(self._adapter, self._converter, self._snapshots)

    def decide(self, query: Query) -> Decision:
        """The events that the query matches, and the head up to which they were read.

        `append(…, unless=decision)` then succeeds only if no such event came since. All of them are in memory.
        """
        after = self.head()
        return Decision(query, after, tuple(self.replay(query=query, to=after)))

    def count(
        self,
        categories: Iterable[str] | None = None,
        *,
        after: int | None = 0,
        to: int | None = None,
        types: Iterable[str] | None = None,
        correlation_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: str | None = None,
        tenant_id: str | None = None,
        custom: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        tags: Iterable[str] | None = None,
        query: Query | Iterable[Query] | None = None,
    ) -> int:
        """The number of events that `replay` with these arguments yields; no data is read."""
        where = filter_of(categories, types, correlation_id, since, until, user_id, tenant_id, custom, tags, query)
        narrowed = self._narrowed(range_of(after, to, False), where)
        return self._adapter.count(narrowed.low, narrowed.high, where) if narrowed else 0

    def _narrowed(self, page: Page, where: Filter) -> Page | None:
        """The part of a range up to the present head and within the times of the filter, None if it is empty."""
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
        user_id: str | None = None,
        tenant_id: str | None = None,
        custom: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        tags: Iterable[str] | None = None,
        query: Query | Iterable[Query] | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        on_wait: Callable[[EvstoreError], None] | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> Iterator[StoredEvent]:
        """History after a position (a version, with `stream_id`), then live events, without gap or duplicate.

        Ends when the store is closed, after `timeout` seconds without an event, or when `time.monotonic()`
        has reached `deadline`. Where the log is incomplete, as while a replication still copies it, the
        subscription waits and passes over nothing; `on_wait` receives the error, once for each state of the log.
        `on_idle` is called at least every few seconds while no event comes; what it raises ends the subscription.
        """
        from evstore.reading.following import Patience, follow_log, follow_stream

        with suppress(IncompleteLogError):  # is waited for
            self._adapter.head(-1, 0)  # a store closed already is an error; closing it later ends the subscription
        cursor = range_of(after, None, False).low - 1
        patience = Patience(timeout, deadline, on_wait or (lambda _: None), on_idle or (lambda: None))
        if stream_id is None:
            about = (user_id, tenant_id, custom, tags, query)
            where = filter_of(categories, types, correlation_id, since, None, *about)
            pages = follow_log(self._adapter, where, cursor, patience)
        elif any(each is not None for each in (categories, correlation_id, user_id, tenant_id, custom, query)):
            raise InvalidInputError("a subscription is to one stream, or to the log and its filters, not both")
        else:
            check_known_stream_id(stream_id)
            where = filter_of(types=types, since=since, tags=tags)
            pages = follow_stream(self._adapter, stream_id, where, cursor, patience)
        return Paged.of(events for events, _ in pages)

    def consumer(
        self,
        name: str,
        *,
        categories: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        start: int | None = 0,
        member: tuple[int, int] | None = None,
        refilter: bool = False,
    ) -> Consumer:
        """A subscription with a durable checkpoint under this name; `run` of it calls a handler for each event.

        It is for the events of these categories and types, which are kept with its name: to come with others is
        refused, unless with `refilter`. A new one begins after the position `start`, at the head if that is None.
        `member`: (i, n), from 1, for member i of n that share the streams between them.

        Raises InvalidInputError, UnsupportedError where the store keeps no consumers; what it holds is held by a
        `with` or by `run`, which raise ConsumerHeldError and ConsumerFilterError.
        """
        from evstore.consumers.builds import check_no_build
        from evstore.consumers.consumer import Consumer
        from evstore.consumers.joining import Joining
        from evstore.consumers.kept import consumers_of
        from evstore.consumers.transactions import Nesting
        from evstore.model.conditions import check_after
        from evstore.model.consumers import Interest, Member

        check_name("consumer name", name)
        check_no_build(name)
        where = filter_of(categories, types)
        joining = Joining(
            self._adapter,
            consumers_of(self._adapter),
            name,
            Interest.of(where.categories, where.types),
            start=None if start is None else check_after(start),
            member=None if member is None else Member.checked(*member),
            refilter=refilter,
        )
        self._nesting = self._nesting or Nesting()
        return Consumer(self._adapter, self.appender, self._nesting, joining)

    def projection(self, projection: type[Projection]) -> ProjectionRunner:
        """A read model whose tables lie in the store's database; `run` keeps it.

        Raises InvalidInputError for a class that is none, UnsupportedError where a store has no tables.
        """
        from evstore.consumers.projecting import ProjectionRunner
        from evstore.consumers.transactions import Nesting

        self._nesting = self._nesting or Nesting()
        return ProjectionRunner(self._adapter, self.appender, self._nesting, projection, self._converter)

    @property
    def consumers(self) -> ConsumerList:
        """The consumers of the store, with their lag and what they parked."""
        from evstore.consumers.overview import ConsumerList

        return ConsumerList(self._adapter)

    def get(self, event_id: str | UUID) -> StoredEvent:
        """The event with this id. Raises EventNotFoundError."""
        wanted = normalize_id(event_id)
        found = self._adapter.get([wanted])
        if not found:
            raise EventNotFoundError(wanted)
        return found[0]

    def get_many(self, ids: Iterable[str | UUID]) -> dict[str, StoredEvent]:
        """The events with these ids, by id, in the order given; absent events are left out."""
        wanted = [normalize_id(each) for each in ids]
        pages = (wanted[at : at + MOST_IN_PAGE] for at in range(0, len(wanted), MOST_IN_PAGE))
        found = {event.id: event for page in pages for event in self._adapter.get(page)}
        return {each: found[each] for each in wanted if each in found}

    def head(self) -> int:
        """The global position of the last event, 0 if there is none."""
        return self._adapter.head(-1, 0)

    # --- lists and facts ---

    def stream_info(self, stream_id: str) -> StreamInfo:
        """Version, category and times of a stream. Raises StreamNotFoundError."""
        check_known_stream_id(stream_id)
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

    def tags(self, *, prefix: str = "") -> Iterator[TagInfo]:
        """Tags by name, in code point order, with counts."""
        return names_of(self._adapter.tags, prefix)

    def sources(self, *, prefix: str = "") -> Iterator[SourceInfo]:
        """Outside sources by name, in code point order, lazily, and how far appends have taken each."""
        return names_of(self._adapter.sources, prefix)

    def source_position(self, name: str) -> int | None:
        """The position up to which appends have taken this source, None if none has named it."""
        return self.appender.source_position(searchable("the source", name))

    def info(self) -> StoreInfo:
        """The kind, location and size of the store."""
        return self._adapter.info()

    @property
    def capabilities(self) -> Capabilities:
        """The abilities and limits of the store's adapter."""
        return self._adapter.capabilities

    @property
    def location(self) -> str:
        """The resolved path, or the URL without its password."""
        return self._adapter.location

    @property
    def files(self) -> Sequence[str]:
        """The files that are the store, by resolved path, also those that are not there yet; none on a server."""
        return self._adapter.files

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for whoever reads, where the store was read in an unusual way so far; mostly none."""
        return self._adapter.notes

    # --- another store ---

    def mirror(
        self,
        target: EventStore,
        *,
        once: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
        on_wait: Callable[[EvstoreError], None] | None = None,
        on_idle: Callable[[], None] | None = None,
    ) -> Iterator[Mirrored]:
        """Keep another store equal to this one: ids, times, positions and redactions; yield how far it is.

        What the target has must be in this log; the rest is appended, page by page, and then what comes, until one
        of the stores is closed; with `once` up to the head that the log has now. A lost connection to either store
        is made again, with `once` an error. Raises LogsDifferError where the target has something else, and
        DeniedError where the log redacts what may not be redacted in the target.

        `on_progress` receives the positions that were compared before anything is stored, and how many there are.
        `on_wait` and `on_idle` as in `subscribe`.
        """
        from evstore.mirroring import Mirroring
        from evstore.reading.following import Patience

        if target is self or target.location == self.location != "memory:":
            raise UnsupportedError(f"the store at {self.location} is not mirrored to itself")
        idle, wait, progress = on_idle or (lambda: None), on_wait or (lambda _: None), on_progress
        patience = Patience(on_wait=wait, on_idle=idle)
        stores = (self._adapter, target._adapter, target.appender)
        return iter(Mirroring(*stores, patience, once=once, on_progress=progress or (lambda _done, _total: None)))

    def diff(self, other: EventStore, *, on_progress: Callable[[int, int], None] | None = None) -> Comparison:
        """A comparison with another store as of the heads at its start. Iterate it for the differences.

        Both stores digest parts of their logs, and events are read where digests differ. All differences of the
        first part that differs are reported. `on_progress` receives the positions done, and the positions in all.
        """
        from evstore.comparing import Comparison

        return Comparison(self._adapter, other._adapter, on_progress)

    # --- keeping ---

    def verify(
        self,
        *,
        after: int = 0,
        expect: str | None = None,
        engine: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Verification:
        """A verification of the store as of the head at its start. Iterate it for the findings.

        `expect`: the digest of an earlier verification. `engine`: run the engine's own check as well.
        `on_progress` receives, page by page, the positions done and the positions in all.
        """
        from evstore.verifying.plain import audits_of
        from evstore.verifying.verification import Verification

        parts = (self._adapter, audits_of(self._adapter))
        return Verification(*parts, after=after, expect=expect, engine=engine, on_progress=on_progress)

    def migrations(self) -> list[Migration]:
        """The steps between schemas that this store has taken or must take, in their order.

        A store that was made with the schema of this evstore has none. Raises MigrationError if a step that was
        applied is not the one that this evstore has under its name.
        """
        from evstore.migrating import steps_of

        self._check_open()
        return steps_of(self._adapter)

    def migrate(
        self, *, finish: bool = False, on_progress: Callable[[int, int], None] | None = None
    ) -> list[Migration]:
        """Bring the store up to the schema of this evstore, and return the steps that this call has applied.

        Others may use the store meanwhile, also by older versions of evstore. `finish` takes from the store what
        only those need: call it when none of them is left. Events never change. Whatever ends the call, the steps
        it has applied stay, and the next call goes on after them.

        `on_progress` receives, step by step, the steps done and the steps in all. Raises MigrationError if the
        database refuses a step.
        """
        from evstore.migrating import migrate

        self._check_open()
        return migrate(self._adapter, finish=finish, on_progress=on_progress or (lambda _done, _total: None))

    def redact(
        self, ids: Iterable[str | UUID], reason: str, *, metadata: bool = False, by: Metadata | None = None
    ) -> StoredEvent:
        """Take the data of events for ever, and with `metadata` their metadata; return the event that tells of it.

        The events keep id, stream, type, version, time and tags. Which they are, and the reason, stands in stream
        `$redactions`, with the metadata `by`. Raises EventNotFoundError, and changes nothing, if one is absent,
        and DeniedError if this role may not.
        """
        from evstore.appending.redaction import Redaction

        self._check_open()
        redaction = Redaction(ids, reason, metadata=metadata, by=by)
        outcome = self.appender.redact(redaction)
        (told,) = self.appender.stored_of(redaction.unit, outcome)
        return told

    def backup(self, path: str | PathLike[str], *, force: bool = False) -> Backup:
        """Copy the store to a new file while it is in use; `force` replaces an existing file.

        Raises UnsupportedError if the engine has its own tool for that.
        """
        return self._adapter.backup(fspath(path), force)


def _no_roles(adapter: Adapter) -> UnsupportedError:
    """The refusal to grant rights, with what decides instead."""
    name = adapter.capabilities.name
    error = UnsupportedError(f"no rights can be granted at {adapter.location}: {name} has no roles")
    if adapter.files:
        error.add_note("owner, group and mode of the file decide who may read and append: see chown and chmod")
    return error
