"""evstore: an event store for the command line and for Python.

Public are `evstore`, `evstore.port`, `evstore.testing` and what they name; everything else may change.
"""

TYPE_CHECKING = False  # as in typing, which need not be loaded for it
if TYPE_CHECKING:
    from evstore.appending.context import metadata
    from evstore.application.aggregate import Aggregate
    from evstore.application.codec import (
        Codec,
        JsonCodec,
    )
    from evstore.application.handlers import when
    from evstore.application.types import event
    from evstore.application.upcasting import Upcast
    from evstore.connecting import connect
    from evstore.consumers.consumer import Consumer
    from evstore.consumers.effects import (
        Reaction,
    )
    from evstore.consumers.elsewhere import SqliteCheckpoint
    from evstore.consumers.overview import (
        ConsumerInfo,
        ConsumerList,
    )
    from evstore.consumers.projecting import (
        ProjectionRunner,
        ProjectionStatus,
    )
    from evstore.consumers.projections import (
        Projection,
        ProjectionTransaction,
    )
    from evstore.consumers.transactions import Transaction
    from evstore.errors import (
        AdapterError,
        AppendConditionError,
        AppendOutcomeUnknownError,
        CodecError,
        ConcurrencyError,
        ConflictError,
        ConsumerFilterError,
        ConsumerHeldError,
        ConsumerNotFoundError,
        ConsumerStartError,
        CorruptStoreError,
        DeniedError,
        EventIdConflictError,
        EventNotFoundError,
        EvstoreError,
        IncompleteLogError,
        IntegrityError,
        InvalidInputError,
        InvalidPayloadError,
        InvalidStreamIdError,
        InvalidTargetError,
        InvalidUrlError,
        InvalidVersionError,
        LogDivergedError,
        LogsDifferError,
        MigrationError,
        MissingDependencyError,
        NoEventsError,
        NotAStoreError,
        NotFoundError,
        NotInitializedError,
        PositionConflictError,
        RoleNotFoundError,
        SchemaError,
        SchemaTooNewError,
        SchemaTooOldError,
        StorageFullError,
        StoreBusyError,
        StoreClosedError,
        StoreReplacedError,
        StreamNotFoundError,
        TargetExistsError,
        UnavailableError,
        UnknownAdapterError,
        UnknownEventTypeError,
        UnsupportedError,
        UpcastGapError,
    )
    from evstore.model.conditions import (
        AppendCondition,
        Query,
    )
    from evstore.model.consumers import Parked
    from evstore.model.events import (
        EventData,
        StoredEvent,
        Write,
    )
    from evstore.model.facts import (
        Backup,
        CategoryInfo,
        Migration,
        SourceInfo,
        StoreInfo,
        StreamInfo,
        TagInfo,
        TypeInfo,
    )
    from evstore.model.metadata import Metadata
    from evstore.model.names import category_of
    from evstore.model.versions import (
        ANY_VERSION,
        NO_STREAM,
        STREAM_EXISTS,
    )
    from evstore.store import (
        Appended,
        Decision,
        EventStore,
        Loaded,
    )

__version__ = "0.1.0"

# Each name is loaded when it is first asked for: `--version` and completion need none of them. Errors are in one
# module.
_HOMES = {
    "evstore.appending.context": ("metadata",),
    "evstore.application.aggregate": ("Aggregate",),
    "evstore.application.codec": ("Codec", "JsonCodec"),
    "evstore.application.handlers": ("when",),
    "evstore.application.types": ("event",),
    "evstore.application.upcasting": ("Upcast",),
    "evstore.connecting": ("connect",),
    "evstore.consumers.consumer": ("Consumer",),
    "evstore.consumers.elsewhere": ("SqliteCheckpoint",),
    "evstore.consumers.overview": ("ConsumerInfo", "ConsumerList"),
    "evstore.consumers.projecting": ("ProjectionRunner", "ProjectionStatus"),
    "evstore.consumers.projections": ("Projection", "ProjectionTransaction"),
    "evstore.consumers.transactions": ("Transaction",),
    "evstore.consumers.effects": ("Reaction",),
    "evstore.model.conditions": (
        "AppendCondition",
        "Query",
    ),
    "evstore.model.consumers": ("Parked",),
    "evstore.model.events": (
        "EventData",
        "StoredEvent",
        "Write",
    ),
    "evstore.model.facts": (
        "Backup",
        "CategoryInfo",
        "Migration",
        "SourceInfo",
        "StoreInfo",
        "StreamInfo",
        "TagInfo",
        "TypeInfo",
    ),
    "evstore.model.metadata": ("Metadata",),
    "evstore.model.names": ("category_of",),
    "evstore.model.versions": (
        "ANY_VERSION",
        "NO_STREAM",
        "STREAM_EXISTS",
    ),
    "evstore.store": (
        "Appended",
        "Decision",
        "EventStore",
        "Loaded",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "evstore.errors" if name.endswith("Error") else _HOME_OF[name]
    found: object = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "ANY_VERSION",
    "NO_STREAM",
    "STREAM_EXISTS",
    "AdapterError",
    "Aggregate",
    "AppendCondition",
    "AppendConditionError",
    "AppendOutcomeUnknownError",
    "Appended",
    "Backup",
    "CategoryInfo",
    "Codec",
    "CodecError",
    "ConcurrencyError",
    "ConflictError",
    "Consumer",
    "ConsumerFilterError",
    "ConsumerHeldError",
    "ConsumerInfo",
    "ConsumerList",
    "ConsumerNotFoundError",
    "ConsumerStartError",
    "CorruptStoreError",
    "Decision",
    "DeniedError",
    "EventData",
    "EventIdConflictError",
    "EventNotFoundError",
    "EventStore",
    "EvstoreError",
    "IncompleteLogError",
    "IntegrityError",
    "InvalidInputError",
    "InvalidPayloadError",
    "InvalidStreamIdError",
    "InvalidTargetError",
    "InvalidUrlError",
    "InvalidVersionError",
    "JsonCodec",
    "Loaded",
    "LogDivergedError",
    "LogsDifferError",
    "Metadata",
    "Migration",
    "MigrationError",
    "MissingDependencyError",
    "NoEventsError",
    "NotAStoreError",
    "NotFoundError",
    "NotInitializedError",
    "Parked",
    "PositionConflictError",
    "Projection",
    "ProjectionRunner",
    "ProjectionStatus",
    "ProjectionTransaction",
    "Query",
    "Reaction",
    "RoleNotFoundError",
    "SchemaError",
    "SchemaTooNewError",
    "SchemaTooOldError",
    "SourceInfo",
    "SqliteCheckpoint",
    "StorageFullError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreInfo",
    "StoreReplacedError",
    "StoredEvent",
    "StreamInfo",
    "StreamNotFoundError",
    "TagInfo",
    "TargetExistsError",
    "Transaction",
    "TypeInfo",
    "UnavailableError",
    "UnknownAdapterError",
    "UnknownEventTypeError",
    "UnsupportedError",
    "Upcast",
    "UpcastGapError",
    "Write",
    "__version__",
    "category_of",
    "connect",
    "event",
    "metadata",
    "when",
]
