"""The values that pass through evstore: immutable, without I/O.

An event has three forms: the application's own class, `EventData` (the write model) and `StoredEvent` (the
storage model). Payloads are JSON text end to end and are parsed only when an application asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.errors import InvalidPayloadError
from evstore.streams import ANY_VERSION, category_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol, TypeVar
    from uuid import UUID

    T_co = TypeVar("T_co", covariant=True)

    class Many(Protocol[T_co]):
        """What can be counted and iterated as often as needed, and no more: a list, or what lies in a file."""

        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[T_co]: ...


MAX_METADATA_BYTES: Final = 64 * 1024
MAX_METADATA_ID_BYTES: Final = 512

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_IDS: Final = {
    "correlationId": "correlation_id",
    "causationId": "causation_id",
    "userId": "user_id",
    "tenantId": "tenant_id",
}
METADATA_KEYS: Final = (*_IDS, "custom")

# The C encoder of the standard library when it is there: escapes what JSON must escape, nothing else.
quote = encode_basestring


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known about an event beside its data. An empty string or None in an id counts as absent."""

    correlation_id: str | None = None
    causation_id: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict, hash=False)
    _json: str = field(default="", init=False, compare=False)  # made once: events share their metadata
    checked: bool = field(default=False, init=False, compare=False)
    """Whether a store has found it fit to be stored. Not for applications."""

    def __post_init__(self) -> None:
        for name in _IDS.values():
            if getattr(self, name) == "":
                object.__setattr__(self, name, None)
        if isinstance(self.custom, Mapping):  # anything else is refused when it is appended
            object.__setattr__(self, "custom", MappingProxyType(dict(self.custom)))

    def __reduce__(self) -> tuple[type[Metadata], tuple[Any, ...]]:
        return Metadata, (*(getattr(self, name) for name in _IDS.values()), dict(self.custom))

    def __repr__(self) -> str:
        members = {name: getattr(self, name) for name in _IDS.values()}
        members["custom"] = dict(self.custom) if isinstance(self.custom, Mapping) else self.custom
        return f"Metadata({_short(', '.join(f'{name}={value!r}' for name, value in members.items() if value))})"

    def over(self, default: Metadata) -> Metadata:
        """This metadata, its gaps filled from `default`, field by field and `custom` key by key."""
        if default == _NO_METADATA:
            return self
        own = [getattr(self, name) or getattr(default, name) for name in _IDS.values()]
        return Metadata(own[0], own[1], own[2], own[3], {**default.custom, **self.custom})

    def to_json(self) -> str:
        """The wire form: absent members left out, `{}` when there are none."""
        if not self._json:
            members = [
                f"{quote(key)}:{quote(value)}" for key, name in _IDS.items() if (value := getattr(self, name))
            ]
            if self.custom:
                custom = ",".join(f"{quote(key)}:{quote(value)}" for key, value in self.custom.items())
                members.append(f'"custom":{{{custom}}}')
            object.__setattr__(self, "_json", f"{{{','.join(members)}}}")
        return self._json

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Read the wire form; another key than the five, or another type, is an InvalidPayloadError."""
        from evstore.wire import metadata_from_json  # noqa: PLC0415 - reading a log does not need it

        return metadata_from_json(text)


_NO_METADATA: Final = Metadata()


@dataclass(frozen=True, slots=True, init=False, repr=False)
class EventData:
    """An event to be appended: `data` is any JSON value, `id` a UUID (made by the store when absent).

    The value is turned into text at once, so that changing it afterwards changes nothing here. What the store
    refuses (NaN, a wrong type, an id that is none) is refused by the append, before anything is written.
    """

    type: str
    data_json: str
    metadata: Metadata
    id: str | None
    checked: bool = field(compare=False)
    """Whether a store has found it fit to be appended, and has completed it. Not for applications."""

    def __init__(
        self, type: str, data: Any, metadata: Metadata | None = None, id: str | UUID | None = None
    ) -> None:
        from json import dumps  # noqa: PLC0415 - the command line never comes here

        try:
            text = dumps(data, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidPayloadError(f'data of "{type}" cannot be written as JSON: {error}') from error
        self._set(type, text, metadata, id)

    @classmethod
    def from_json(
        cls,
        type: str,
        text: str,
        metadata: Metadata | None = None,
        id: str | UUID | None = None,
        *,
        checked: bool = False,
    ) -> EventData:
        """An event whose data is this JSON text, kept exactly as it is."""
        event = cls.__new__(cls)
        event._set(type, text, metadata, id, checked)  # noqa: SLF001 - its own
        return event

    def _set(
        self, type: str, text: str, metadata: Metadata | None, id: str | UUID | None, checked: bool = False
    ) -> None:
        put = object.__setattr__
        put(self, "type", type)
        put(self, "data_json", text)
        put(self, "metadata", _NO_METADATA if metadata is None else metadata)
        put(self, "id", None if id is None else str(id))
        put(self, "checked", checked)

    @property
    def data(self) -> Any:
        """The data, parsed anew at each call."""
        from evstore.jsontext import parse_json  # noqa: PLC0415 - not needed to append

        return parse_json(self.data_json)

    def __repr__(self) -> str:
        return f"EventData({self.type} {_short(str(self.data_json))})"


class StoredEvent(NamedTuple):
    """An event as it is stored, for ever. Read it by name: fields may be added at the end."""

    id: str
    stream_id: str
    type: str
    data_json: str
    metadata_json: str
    version: int
    global_position: int
    timestamp_us: int
    """Microseconds since 1970-01-01T00:00:00Z: when the event was first stored."""

    @property
    def data(self) -> Any:
        """The data, parsed anew at each call; `data_json` is its exact text."""
        from evstore.jsontext import parse_json  # noqa: PLC0415 - replaying never parses

        return parse_json(self.data_json)

    @property
    def metadata(self) -> Metadata:
        return Metadata.from_json(self.metadata_json)

    @property
    def category(self) -> str:
        return category_of(self.stream_id)

    @property
    def timestamp(self) -> datetime:
        """When the event was first stored, in UTC."""
        return EPOCH + timedelta(microseconds=self.timestamp_us)

    def to_json(self) -> str:
        """One line of the wire form, without its line break; the payload's text is spliced in as it is."""
        return (
            f'{{"id":"{self[0]}","streamId":{quote(self[1])},"type":{quote(self[2])},"data":{self[3]},'
            f'"metadata":{self[4]},"version":{self[5]},"globalPosition":{self[6]},'
            f'"timestamp":"{format_timestamp(self[7])}"}}'
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> StoredEvent:
        """Read one line of the wire form; keys that are not known are ignored."""
        from evstore.wire import stored_from_json  # noqa: PLC0415 - reading a log does not need it

        return stored_from_json(line)

    def __repr__(self) -> str:
        return f"StoredEvent({self[1]} v{self[5]} @{self[6]} {self[2]} {_short(self[3])})"


class Write(NamedTuple):
    """Events for one stream, and what is expected of it; one part of an atomic append."""

    stream_id: str
    events: Many[EventData]
    expected_version: int = ANY_VERSION


class StreamInfo(NamedTuple):
    stream_id: str
    category: str
    version: int
    created_us: int
    updated_us: int
    last_type: str
    missing: int = 0
    """Events up to `version` that are not here: of a log that was read from a filtered file."""

    @property
    def events(self) -> int:
        """How many events the stream has."""
        return self.version - self.missing


class CategoryInfo(NamedTuple):
    category: str
    streams: int
    events: int
    first_position: int
    last_position: int
    last_us: int


class TypeInfo(NamedTuple):
    type: str
    events: int
    first_position: int
    last_position: int


class StoreInfo(NamedTuple):
    """What a store is, where it lies and how much it holds."""

    backend: str
    backend_version: str
    place: str
    """The resolved path, or the URL without its password."""
    schema_version: int
    streams: int
    categories: int
    head: int
    """The global position of the last event."""
    size_bytes: int
    durability: Mapping[str, str]
    warnings: tuple[str, ...]
    missing: int = 0
    """Events up to `head` that are not here: of a log that was read from a filtered file."""

    @property
    def events(self) -> int:
        """How many events the store has."""
        return self.head - self.missing


class Filter(NamedTuple):
    """Which events of the log are wanted; None asks nothing. Axes are ANDed, members of one are ORed."""

    categories: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    correlation_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    def matches(self, event: StoredEvent) -> bool:
        """The meaning of a filter; every adapter agrees with it."""
        return (
            (self.categories is None or event.category in self.categories)
            and (self.types is None or event.type in self.types)
            and (self.correlation_id is None or event.metadata.correlation_id == self.correlation_id)
            and (self.since_us is None or event.timestamp_us >= self.since_us)
            and (self.until_us is None or event.timestamp_us < self.until_us)
        )


def format_timestamp(timestamp_us: int) -> str:
    """UTC, always six decimals, so that timestamps sort as text."""
    moment = EPOCH + timedelta(microseconds=timestamp_us)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def timestamp_us(moment: datetime) -> int:
    """Microseconds since 1970 in UTC; a moment without a zone is refused."""
    if moment.tzinfo is None:
        raise InvalidPayloadError(f"the time {moment.isoformat()} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004
