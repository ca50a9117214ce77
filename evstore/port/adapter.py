"""The protocols of an adapter. `evstore.port` has the contract in clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from evstore.model.events import StoredEvent
    from evstore.model.facts import (
        Backup,
        CategoryInfo,
        LockWait,
        SourceInfo,
        StoreInfo,
        StreamInfo,
        TagInfo,
        TypeInfo,
    )
    from evstore.model.filters import Filter
    from evstore.model.findings import AuditedEvent, AuditedName, Finding, What
    from evstore.model.raw import RawPage
    from evstore.port.pages import NamePage, Page
    from evstore.port.units import Append, Outcome
else:
    Protocol = object  # a Protocol serves type checkers alone, and making one takes longer than an insert


class Capabilities(NamedTuple):
    """The declared abilities and limits of an adapter."""

    name: str
    """The engine's, for people, as `SQLite`."""
    durable: bool
    """Accepted events are there when the store is opened again, also after a power cut."""
    how_durable: str
    """The same in a sentence; if not durable, what becomes of events."""
    multi_process: bool
    """Several adapters, of one process or of many, may work on one store at once."""
    born_initialized: bool = False
    """The store needs no `initialize`, so there is no time before it."""
    has_audits: bool = False
    """The adapter is `Audited`."""
    has_consumers: bool = False
    """The adapter is `HasConsumers`: checkpoints, and holds of them, are kept in the store."""
    has_transactions: bool = False
    """A step of a consumer has a `connection`, for tables of the application."""
    steps_append: bool = False
    """A step of a consumer stores units with what else it changes."""
    can_join: bool = False
    """The adapter is `Joins`: it appends in a transaction of the application, on the driver's connection."""
    has_snapshots: bool = False
    """The adapter is `HasSnapshots`: a cache of objects that were made of streams."""
    has_migrations: bool = False
    """The adapter is `HasMigrations`: stores that an older evstore has made are brought up in steps."""
    can_backup: bool = False
    """`backup` makes a copy."""
    tamper_evident: bool = False
    """A store may keep the digest of the log with each event."""
    can_redact: bool = False
    """`redact` takes the data of events."""
    can_grant: bool = False
    """`initialize` gives roles their rights."""
    shares_commits: bool = False
    """Units of several threads are appended faster in one call than each in its own. A call that raised has ended:
    what it has not stored by then, it does not store later."""
    native_asyncio: bool = False
    """`evstore.aio` calls it on the thread of the event loop, because all that it waits for it waits for by way of
    `evstore.blocking`. Any other adapter is called on worker threads."""
    reads_raw: bool = False
    """The adapter is `ReadsRaw`: it gives the log as the bytes that go out."""
    fails_over: bool = False
    """The adapter is `FailsOver`: another server may take the place of the one that answers."""
    has_limits: bool = False
    """The adapter is `Limited`: a unit may have too many events for it, or an event too much data."""


class Initialization(NamedTuple):
    """The wishes for a store that is made, or that is there already."""

    tamper_evident: bool = False
    """With each event the digest of the log up to it is kept; chosen when a store is made."""
    grant_read: Sequence[str] = ()
    """Roles of the server that get the rights to read."""
    grant_append: Sequence[str] = ()
    """Roles that get the rights to read and to append."""


PLAIN: Final = Initialization()


class Adapter(Protocol):
    """Storage for one store. `evstore.adapters.memory` is the reference."""

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of the adapter, constant for its lifetime, and known without a question to any server."""

    @property
    def location(self) -> str:
        """The location of the store, safe to show: the resolved path, or the URL without its password."""

    @property
    def files(self) -> Sequence[str]:
        """The files that are the store, by resolved path, also those that are not there yet; none on a server."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for whoever reads, where the store was read in an unusual way so far; mostly none."""

    on_wait: Callable[[LockWait], None] | None
    """Receives a wait for another writer after two seconds, once for each wait. The core sets it before any call.
    An adapter whose writers do not wait leaves it alone."""

    def initialize(self, wanted: Initialization = PLAIN) -> None:
        """Make the store if it is not there yet, and give roles their rights, all of it or nothing.

        Raises UnsupportedError if the store is there and keeps no digests, but should; RoleNotFoundError.
        """

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        """Judge the units in order, each as if alone, commit once, and answer each that was judged.

        Raises only if the storage fails and no unit is known to be stored.
        """

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        """Take the data of these events for ever, perhaps their metadata, and append the unit that tells of it,
        all in one commit. Raises EventNotFoundError, and changes nothing, if one of them is absent.

        Without `can_redact` raises UnsupportedError.
        """

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of one stream by version. `where` asks for types and times only."""

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of the log by global position."""

    def count(self, low: int, high: int, where: Filter) -> int:
        """The number of events at positions in [low, high] that the filter admits. It reads no data."""

    def digest(self, low: int, high: int) -> bytes:
        """The digest of what the log holds at positions in [low, high], where the events are: none is sent.

        `port.digesting.digest_by_reading` gives it for an adapter whose reads are near.
        """

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        """The events with these ids that the store holds, in any order."""

    def stream(self, stream_id: str) -> StreamInfo | None:
        """Version, category and times of a stream, None if it is missing."""

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        """Streams by id."""

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        """Categories by name."""

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        """Event types by name; counts cost by the events counted."""

    def tags(self, page: NamePage) -> list[TagInfo]:
        """Tags by name; counts cost by the events counted."""

    def sources(self, page: NamePage) -> list[SourceInfo]:
        """Outside sources by name, and how far they were taken."""

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        """First and last global position stored in [since, until), None if there is none.

        Costs by the events in that time. The core narrows reads with it, so that a recent time scans no old log.
        """

    def head(self, beyond: int, timeout: float) -> int:
        """The global position of the last event, 0 if there is none.

        Returns once it is greater than `beyond`, or when `timeout` seconds have passed.
        """

    def info(self) -> StoreInfo:
        """The kind, location and size of the store."""

    def backup(self, path: str, force: bool) -> Backup:
        """Copy the store, while it is in use, to a new file; with `force` also over another file."""

    def close(self) -> None:
        """Free everything; the store stays."""


