"""Every error that evstore raises.

    EvstoreError
    ├── NotFoundError                StreamNotFoundError · EventNotFoundError · ConsumerNotFoundError
    ├── ConflictError                ConcurrencyError · AppendConditionError · PositionConflictError ·
    │                                EventIdConflictError
    ├── InvalidInputError            InvalidStreamIdError · InvalidVersionError · InvalidPayloadError ·
    │                                NoEventsError · ConsumerFilterError · ConsumerStartError
    ├── CodecError                   UnknownEventTypeError · UpcastGapError
    ├── SchemaError                  NotInitializedError · NotAStoreError · SchemaTooOldError · SchemaTooNewError ·
    │                                MigrationError
    ├── UnavailableError             StoreBusyError · StoreReplacedError · AppendOutcomeUnknownError
    ├── InvalidTargetError           TargetExistsError
    ├── DeniedError
    ├── StorageFullError
    ├── ConsumerHeldError
    ├── IntegrityError               CorruptStoreError (IncompleteLogError) · LogDivergedError · LogsDifferError
    └── AdapterError                 InvalidUrlError · UnknownAdapterError · MissingDependencyError ·
                                     UnsupportedError · RoleNotFoundError · StoreClosedError

An error carries its facts as attributes and builds its sentence from them; a driver's exception is
kept as its `__cause__`. `code` names the kind of failure in one stable word, `retryable` says whether trying
again is worth it without anybody mending anything. Errors can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NAMED: Final = 10
"""The most ids or streams that a sentence names."""


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of these names, and the count of all where there are more."""
    more = f" and {len(names) - most} more, {len(names)} in all" if len(names) > most else ""
    return ", ".join(names[:most]) + more


