"""The asynchronous store. `python -m tests.project.aio` writes it from the synchronous one: change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from evstore.aio.bases import EventStoreBase, TransactionBase
from evstore.aio.running import Wrapper, callback, iterate, with_callbacks
from evstore.connecting import connect as _connect
from evstore.model.versions import ANY_VERSION
from evstore.store import EventStore as _EventStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from os import PathLike
    from types import TracebackType
    from typing import Self, Unpack
    from uuid import UUID

    from evstore.application.aggregate import Aggregate
    from evstore.application.codec import Codec
    from evstore.comparing import Comparison as _Comparison
    from evstore.comparing import Difference
    from evstore.consumers.consumer import Consumer as _Consumer
    from evstore.consumers.elsewhere import SqliteCheckpoint
    from evstore.consumers.keeping import ProjectionOptions
    from evstore.consumers.overview import ConsumerInfo
    from evstore.consumers.overview import ConsumerList as _ConsumerList
    from evstore.consumers.projecting import ProjectionRunner as _ProjectionRunner
    from evstore.consumers.projecting import ProjectionStatus
    from evstore.consumers.projections import Projection
    from evstore.consumers.transactions import Transaction as _Transaction
    from evstore.errors import EvstoreError
    from evstore.mirroring import Mirrored
    from evstore.model.conditions import Query
    from evstore.model.consumers import Parked
    from evstore.model.events import NewWrite, StoredEvent
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
    from evstore.model.findings import Finding
    from evstore.model.metadata import Metadata
    from evstore.port import Adapter, Capabilities
    from evstore.store import A, Appended, AppendOptions, Decision, Loaded, S, Unless
    from evstore.verifying.verification import Verification as _Verification


class Transaction(TransactionBase):
    """The transaction that a handler writes through, until it returns."""

    _sync: _Transaction

    async def append(
        self,
        stream_id: str,
        events: Iterable[Any],
        expected_version: int = ANY_VERSION,
        metadata: Metadata | None = None,
        **options: Any,
    ) -> list[StoredEvent]:
        """Append as `EventStore.append` does, with its options, in this transaction."""
        return await self._runner.run(
            lambda: self._sync.append(stream_id, events, expected_version, metadata, **options)
        )

    async def append_many(
        self, writes: Iterable[NewWrite], metadata: Metadata | None = None, **options: Any
    ) -> list[StoredEvent]:
        """Append as `EventStore.append_many` does, in this transaction.

        The list is empty where the source is taken that far.
        """
        return await self._runner.run(lambda: self._sync.append_many(writes, metadata, **options))


class Consumer(Wrapper):
    """A consumer of a store. `EventStore.consumer` makes it; an async context manager holds it for its block.

    Delivery is at least once: the checkpoint moves only after the handler returned. One process at a time works
    for a name, or for each slot of it.
    """

    _sync: _Consumer

    @property
    def name(self) -> str:
        """The name under which its checkpoint is kept."""
        return self._sync.name

    @property
    def files(self) -> Sequence[int]:
        """Open files that a command must inherit so that the hold lasts as long as the command runs."""
        return self._sync.files

    @property
    def reached(self) -> int:
        """The position up to which the last run has handled, parked or passed over everything."""
        return self._sync.reached

    @property
    def handled(self) -> int:
        """The number of events that the last run has handled so far."""
        return self._sync.handled

    async def __aenter__(self) -> Self:
        """Hold the consumer. Raises ConsumerHeldError if another process does."""
        await self._runner.run(self._sync.__enter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.run(lambda: self._sync.__exit__(kind, error, trace))

    def stop(self) -> None:
        """Let `run` return after the batch in hand, also from another thread or a signal handler.

        This object stays stopped; another one of the same name goes on.
        """
        self._sync.stop()

    async def run(
        self,
        handler: Callable[..., Any],
        batch_size: int = 1,
        *,
        transactional: bool = False,
        appends: bool = False,
        once: bool = False,
        checkpoint: SqliteCheckpoint | None = None,
        retries: int = 0,
        backoff: float = 1.0,
        on_failure: str = "stop",
        timeout: float | None = None,
        deadline: float | None = None,
        on_retry: Callable[[Exception, int, float], object] | None = None,
        on_park: Callable[[Parked], object] | None = None,
        on_wait: Callable[[EvstoreError], object] | None = None,
        on_idle: Callable[[], object] | None = None,
    ) -> int:
        """Hand each event after the checkpoint to the handler, and return the number of those that it handled.

        `handler(events)` gets a list of 1 to `batch_size` events; with `transactional`, `handler(events, tx)`:
        what it writes through the Transaction commits with the checkpoint, exactly once. With a `checkpoint`, the
        same goes for what it writes through that connection. With `appends` the handler returns the writes, or a
        Reaction, that are appended with the checkpoint.

        A handler that raises is called again, `retries` times, after `backoff` seconds and longer ones. Then its
        exception leaves `run`; or, with `on_failure="park"`, the event is parked, and holds back the later events
        of its stream alone. `on_retry` gets the exception, the tries that are left and the seconds until the next;
        `on_park` gets what is parked.

        Ends with `stop`, when the store is closed, where the log ended at the start if `once`, after `timeout`
        seconds without an event, or at the `time.monotonic()` of `deadline`. Raises ConsumerHeldError if another
        process took over, LogDivergedError if the log does not have the event of the checkpoint.
        """
        return await self._runner.run_long(
            lambda: self._sync.run(
                callback(handler, Transaction),
                batch_size,
                transactional=transactional,
                appends=appends,
                once=once,
                checkpoint=checkpoint,
                retries=retries,
                backoff=backoff,
                on_failure=on_failure,
                timeout=timeout,
                deadline=deadline,
                on_retry=callback(on_retry),
                on_park=callback(on_park),
                on_wait=callback(on_wait),
                on_idle=callback(on_idle),
            )
        )

    def peek(
        self, *, once: bool = False, on_idle: Callable[[], object] | None = None
    ) -> AsyncGenerator[StoredEvent, None]:
        """The events that `run` would hand on, those to come as well unless `once`. Nothing is held or moved."""
        return iterate(self._runner.run_long, lambda: self._sync.peek(once=once, on_idle=callback(on_idle)))


class ConsumerList(Wrapper):
    """The consumers of a store: looked at, reset, removed; and what they parked."""

    _sync: _ConsumerList

    def all(self, *, prefix: str = "") -> AsyncGenerator[ConsumerInfo, None]:
        """Consumers by name, in code point order, lazily."""
        return iterate(self._runner.run, lambda: self._sync.all(prefix=prefix))

    async def get(self, name: str) -> ConsumerInfo:
        """One consumer. Raises ConsumerNotFoundError."""
        return await self._runner.run(lambda: self._sync.get(name))

    async def parked(self, name: str) -> list[Parked]:
        """The parked events of a consumer by position. Raises ConsumerNotFoundError."""
        return await self._runner.run(lambda: self._sync.parked(name))

    async def retry(self, name: str, event_id: str | UUID) -> None:
        """Let the consumer, when it runs, handle a parked event again. Raises EventNotFoundError."""
        await self._runner.run(lambda: self._sync.retry(name, event_id))

    async def drop(self, name: str, event_id: str | UUID) -> None:
        """Let the consumer, when it runs, go on after a parked event. Raises EventNotFoundError."""
        await self._runner.run(lambda: self._sync.drop(name, event_id))

    def lines(self) -> AsyncGenerator[str, None]:
        """A line for each consumer, with its checkpoints and what it parked, for `restore` in another store."""
        return iterate(self._runner.run, self._sync.lines)

    async def restore(self, line: bytes) -> bool:
        """Make the consumer of a line; false if there is one of its name, which stays as it is.

        Raises InvalidInputError if its checkpoints are not in this log.
        """
        return await self._runner.run(lambda: self._sync.restore(line))

    async def reset(self, name: str, position: int) -> ConsumerInfo:
        """Let the consumer begin after this position, and forget what it parked. Raises ConsumerHeldError.

        Raises ConsumerStartError for a position beyond the log.
        """
        return await self._runner.run(lambda: self._sync.reset(name, position))

    async def remove(self, name: str) -> None:
        """Forget the consumer, and remove the tables that it fills for a projection. Raises ConsumerHeldError."""
        await self._runner.run(lambda: self._sync.remove(name))

    async def wait(self, name: str, position: int, timeout: float | None = None) -> bool:
        """True once the consumer has come as far as this global position; False after `timeout` seconds."""
        return await self._runner.run_long(lambda: self._sync.wait(name, position, timeout))


class ProjectionRunner(Wrapper):
    """Keeps a projection. `EventStore.projection` makes it."""

    _sync: _ProjectionRunner

    @property
    def name(self) -> str:
        """The name of the projection."""
        return self._sync.name

    @property
    def version(self) -> int:
        """The version of its class."""
        return self._sync.version

    def stop(self) -> None:
        """Let `run` return after the batch in hand, also from another thread or a signal handler."""
        self._sync.stop()

    async def run(self, *, once: bool = False, **options: Unpack[ProjectionOptions]) -> int:
        """Handle the events after the checkpoint, then those to come, and return their number.

        A version that is new here is built beside the one that the views show, and shown once it has caught up;
        then the tables of the earlier one are removed. With `once` it ends where the log ended. `batch_size` is
        the most events of a transaction, 1000 if it is not given; `retries`, `backoff`, `on_failure`, `timeout`,
        `deadline`, `on_retry`, `on_wait` and `on_idle` are as in `Consumer.run`.

        What a method raises leaves `run`, with a note that names the event. Raises ConsumerHeldError if another
        process works for this version, InvalidInputError if the views show a later one.
        """
        return await self._runner.run_long(lambda: self._sync.run(once=once, **with_callbacks(options)))

    async def rebuild(self, **options: Unpack[ProjectionOptions]) -> int:
        """Build the projection anew beside the present one, show it, and return the number of events.

        It goes back to an older version, too. Options are as in `run`. Raises ConsumerHeldError if another process
        builds this version.
        """
        return await self._runner.run_long(lambda: self._sync.rebuild(**with_callbacks(options)))

    async def status(self) -> ProjectionStatus:
        """The position that it has come to, and the version that the views show."""
        return await self._runner.run(self._sync.status)


class Verification(Wrapper):
    """A verification. Iterate it once for the findings; its attributes describe them afterwards."""

    _sync: _Verification

    @property
    def checked(self) -> int:
        """The number of events checked."""
        return self._sync.checked

    @property
    def names(self) -> int:
        """The number of names checked: of categories, types, tags and streams."""
        return self._sync.names

    @property
    def head(self) -> int:
        """The position up to which events were checked."""
        return self._sync.head

    @property
    def digest(self) -> str | None:
        """`POSITION:HASH` of the log up to the head; None if it was not read from its start, or has gaps."""
        return self._sync.digest

    @property
    def skipped(self) -> str:
        """The reason why the engine's own check was skipped, if it was."""
        return self._sync.skipped

    @property
    def uncompared(self) -> str:
        """The reason why tables, indexes, triggers and functions were not compared, if they were not."""
        return self._sync.uncompared

    @property
    def unchecked(self) -> str:
        """The reason why events and names were not checked, if they were not."""
        return self._sync.unchecked

    def __aiter__(self) -> AsyncIterator[Finding]:
        """The findings."""
        return iterate(self._runner.threads.run_long, lambda: iter(self._sync))


