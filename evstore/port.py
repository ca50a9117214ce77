"""The port: what storage must do so that the core can keep evstore's promises.

An adapter stores and finds; it decides nothing. Arguments arrive complete and valid: ids assigned and in
lower case, JSON checked and on one line, metadata merged, limits given. It speaks in bounded pages; the core
makes iterators of them. The clauses, each a test in `evstore.testing`:

Writing
    W1  A unit is all or nothing over all its writes. The units of one call succeed and fail alone, in order.
        With `until_refused` the first unit that is not accepted ends the call; later units are not judged.
        On return the accepted units are visible to every later read, and durable if the adapter claims it.
        If the storage fails after some units, its error is the outcome of the others.
    W2  Versions of a stream are 1, 2, 3…; so are global positions, and the numbers of events and of streams
        within a category. No gap, no reuse. Within a unit all follow list order, and nothing interleaves.
    W3  `model.versions.check_version` judges the expectation inside the same isolated step as the insert. Of
        n racing writers that expect the same version exactly one wins.
    W4  ANY_VERSION never raises ConcurrencyError, also for two first writers of a stream.
    W5  Ids are judged before versions. If the store holds any id of a unit, nothing of the unit is written. The
        answer is AlreadyStored with the ids that the store holds, each once, also those that an earlier unit of
        the same call stored. The core decides what that means.
    W6  A refused unit leaves no trace: no event, stream, category, type or position.
    W7  What a receipt says equals what a later read returns.
    W8  A unit that names its first position is refused unless that is the next one: PositionConflictError,
        judged after the ids and before the versions.

Reading
    R1  `after` is the paging cursor, exclusive in the direction of travel, None at that direction's start.
        `low` and `high` are inclusive bounds in both directions.
    R2  A page is a list and has exactly `limit` members unless there are no more; 0 gives none. Of long events
        it may have fewer, but one at least, and is then a Cut. No transaction, cursor or lock survives the call.
    R3  No skip: once a read of the log has shown position p, nothing at or below p appears later. What a
        read has shown survives a crash.
    R4  A missing stream or category is an empty page.
    R5  A filter means what `Filter.matches` says; an empty tuple matches nothing. `count` counts what `read_all`
        shows.
    R6  Text in is text out, byte for byte; metadata is equal. The timestamp is UTC in microseconds. It is taken
        when the unit is stored, the same for all its events, unless the unit brings a time for each.
    R7  No read leaves an event out because its name, or an event before it, is missing: IncompleteLogError. The
        same goes for the head, and for an append that would give out a key again. What is asked for by name
        is absent, and a list of all ends, only where no name is lost.
    L1  Lists are ordered by code point, paged by name, and cost by what they return; `prefix` compares
        literally.

Living
    E1  `initialize` is idempotent, also when n processes call it at once; at a place that holds something
        else it raises and changes nothing.
    E2  Before `initialize` every call raises NotInitializedError and makes nothing (memory is born
        initialized). After `close` every call raises StoreClosedError, also one that waits; closing twice is
        fine.
    E3  One adapter may be shared by threads, and one store by the adapters of several processes if it claims
        `multi_process`.
    E4  Only EvstoreErrors come out, with the driver's exception as `__cause__`; `retryable` is right.
    E5  An adapter does what its `capabilities` claim. `info` calls a store durable only if the adapter claims it.
        Without `can_backup`, `backup` makes nothing; its UnsupportedError names what else makes a copy. Without
        `has_audits` nobody calls `audits`, and `verify` sees no more than reads do. Without `can_grant` nobody
        calls `initialize_for`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from evstore.errors import AppendOutcomeUnknownError, EvstoreError
from evstore.model.versions import MAX_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Protocol

    from evstore.jsontext.judging import KeptJson
    from evstore.model.events import Many, StoredEvent, Write
    from evstore.model.facts import Backup, CategoryInfo, LockWait, StoreInfo, StreamInfo, TypeInfo
    from evstore.model.filters import Filter
    from evstore.model.findings import AuditedEvent, AuditedName, Finding, What
else:
    Protocol = object  # a Protocol serves type checkers alone, and making one takes longer than an insert


class PreparedEvent(NamedTuple):
    """A checked event on its way in. Only `appending.preparing` makes one."""

    id: str
    """36 characters, lower case."""
    type: str
    data_json: KeptJson
    metadata_json: str
    """The wire form of its metadata, the append's defaults merged in."""
    correlation_id: str | None