class EvstoreError(Exception):
    """The base of every error that evstore raises."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    _facts: ClassVar[tuple[str, ...]] = ()
    """The attributes that `facts` reports, in this order."""

    def facts(self) -> dict[str, Any]:
        """The facts of the sentence, by attribute; empty facts are left out."""
        found = {name: getattr(self, name) for name in self._facts}
        return {name: value for name, value in found.items() if value not in (None, "")}


class NotFoundError(EvstoreError):
    """The requested stream, event or consumer is not in the store."""

    code = "not_found"


class StreamNotFoundError(NotFoundError):
    """The stream has no events; asking again will not help."""

    _facts = ("stream_id",)

    def __init__(self, stream_id: str) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id

    def __str__(self) -> str:
        return f'no stream "{self.stream_id}"'


class EventNotFoundError(NotFoundError):
    """No event has this id, or no event that `consumer` has parked."""

    _facts = ("event_id", "consumer")

    def __init__(self, event_id: str, consumer: str | None = None) -> None:
        super().__init__(event_id, consumer)
        self.event_id = event_id
        self.consumer = consumer

    def __str__(self) -> str:
        if self.consumer is None:
            return f"no event {self.event_id}"
        return f'consumer "{self.consumer}" has not parked event {self.event_id}'


class ConsumerNotFoundError(NotFoundError):
    """No consumer has this name."""

    _facts = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f'no consumer "{self.name}"'


class _Sourced:
    """An error of something that may come from an input."""

    source: str | None = None
    """The part of the input that is at fault, as `events.ndjson:3`; None if there was no input."""

    def __str__(self) -> str:
        return f"{self.source}: {self._sentence()}" if self.source else self._sentence()

    def _sentence(self) -> str:
        return super().__str__()


class ConflictError(_Sourced, EvstoreError):
    """The store does not hold what the caller expected; nothing was written."""

    code = "conflict"
    _facts: ClassVar[tuple[str, ...]] = ("source",)


class ConcurrencyError(ConflictError):
    """The stream is at `actual` (0: it is missing), not at `expected` (0: it should be missing).

    Worth another try once the stream was read again: the same append with the same expectation is not.
    """

    retryable = True
    _facts = ("stream_id", "expected", "actual", "source")

    def __init__(self, stream_id: str, expected: int, actual: int) -> None:
        super().__init__(stream_id, expected, actual)
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual

    def _sentence(self) -> str:
        is_at = f"is at version {self.actual}" if self.actual else "does not exist"
        wanted = f"expected version {self.expected}" if self.expected else "expected no stream"
        return f'stream "{self.stream_id}" {is_at}, {wanted}'


class AppendConditionError(ConflictError):
    """An event after `after` matches the query of an append condition; the first such event is at `position`.

    `query` is the Query of the condition; `violations` has the same three facts of every violated condition. Worth
    another try once the query was read again: the same append with the same condition is not.
    """

    retryable = True
    _facts = ("query", "after", "position", "source")

    def __init__(self, query: Any, after: int, position: int, more: Sequence[tuple[Any, int, int]] = ()) -> None:
        super().__init__(query, after, position, tuple(more))
        self.violations = ((query, after, position), *more)
        self.query, self.after, self.position = query, after, position

    def facts(self) -> dict[str, Any]:
        """As of every error; the query has its wire form, and `more` the other violations."""
        more = [
            {"query": query.members(), "after": after, "position": position}
            for query, after, position in self.violations[1:]
        ]
        return super().facts() | {"query": self.query.members()} | ({"more": more} if more else {})

    def _sentence(self) -> str:
        return "; ".join(
            f"the event at position {position}, after {after}, matches {query}"
            for query, after, position in self.violations[:MOST_NAMED]
        )


class PositionConflictError(ConflictError):
    """The next global position, or that of the event with this id, is `actual` and not `expected`."""

    _facts = ("expected", "actual", "event_id", "source")

    def __init__(self, expected: int, actual: int, event_id: str | None = None) -> None:
        super().__init__(expected, actual, event_id)
        self.expected = expected
        self.actual = actual
        self.event_id = event_id

    def _sentence(self) -> str:
        found = f"event {self.event_id} is at" if self.event_id else "the next event would be at"
        return f"{found} position {self.actual} in this log, not at position {self.expected}"


class EventIdConflictError(ConflictError):
    """The id already belongs to another event, or only part of an append is stored already."""

    _facts = ("event_id", "reason", "source")

    def __init__(self, event_id: str, reason: str) -> None:
        super().__init__(event_id, reason)
        self.event_id = event_id
        self.reason = reason

    def _sentence(self) -> str:
        return f"event id {self.event_id} {self.reason}"


class InvalidInputError(_Sourced, EvstoreError, ValueError):
    """The arguments of the call are invalid; nothing was sent to the store."""

    code = "bad_input"
    _facts: ClassVar[tuple[str, ...]] = ("source",)


class InvalidStreamIdError(InvalidInputError):
    """A stream id (or an event type, or a name) that the rules refuse."""


class InvalidVersionError(InvalidInputError):
    """An expected version that is neither a version nor one of the three constants."""

    _facts = ("expected", "source")

    def __init__(self, expected: object) -> None:
        super().__init__(expected)
        self.expected = expected

    def _sentence(self) -> str:
        return (
            f"{self.expected!r} is not an expected version: use ANY_VERSION (-1), NO_STREAM (0), "
            "STREAM_EXISTS (-2) or the stream's version (1 or more)"
        )


class InvalidPayloadError(InvalidInputError):
    """Data or metadata that cannot be stored exactly as it was given."""


class NoEventsError(InvalidInputError):
    """An append without events."""

    def _sentence(self) -> str:
        return self.args[0] if self.args else "no events to append"


class ConsumerFilterError(InvalidInputError):
    """A consumer is there for other events: `stored` instead of `wanted`, each a clause."""

    code = "usage"
    _facts = ("name", "stored", "wanted", "source")

    def __init__(self, name: str, stored: str, wanted: str) -> None:
        super().__init__(name, stored, wanted)
        self.name = name
        self.stored = stored
        self.wanted = wanted

    def _sentence(self) -> str:
        return f'consumer "{self.name}" is there for {self.stored}, not for {self.wanted}'


class CodecError(EvstoreError):
    """An event of an application cannot be written as JSON, or stored data is none of its class."""

    code = "bad_input"
    _facts: ClassVar[tuple[str, ...]] = ("event_type", "reason")

    def __init__(self, event_type: str, reason: str) -> None:
        super().__init__(event_type, reason)
        self.event_type = event_type
        self.reason = reason

    def __str__(self) -> str:
        return f'event type "{self.event_type}": {self.reason}'


class UnknownEventTypeError(CodecError):
    """No class is registered for an event type, or a class is none."""

    _facts = ("event_type", "event_class")

    def __init__(self, event_type: str = "", event_class: str = "") -> None:
        EvstoreError.__init__(self, event_type, event_class)
        self.event_type = event_type
        self.event_class = event_class

    def __str__(self) -> str:
        if self.event_class:
            return f"class {self.event_class} has no event type: @evstore.event names it"
        return f'no class is registered for event type "{self.event_type}"'


class UpcastGapError(CodecError):
    """No upcaster leads on from `version` of an event type, and its class has version `wanted`."""

    _facts = ("event_type", "version", "wanted")

    def __init__(self, event_type: str, version: int, wanted: int) -> None:
        EvstoreError.__init__(self, event_type, version, wanted)
        self.event_type = event_type
        self.version = version
        self.wanted = wanted

    def __str__(self) -> str:
        name, version = self.event_type, self.version
        return (
            f'event type "{name}": an event has version {version}, its class has version {self.wanted}, and no '
            f"upcaster leads from version {version} to {version + 1}: "
            f'@store.upcaster("{name}", from_version={version}) marks one'
        )


class ConsumerStartError(InvalidInputError):
    """A consumer is to begin after `position`, which the log, up to `head`, has not reached."""

    code = "usage"
    _facts = ("name", "position", "head", "source")

    def __init__(self, name: str, position: int, head: int) -> None:
        super().__init__(name, position, head)
        self.name = name
        self.position = position
        self.head = head

    def _sentence(self) -> str:
        return f'consumer "{self.name}" cannot begin after position {self.position}: the log ends at {self.head}'


class SchemaError(EvstoreError):
    """The location holds no store that this evstore may use; it was left unchanged."""

    code = "schema"
    _facts: ClassVar[tuple[str, ...]] = ("location", "detail")

    def __init__(self, location: str, detail: str = "") -> None:
        super().__init__(location, detail)
        self.location = location
        self.detail = detail

    def __str__(self) -> str:
        return f"the event store at {self.location} cannot be used" + (f": {self.detail}" if self.detail else "")


class NotInitializedError(SchemaError):
    """The location holds no store yet. `detail`: its database is gone, and its log holds events."""

    def __str__(self) -> str:
        return f"no event store at {self.location}" + (f", but {self.detail}" if self.detail else "")


class NotAStoreError(SchemaError):
    """The location holds something else."""

    def __str__(self) -> str:
        return f"{self.location} is not an event store" + (f": {self.detail}" if self.detail else "")


class SchemaTooOldError(SchemaError):
    """The store must be migrated before this evstore can use it."""

    def __str__(self) -> str:
        return f"the event store at {self.location} is too old for this evstore: {self.detail}"


class SchemaTooNewError(SchemaError):
    """A newer evstore made or migrated the store, which admits only newer ones."""

    def __str__(self) -> str:
        return f"the event store at {self.location} is too new for this evstore: {self.detail}"


class MigrationError(SchemaError):
    """A step of a migration cannot be applied. Earlier steps stay, and this one left nothing."""

    _facts = ("location", "step", "detail")

    def __init__(self, location: str, step: str, detail: str) -> None:
        super().__init__(location, detail)
        self.args = (location, step, detail)  # to be pickled
        self.step = step

    def __str__(self) -> str:
        return f"the event store at {self.location} was not migrated by step {self.step}: {self.detail}"


class UnavailableError(EvstoreError):
    """The store could not be reached in time; the same call may succeed later."""

    code = "unavailable"
    retryable = True


class StoreBusyError(UnavailableError):
    """Another writer held the store for longer than the timeout, in seconds. `detail`: it is not evstore."""

    _facts = ("location", "timeout", "detail")

    def __init__(self, location: str, timeout: float, detail: str = "") -> None:
        super().__init__(location, timeout, detail)
        self.location = location
        self.timeout = timeout
        self.detail = detail

    def __str__(self) -> str:
        busy = f"the event store at {self.location} was busy for more than {self.timeout:g} s"
        return f"{busy}: {self.detail}" if self.detail else busy


class StoreReplacedError(UnavailableError):
    """The open file is no longer the store at its path; connect anew."""

    retryable = False
    _facts = ("location", "detail")

    def __init__(self, location: str, detail: str) -> None:
        super().__init__(location, detail)
        self.location = location
        self.detail = detail

    def __str__(self) -> str:
        return f"the event store at {self.location}: {self.detail}; what was not acknowledged is not stored"


class AppendOutcomeUnknownError(UnavailableError):
    """The append may or may not be stored. Appending again with the same ids is safe and gives the answer."""

    _facts = ("ids", "reason")

    def __init__(self, ids: Sequence[str], reason: str = "") -> None:
        super().__init__(tuple(ids), reason)
        self.ids = tuple(ids)
        self.reason = reason

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"the outcome of the append is unknown{reason}; append again with the same ids: {listed(self.ids)}"


class InvalidTargetError(EvstoreError):
    """No file can be written at this path; nothing was written."""

    code = "usage"
    _facts = ("path", "reason")

    def __init__(self, path: str, reason: str = "") -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.reason}"


class TargetExistsError(InvalidTargetError):
    """The file exists; it was left unchanged."""

    def __str__(self) -> str:
        return f"{self.path} exists"


class DeniedError(EvstoreError):
    """No permission; a retry will not help."""

    code = "denied"


class StorageFullError(EvstoreError):
    """The store's disk is full or failing; nothing of the append was kept."""

    code = "io"