class Comparison(Wrapper):
    """A comparison of two stores as of their heads at its start. Iterate it once for the differences.

    All differences of the first part that differs are reported, and a log that ends earlier than the other.
    """

    _sync: _Comparison

    @property
    def equal_to(self) -> int:
        """The position up to which the logs are equal."""
        return self._sync.equal_to

    @property
    def head(self) -> int:
        """The position up to which they were compared: the lower of the two heads."""
        return self._sync.head

    @property
    def differences(self) -> int:
        """The number of differences so far."""
        return self._sync.differences

    def __aiter__(self) -> AsyncIterator[Difference]:
        """The differences."""
        return iterate(self._runner.threads.run_long, lambda: iter(self._sync))


class EventStore(EventStoreBase):
    """Append-only streams of events. An async context manager; tasks may share it, forked children may not."""

    _sync: _EventStore

    def __init__(
        self,
        adapter: Adapter,
        *,
        max_data_bytes: int | None = None,
        on_wait: Callable[[LockWait], object] | None = None,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(
            _EventStore(adapter, max_data_bytes=max_data_bytes, on_wait=callback(on_wait), codec=codec)
        )

    async def initialize(
        self, *, tamper_evident: bool = False, grant_read: Iterable[str] = (), grant_append: Iterable[str] = ()
    ) -> None:
        """Make the store unless it exists. Raises SchemaError, and changes nothing, if something else is there.

        `tamper_evident`, for the life of the store, keeps with each event the digest of the log up to it. The
        others give roles of the server the rights that they need to read, or to read and append, also where the
        store exists. Raises RoleNotFoundError, and UnsupportedError where a store cannot have that, or exists
        without digests.
        """
        await self._runner.run(
            lambda: self._sync.initialize(
                tamper_evident=tamper_evident, grant_read=grant_read, grant_append=grant_append
            )
        )

    async def append(
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
        return await (self._runner.threads if connection else self._runner).run(
            lambda: self._sync.append(
                stream_id,
                events,
                expected_version,
                metadata,
                key=key,
                tags=tags,
                unless=unless,
                require=require,
                source=source,
                connection=connection,
            )
        )

    async def append_many(
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
        return await (self._runner.threads if connection else self._runner).run(
            lambda: self._sync.append_many(
                writes,
                metadata,
                key=key,
                tags=tags,
                unless=unless,
                require=require,
                source=source,
                connection=connection,
            )
        )

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
    ) -> AsyncGenerator[StoredEvent, None]:
        """A stream's events by version, lazily. A missing stream is empty.

        `after` (exclusive) and `to` (inclusive) are versions and bound the range whatever the direction;
        `since` is inclusive, `until` exclusive; `limit` counts what comes out, 0 gives nothing.
        """
        return iterate(
            self._runner.run,
            lambda: self._sync.read(
                stream_id,
                after=after,
                to=to,
                limit=limit,
                backward=backward,
                types=types,
                since=since,
                until=until,
                tags=tags,
            ),
        )

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
    ) -> AsyncGenerator[StoredEvent, None]:
        """The log of these categories, or all of it, by global position, up to the end it has now, lazily.

        `after` (exclusive) and `to` (inclusive) are global positions; the rest as in `read`. Filters are ANDed;
        `custom` asks for each of its keys and values in the metadata, `tags` for each tag, `query` for what one of
        the queries matches.
        """
        return iterate(
            self._runner.run,
            lambda: self._sync.replay(
                categories,
                after=after,
                to=to,
                limit=limit,
                backward=backward,
                types=types,
                correlation_id=correlation_id,
                since=since,
                until=until,
                user_id=user_id,
                tenant_id=tenant_id,
                custom=custom,
                tags=tags,
                query=query,
            ),
        )

    def register(self, *classes: type) -> None:
        """Let `load` make events of these classes, which `event` names. Registering one twice is fine.

        Raises UnknownEventTypeError for a class without a name, InvalidInputError where two have the same, or
        where an upcaster leads beyond the version of a class.
        """
        self._sync.register(*classes)

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
        return self._sync.upcaster(event_type, from_version, to=to, to_version=to_version)

    def decode(self, stored: StoredEvent, *, strict: bool = False) -> tuple[Any, ...]:
        """The application's event, or the several or none that an upcaster makes of it.

        An event whose type is not registered stays a StoredEvent, or raises UnknownEventTypeError if `strict`; one
        that was redacted stays it always. Raises CodecError, and UpcastGapError where an upcaster is missing.
        """
        return self._sync.decode(stored, strict=strict)

    async def load(
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
        return await self._runner.run(
            lambda: self._sync.load(
                stream_id,
                strict=strict,
                after=after,
                to=to,
                limit=limit,
                backward=backward,
                types=types,
                tags=tags,
            )
        )

    async def fold(
        self, stream_id: str, initial: S, function: Callable[[S, Any], S], *, strict: bool = False
    ) -> S:
        """The state of a stream: `function(state, event)` for each event that `load` gives, from `initial` on."""
        return await self._runner.run(lambda: self._sync.fold(stream_id, initial, function, strict=strict))

    async def load_aggregate(self, cls: type[A], id: str, *, to: int | None = None) -> A:
        """The aggregate as the events of its stream make it, up to version `to`; at version 0 without a stream.

        Raises InvalidInputError, CodecError, and what a method of the class raises.
        """
        return await self._runner.run(lambda: self._sync.load_aggregate(cls, id, to=to))

    async def save_aggregate(
        self, aggregate: Aggregate, metadata: Metadata | None = None, **options: Unpack[AppendOptions]
    ) -> Appended:
        """Append what the aggregate recorded, after the version that it was loaded or saved at, and return it.

        Without recorded events nothing is written, and the result is empty. Afterwards the aggregate can go on.
        One that could not be saved keeps its events; saving it again stores none of them twice. `options` as in
        `append`. Raises ConcurrencyError if its stream has another version by now.
        """
        return await self._runner.run_long(
            lambda: self._sync.save_aggregate(aggregate, metadata, **with_callbacks(options))
        )

    @overload
    async def update(
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
    async def update(
        self,
        query: Query,
        decide: Callable[[Decision], Iterable[NewWrite] | None],
        /,
        *,
        tries: int = 10,
        metadata: Metadata | None = None,
    ) -> Appended: ...

    async def update(
        self, what: Any, given: Any, change: Any = None, /, *, tries: int = 10, metadata: Metadata | None = None
    ) -> Any:
        """Load an aggregate, change it, save it and return it, as `update(Order, "1", lambda order: …)`.

        With a query, `update(query, decide)` appends the writes that `decide(decision)` returns, unless an event
        that the query matches came meanwhile; None and no writes append nothing.

        What loses a race is done anew with what is there then, in all `tries` times, after short pauses; then
        ConcurrencyError or AppendConditionError is raised. What the function raises leaves `update` at once.
        """
        return await self._runner.run(
            lambda: self._sync.update(what, given, change, tries=tries, metadata=metadata)
        )

    def snapshots(self, every: int) -> None:
        """Let aggregates be loaded from snapshots, and keep one whenever so many events were saved since the last.

        A snapshot is a cache: it is used only if its stream has the same event at its version, and its class the
        same code. State that would not come back as it is has none, which the logger `evstore` reports once.

        Raises UnsupportedError where the store keeps none, InvalidInputError for less than 1.
        """
        self._sync.snapshots(every)

    async def decide(self, query: Query) -> Decision:
        """The events that the query matches, and the head up to which they were read.

        `append(…, unless=decision)` then succeeds only if no such event came since. All of them are in memory.
        """
        return await self._runner.run(lambda: self._sync.decide(query))

    async def count(
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
        return await self._runner.run(
            lambda: self._sync.count(
                categories,
                after=after,
                to=to,
                types=types,
                correlation_id=correlation_id,
                since=since,
                until=until,
                user_id=user_id,
                tenant_id=tenant_id,
                custom=custom,
                tags=tags,
                query=query,
            )
        )

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
        on_wait: Callable[[EvstoreError], object] | None = None,
        on_idle: Callable[[], object] | None = None,
    ) -> AsyncGenerator[StoredEvent, None]:
        """History after a position (a version, with `stream_id`), then live events, without gap or duplicate.

        Ends when the store is closed, after `timeout` seconds without an event, or when `time.monotonic()`
        has reached `deadline`. Where the log is incomplete, as while a replication still copies it, the
        subscription waits and passes over nothing; `on_wait` receives the error, once for each state of the log.
        `on_idle` is called at least every few seconds while no event comes; what it raises ends the subscription.
        """
        return iterate(
            self._runner.run_long,
            lambda: self._sync.subscribe(
                categories,
                stream_id=stream_id,
                after=after,
                types=types,
                correlation_id=correlation_id,
                since=since,
                user_id=user_id,
                tenant_id=tenant_id,
                custom=custom,
                tags=tags,
                query=query,
                timeout=timeout,
                deadline=deadline,
                on_wait=callback(on_wait),
                on_idle=callback(on_idle),
            ),
        )

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
        return Consumer.of(
            self._sync.consumer(
                name, categories=categories, types=types, start=start, member=member, refilter=refilter
            ),
            self._runner,
        )

    def projection(self, projection: type[Projection]) -> ProjectionRunner:
        """A read model whose tables lie in the store's database; `run` keeps it.

        Raises InvalidInputError for a class that is none, UnsupportedError where a store has no tables.
        """
        return ProjectionRunner.of(self._sync.projection(projection), self._runner)

    @property
    def consumers(self) -> ConsumerList:
        """The consumers of the store, with their lag and what they parked."""
        return ConsumerList.of(self._sync.consumers, self._runner)

    async def get(self, event_id: str | UUID) -> StoredEvent:
        """The event with this id. Raises EventNotFoundError."""
        return await self._runner.run(lambda: self._sync.get(event_id))

    async def get_many(self, ids: Iterable[str | UUID]) -> dict[str, StoredEvent]:
        """The events with these ids, by id, in the order given; absent events are left out."""
        return await self._runner.run(lambda: self._sync.get_many(ids))

    async def head(self) -> int:
        """The global position of the last event, 0 if there is none."""
        return await self._runner.run(self._sync.head)

    async def stream_info(self, stream_id: str) -> StreamInfo:
        """Version, category and times of a stream. Raises StreamNotFoundError."""
        return await self._runner.run(lambda: self._sync.stream_info(stream_id))

    def streams(self, category: str | None = None, *, prefix: str = "") -> AsyncGenerator[StreamInfo, None]:
        """Streams by id, in code point order, lazily."""
        return iterate(self._runner.run, lambda: self._sync.streams(category, prefix=prefix))

    def categories(self, *, prefix: str = "") -> AsyncGenerator[CategoryInfo, None]:
        """Categories by name, in code point order, lazily."""
        return iterate(self._runner.run, lambda: self._sync.categories(prefix=prefix))

    def types(self, category: str | None = None, *, prefix: str = "") -> AsyncGenerator[TypeInfo, None]:
        """Event types by name, in code point order, with counts."""
        return iterate(self._runner.run, lambda: self._sync.types(category, prefix=prefix))

    def tags(self, *, prefix: str = "") -> AsyncGenerator[TagInfo, None]:
        """Tags by name, in code point order, with counts."""
        return iterate(self._runner.run, lambda: self._sync.tags(prefix=prefix))

    def sources(self, *, prefix: str = "") -> AsyncGenerator[SourceInfo, None]:
        """Outside sources by name, in code point order, lazily, and how far appends have taken each."""
        return iterate(self._runner.run, lambda: self._sync.sources(prefix=prefix))

    async def source_position(self, name: str) -> int | None:
        """The position up to which appends have taken this source, None if none has named it."""
        return await self._runner.run(lambda: self._sync.source_position(name))

    async def info(self) -> StoreInfo:
        """The kind, location and size of the store."""
        return await self._runner.run(self._sync.info)

    @property
    def capabilities(self) -> Capabilities:
        """The abilities and limits of the store's adapter."""
        return self._sync.capabilities

    @property
    def location(self) -> str:
        """The resolved path, or the URL without its password."""
        return self._sync.location

    @property
    def files(self) -> Sequence[str]:
        """The files that are the store, by resolved path, also those that are not there yet; none on a server."""
        return self._sync.files

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for whoever reads, where the store was read in an unusual way so far; mostly none."""
        return self._sync.notes

    def mirror(
        self,
        target: EventStore,
        *,
        once: bool = False,
        on_progress: Callable[[int, int], object] | None = None,
        on_wait: Callable[[EvstoreError], object] | None = None,
        on_idle: Callable[[], object] | None = None,
    ) -> AsyncGenerator[Mirrored, None]:
        """Keep another store equal to this one: ids, times, positions and redactions; yield how far it is.

        What the target has must be in this log; the rest is appended, page by page, and then what comes, until one
        of the stores is closed; with `once` up to the head that the log has now. A lost connection to either store
        is made again, with `once` an error. Raises LogsDifferError where the target has something else, and
        DeniedError where the log redacts what may not be redacted in the target.

        `on_progress` receives the positions that were compared before anything is stored, and how many there are.
        `on_wait` and `on_idle` as in `subscribe`.
        """
        return iterate(
            self._runner.threads.run_long,
            lambda: self._sync.mirror(
                target._sync,
                once=once,
                on_progress=callback(on_progress),
                on_wait=callback(on_wait),
                on_idle=callback(on_idle),
            ),
        )

    def diff(self, other: EventStore, *, on_progress: Callable[[int, int], object] | None = None) -> Comparison:
        """A comparison with another store as of the heads at its start. Iterate it for the differences.

        Both stores digest parts of their logs, and events are read where digests differ. All differences of the
        first part that differs are reported. `on_progress` receives the positions done, and the positions in all.
        """
        return Comparison.of(self._sync.diff(other._sync, on_progress=callback(on_progress)), self._runner)

    def verify(
        self,
        *,
        after: int = 0,
        expect: str | None = None,
        engine: bool = False,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> Verification:
        """A verification of the store as of the head at its start. Iterate it for the findings.

        `expect`: the digest of an earlier verification. `engine`: run the engine's own check as well.
        `on_progress` receives, page by page, the positions done and the positions in all.
        """
        return Verification.of(
            self._sync.verify(after=after, expect=expect, engine=engine, on_progress=callback(on_progress)),
            self._runner,
        )

    async def migrations(self) -> list[Migration]:
        """The steps between schemas that this store has taken or must take, in their order.

        A store that was made with the schema of this evstore has none. Raises MigrationError if a step that was
        applied is not the one that this evstore has under its name.
        """
        return await self._runner.run(self._sync.migrations)

    async def migrate(
        self, *, finish: bool = False, on_progress: Callable[[int, int], object] | None = None
    ) -> list[Migration]:
        """Bring the store up to the schema of this evstore, and return the steps that this call has applied.

        Others may use the store meanwhile, also by older versions of evstore. `finish` takes from the store what
        only those need: call it when none of them is left. Events never change. Whatever ends the call, the steps
        it has applied stay, and the next call goes on after them.

        `on_progress` receives, step by step, the steps done and the steps in all. Raises MigrationError if the
        database refuses a step.
        """
        return await self._runner.run(lambda: self._sync.migrate(finish=finish, on_progress=callback(on_progress)))

    async def redact(
        self, ids: Iterable[str | UUID], reason: str, *, metadata: bool = False, by: Metadata | None = None
    ) -> StoredEvent:
        """Take the data of events for ever, and with `metadata` their metadata; return the event that tells of it.

        The events keep id, stream, type, version, time and tags. Which they are, and the reason, stands in stream
        `$redactions`, with the metadata `by`. Raises EventNotFoundError, and changes nothing, if one is absent,
        and DeniedError if this role may not.
        """
        return await self._runner.run(lambda: self._sync.redact(ids, reason, metadata=metadata, by=by))

    async def backup(self, path: str | PathLike[str], *, force: bool = False) -> Backup:
        """Copy the store to a new file while it is in use; `force` replaces an existing file.

        Raises UnsupportedError if the engine has its own tool for that.
        """
        return await self._runner.threads.run_long(lambda: self._sync.backup(path, force=force))


def connect(
    url: str,
    *,
    max_data_bytes: int | None = None,
    on_wait: Callable[[LockWait], object] | None = None,
    codec: Codec | None = None,
    **options: Any,
) -> EventStore:
    """The store at `memory:`, `sqlite:///path`, a bare path, `postgresql://…`, or the URL of an installed adapter.

    Nothing is opened before the first operation, nothing is made before `initialize`. `max_data_bytes`
    bounds one event's data (16 MiB). `on_wait` receives a `LockWait` when another writer is waited for, after two
    seconds; its text is for people. `codec` makes JSON of the application's events, and events of JSON, instead of
    msgspec. `options` go to the adapter: `timeout` in seconds to wait for other writers
    (30), for PostgreSQL `pool_size`, the most connections at a time (10).
    """
    return EventStore.around(
        _connect(url, max_data_bytes=max_data_bytes, on_wait=callback(on_wait), codec=codec, **options)
    )