if TYPE_CHECKING:
    PreparedWrite: TypeAlias = Write[PreparedEvent]


class Append(NamedTuple):
    """One atomic unit. Its writes and their events may be iterated again and again, but not indexed."""

    writes: Many[PreparedWrite]
    times_us: Sequence[int] | None = None
    """For each event, the time at which another store first stored it; None if this store is the first."""
    first_position: int | None = None
    """The global position that the first event must get; None accepts the next one."""
    has_new_ids: bool = False
    """Some ids were made for this unit, so that nobody else has them; of no concern to an adapter."""

    def ids(self) -> Iterator[str]:
        """Of its events, in order."""
        return (event.id for write in self.writes for event in write.events)


class Receipt(NamedTuple):
    """The numbers of a stored unit, whose events are contiguous in the log from `first_position` on."""

    first_position: int
    size: int
    first_versions: Sequence[int]
    """For each write, in order, the version of its first event, or at least for the first MOST_VERSIONS writes."""
    timestamp_us: int
    """The moment its first event was stored."""


class AlreadyStored(NamedTuple):
    """The store holds these ids of the unit already, so nothing of it was written."""

    ids: Sequence[str]
    after_lost_answer: bool = False
    """The answer to an earlier try within this very call was lost: that try may have stored them."""


Outcome: TypeAlias = Receipt | AlreadyStored | EvstoreError


def outcome_unknown(units: Iterable[Append], reason: str = "") -> AppendOutcomeUnknownError:
    """The error for units whose outcome is unknown."""
    return AppendOutcomeUnknownError([each for unit in units for each in unit.ids()], reason)


class Page(NamedTuple):
    """A part of an ordered range: versions of a stream, or global positions of the log."""

    limit: int
    after: int | None = None
    low: int = 1
    high: int = MAX_VERSION
    backward: bool = False


MOST_VERSIONS: Final = 100_000
MOST_IN_PAGE: Final = 1000
"""Events or names that the core asks for at once."""
PAGE_CHARACTERS: Final = 2 * 1024 * 1024
"""About so much text is enough for a page."""


class Cut(list["StoredEvent"]):
    """A page that ends before its limit because its events are long; more may follow."""


class NamePage(NamedTuple):
    limit: int
    after: str | None = None
    prefix: str = ""


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
    can_backup: bool = False
    """`backup` makes a copy."""
    can_grant: bool = False
    """The adapter is `Granting`."""
    max_unit_events: int | None = None
    """The most events of a unit, None if there is no limit."""
    max_data_bytes: int | None = None
    """The most bytes of one event's data, None if there is no limit but the core's."""


class Adapter(Protocol):
    """Storage for one store. `evstore.adapters.memory` is the reference."""

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of the adapter, constant for its lifetime."""

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

    def initialize(self) -> None:
        """Make the store if it is not there yet."""

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        """Judge the units in order, each as if alone, commit once, and answer each that was judged.

        Raises only if the storage fails and no unit is known to be stored.
        """

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of one stream by version. `where` asks for types and times only."""

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of the log by global position."""

    def count(self, low: int, high: int, where: Filter) -> int:
        """The number of events at positions in [low, high] that the filter admits. It reads no data."""

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


class Granting(Adapter, Protocol):
    """An adapter that claims `can_grant`: it gives roles of its server the rights that they need."""

    def initialize_for(self, readers: Sequence[str], appenders: Sequence[str]) -> None:
        """`initialize`, and give these roles their rights, all of it or nothing; who appends may read as well.
        Raises RoleNotFoundError, and makes nothing, if a role does not exist."""


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

    def schema(self) -> list[Finding]:
        """Findings about tables, indexes, triggers, views and functions, such as `missing-index`, with advice."""

    def engine(self) -> list[Finding]:
        """Findings of the engine's own check, of kind `engine`. Raises UnsupportedError or DeniedError."""

    def correlation_hash(self, correlation_id: str) -> int | None:
        """The stored hash by which a search finds this correlation id, None if the store keeps none."""