class FailsOver(Adapter, Protocol):
    """An adapter that claims `fails_over`: what one answer showed may not be in the log of the next one."""

    @property
    def moves(self) -> int:
        """A number that grows before an answer that may come from another server than the one before."""

    def lags(self) -> bool:
        """True if the server that answers is a replica, which may get later what it does not have."""


class Limits(NamedTuple):
    """The most that a store takes at once."""

    unit_events: int | None = None
    """The most events of a unit, None if there is no limit."""
    data_bytes: int | None = None
    """The most bytes of one event's data, None if there is no limit but the core's."""
    set_by: str = ""
    """Whatever sets these limits, as `its server's option max_payload`."""

    def most_at_once(self, events: int) -> int:
        """So many events, or as many as a unit may have if those are fewer."""
        return events if self.unit_events is None else min(events, self.unit_events)


class Limited(Adapter, Protocol):
    """An adapter that claims `has_limits`."""

    def limits(self) -> Limits:
        """The limits, constant for its lifetime. A server may be asked for them; without an answer they are the
        usual ones."""


def limits_of(adapter: Adapter) -> Limits:
    """The limits of any adapter."""
    return cast("Limited", adapter).limits() if adapter.capabilities.has_limits else Limits()


class ReadsRaw(Adapter, Protocol):
    """An adapter that claims `reads_raw`."""

    def read_raw(self, page: Page) -> RawPage | None:
        """The lines of the events that `read_all` gives without a filter; None if something about them is unusual,
        so that `read_all` has to give or to refuse them."""


class Joined(Protocol):
    """The store within a transaction that is not over yet."""

    def append(self, unit: Append) -> Outcome:
        """Append a unit in the transaction; its outcome as that of `Adapter.append`.

        A step of a consumer raises UnsupportedError without `steps_append`.
        """

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        """The events with these ids, also those that were appended in the transaction, in any order."""


class Joins(Adapter, Protocol):
    """An adapter that claims `can_join`."""

    def joined(self, connection: Any) -> AbstractContextManager[Joined]:
        """The store in the transaction that the driver's connection is in, or that the driver would begin now.

        Raises InvalidInputError for a connection that cannot be used, with the next step.
        """


class Audited(Adapter, Protocol):
    """An adapter that claims `has_audits`."""

    def audits(self) -> Audits:
        """The audits of the store, for `verify`."""


class Audits(Protocol):
    """Records of a store for verification, as the database holds them, also if they are damaged. No record is
    left out because another is missing. Raises CorruptStoreError if a record cannot be read at all."""

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        """The events at positions in [low, high], also below 1, the lowest first: none only where there are no
        more, and of long ones fewer than `limit`."""

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        """Records with keys greater than `after`, the lowest first; None precedes all keys."""

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        """Of each tag, the positions in [low, high] at which a search for it finds an event, in order."""

    def count_tags(self, high: int) -> int:
        """The number of positions up to `high` that searches for all tags together find."""

    def schema(self) -> list[Finding]:
        """Findings about tables, indexes, triggers, views and functions, such as `missing-index`, with advice.

        Raises UnsupportedError for a store of another schema than this evstore makes.
        """

    def engine(self) -> list[Finding]:
        """Findings of the engine's own check, of kind `engine`. Raises UnsupportedError or DeniedError."""

    def correlation_hash(self, correlation_id: str) -> int | None:
        """The stored hash by which a search finds this correlation id, None if the store keeps none."""