class ConsumerHeldError(EvstoreError):
    """Another process works for this consumer: `holder`, where it is known."""

    code = "held"
    _facts = ("name", "holder")

    def __init__(self, name: str, holder: str = "") -> None:
        super().__init__(name, holder)
        self.name = name
        self.holder = holder

    def __str__(self) -> str:
        return f'another process works for consumer "{self.name}"' + (f": {self.holder}" if self.holder else "")


class IntegrityError(EvstoreError):
    """The stored data contradict themselves."""

    code = "damaged"


class CorruptStoreError(IntegrityError):
    """The store is damaged."""


class IncompleteLogError(CorruptStoreError):
    """An event, or a name that it needs, is missing at `position`: damage, or a copy that is not complete yet."""

    _facts = ("location", "position", "missing")

    def __init__(self, location: str, position: int, missing: str) -> None:
        super().__init__(location, position, missing)
        self.location = location
        self.position = position
        self.missing = missing

    def __str__(self) -> str:
        return (
            f"the event store at {self.location} has no {self.missing} at position {self.position}: "
            "it is damaged, or a replication is still copying it"
        )


class LogDivergedError(IntegrityError):
    """The event that was read at `position` is not in this log, which ends at `head`: that of the checkpoint of
    consumer `name`, or with None that of a reader or a subscription."""

    _facts = ("name", "position", "head")

    def __init__(self, name: str | None, position: int, head: int) -> None:
        super().__init__(name, position, head)
        self.name = name
        self.position = position
        self.head = head

    def __str__(self) -> str:
        found = f"the log ends at {self.head}" if self.position > self.head else "another event is there"
        who = "this reader has read" if self.name is None else f'consumer "{self.name}" has handled'
        return (
            f"{who} events up to position {self.position}, but {found}: "
            "this is another log, as after a backup was restored, or after a failover that lost events"
        )


