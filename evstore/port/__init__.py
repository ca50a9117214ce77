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
    W9  Requirements and conditions are judged inside that step too, by the store as it was before the unit:
        after the versions the requirements, by `check_version`, then all conditions. Without a violation they
        change nothing. AppendConditionError has, of each violated condition, the first position that matches.
    W8  A unit that names its first position is refused unless that is the next one: PositionConflictError,
        judged after the ids and before the versions.

    W10 A redaction replaces the data of each of its events by `null`, and metadata by `{}` where that is asked,
        and nothing else. What was redacted stays so. Its unit is stored in the same step, as an append would
        store it, or nothing is.
    W11 A store that was initialized tamper-evident keeps with each event the digest of the log up to it, as
        `model.digests` defines it; an event that was redacted elsewhere has the content that it has now.
    W12 A unit that names a source is stored only if its position is greater than the last that the store holds of
        that source, and is recorded in the same step; else SourceTaken, judged after the first position and before
        the versions. A refused unit records none. Units of one call see earlier ones; of n racing writers with the
        same position exactly one wins.

    W13 With `can_join`, what is appended within `joined` is stored with the COMMIT of the application, by the
        rules of all appends; until then nobody else sees it, and no other unit is stored. A rollback leaves
        nothing. A block that raises leaves the transaction as it was, and usable. `get` shows what was appended
        in the transaction. A connection that cannot be used is refused with InvalidInputError.

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
    R8  `digest` is that of a part of the log, as `model.digests` defines it, over what `read_all` shows of the
        positions in [low, high]. It reports what that read would report.
    R9  `read_raw` gives the lines of what `read_all` gives without a filter. Whatever that read would refuse, and
        whatever is not UTF-8, it leaves to it with None.
    L1  Lists are ordered by code point, paged by name, and cost by what they return; `prefix` compares
        literally.

Consumers, without `has_consumers` asked of nobody
    C1  `add` makes a consumer with its filter, at its position, unless it is there; of racing calls one makes it,
        and all return it. `page` lists by name as L1 says.
    C2  No slot is in two holds at a time, whoever asks. `hold` and `extend` return the slots that were free;
        ConsumerHeldError if there was none for `hold`. A hold ends with `release`, with its adapter, and within
        ten seconds with its process.
    C3  A step is all or nothing, with the units and rows that were written in it. After it all see it, and it is
        durable if the adapter claims that. A step whose block raises leaves nothing. Without `steps_append` a step
        takes no units: UnsupportedError.
    C4  A step of a hold that another one has replaced raises ConsumerHeldError and changes nothing.
    C5  A checkpoint has the id of the event at its position. It moves back only by `reset`. Where the log has no
        event at the new position, or another one at the old one, the step raises LogDivergedError.
    C6  A stream has at most one parked event of a consumer. `mark` changes the state of a parked event and
        nothing else, whoever holds the consumer; it reports an event that is not parked.
    C7  `divide` gives all 64 slots the checkpoint of slot 0; from then on each moves alone.
    C8  What `remove` forgets is not there any more: the same name begins anew.
    C9  The views of `tables` change with their step, so that a reader sees the rows of one table or of the other.
        A view has the columns of its table. `shown` and `hide` refuse a name that is something else's, with
        InvalidInputError. Without `has_transactions` a step has no tables: UnsupportedError.

Snapshots, without `has_snapshots` asked of nobody
    S1  `keep` keeps a snapshot in place of an earlier one of its stream and kind, or one of other code, and not in
        place of a later one of the same code; `find` finds it as it was kept, text for text, also in another
        adapter of the store. Of a stream that is missing none is kept.
    S2  A redaction removes all snapshots of the streams of its events, in the same step: their text may have what
        was redacted. Nor is one kept after it that was made before: `keep` is given the version of `$redactions`,
        and keeps nothing, and returns False, if that has changed, whenever a redaction comes.

Migrations, without `has_migrations` asked of nobody
    M1  A store that `initialize` has just made has no step, applied or pending. A step is on record as soon as it
        is applied whole, and not before: a killed migration goes on with it. Of racing migrations one applies a
        step. No step changes an event.

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
        names roles, and without `tamper_evident` nobody asks for that. With `has_limits`, `limits` stay the same,
        and the core gives it nothing larger. Without `can_redact`, `redact` raises
        UnsupportedError and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.model.filters import Filter
from evstore.model.versions import check_version
from evstore.port.adapter import (
    PLAIN,
    Adapter,
    Audited,
    Audits,
    Capabilities,
    FailsOver,
    Initialization,
    Joined,
    Joins,
    Limited,
    Limits,
    ReadsRaw,
    limits_of,
)
from evstore.port.pages import MOST_IN_PAGE, PAGE_CHARACTERS, Cut, NamePage, Page, bounds_of
from evstore.port.units import (
    MOST_VERSIONS,
    AlreadyStored,
    Append,
    Outcome,
    PreparedEvent,
    PreparedWrite,
    Receipt,
    SourceTaken,
    error_of,
    outcome_unknown,
    source_taken,
)

if TYPE_CHECKING:
    from evstore.model.conditions import violation_of
    from evstore.port.consumers import Consumers, HasConsumers, Hold, Step, Tables
    from evstore.port.digesting import digest_by_reading
    from evstore.port.migrations import HasMigrations, Migrations
    from evstore.port.snapshots import HasSnapshots, Snapshot, Snapshots

__all__ = [
    "MOST_IN_PAGE",
    "MOST_VERSIONS",
    "PAGE_CHARACTERS",
    "PLAIN",
    "Adapter",
    "AlreadyStored",
    "Append",
    "Audited",
    "Audits",
    "Capabilities",
    "Consumers",
    "Cut",
    "FailsOver",
    "Filter",
    "HasConsumers",
    "HasMigrations",
    "HasSnapshots",
    "Hold",
    "Initialization",
    "Joined",
    "Joins",
    "Limited",
    "Limits",
    "Migrations",
    "NamePage",
    "Outcome",
    "Page",
    "PreparedEvent",
    "PreparedWrite",
    "ReadsRaw",
    "Receipt",
    "Snapshot",
    "Snapshots",
    "SourceTaken",
    "Step",
    "Tables",
    "bounds_of",
    "check_version",
    "digest_by_reading",
    "error_of",
    "limits_of",
    "outcome_unknown",
    "source_taken",
    "violation_of",
]


def __getattr__(name: str) -> Any:
    """A name that no plain append needs, loaded for those who ask."""
    if name in __all__:
        from importlib import import_module

        for home in ("port.consumers", "port.snapshots", "port.migrations", "port.digesting", "model.conditions"):
            module = import_module(f"evstore.{home}")
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