class LogsDifferError(IntegrityError):
    """The store at `location` is no mirror of this log: it has something else at `position`, or goes on there."""

    _facts = ("location", "position", "detail")

    def __init__(self, location: str, position: int, detail: str) -> None:
        super().__init__(location, position, detail)
        self.location = location
        self.position = position
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.location} is no mirror of this log: at position {self.position}, {self.detail}"


class AdapterError(EvstoreError):
    """No adapter can serve the call."""


class InvalidUrlError(AdapterError):
    """The database URL cannot be read, or means two things."""

    code = "usage"


class UnknownAdapterError(AdapterError):
    """No adapter serves this URL scheme."""

    code = "usage"
    _facts = ("scheme", "known")

    def __init__(self, scheme: str, known: Sequence[str]) -> None:
        super().__init__(scheme, tuple(known))
        self.scheme = scheme
        self.known = tuple(known)

    def __str__(self) -> str:
        return f'unknown database scheme "{self.scheme}:"; known are {", ".join(f"{k}:" for k in self.known)}'


class MissingDependencyError(AdapterError):
    """The adapter's package is not installed."""

    code = "usage"


class UnsupportedError(AdapterError):
    """This store cannot do that, or not through evstore."""

    code = "usage"


class RoleNotFoundError(AdapterError):
    """A role that was to get rights does not exist on the server; nothing was changed."""

    code = "usage"
    _facts = ("location", "roles")

    def __init__(self, location: str, roles: Sequence[str]) -> None:
        super().__init__(location, tuple(roles))
        self.location = location
        self.roles = tuple(roles)

    def __str__(self) -> str:
        named = listed([f'"{role}"' for role in self.roles])
        return f"the server of the event store at {self.location} has no role {named}"


class StoreClosedError(AdapterError):
    """The store was closed, or was opened before this process was forked (`forked`)."""

    _facts = ("forked",)

    def __init__(self, reason: str = "", *, forked: bool = False) -> None:
        super().__init__(reason)
        self.forked = forked

    def __str__(self) -> str:
        return self.args[0] or "the store is closed"
