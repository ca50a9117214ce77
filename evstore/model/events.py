"""The forms of an event: `EventData` on its way in, `StoredEvent` for ever after.

The third form is the application's own class. Payloads are JSON text end to end and are parsed only when an
application asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from evstore.errors import InvalidInputError, InvalidPayloadError
from evstore.jsontext.quoting import quote, shortened
from evstore.model.ids import normalize_id
from evstore.model.metadata import NO_METADATA, Metadata
from evstore.model.names import category_of, joined_tags, tags_of
from evstore.model.times import format_timestamp, moment_at, moment_of, timestamp_us
from evstore.model.versions import ANY_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import Protocol, TypeAlias
    from uuid import UUID

    from evstore.jsontext.decoding import StoredFields

    T_co = TypeVar("T_co", covariant=True)

    class Many(Protocol[T_co]):
        """A sized iterable that may be iterated again and again: a list, or events that wait in a file."""

        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[T_co]: ...


E = TypeVar("E")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class EventData:
    """An event to be appended: `data` is any JSON value, `id` a UUID (made by the store when absent).

    The value is turned into text at once: a later change of it changes nothing here. What the store
    refuses (NaN, a wrong type, a malformed id), the append refuses before it writes anything.
    """

    type: str
    data_json: str
    metadata: Metadata
    id: str | None
    tags: tuple[str, ...]

    def __init__(
        self,
        type: str,
        data: Any,
        metadata: Metadata | None = None,
        id: str | UUID | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        try:
            text = _encode()(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidPayloadError(f'data of "{type}" cannot be written as JSON: {error}') from error
        self._set(type, text, metadata, id, tags)

    @classmethod
    def from_json(
        cls,
        type: str,
        text: str,
        metadata: Metadata | None = None,
        id: str | UUID | None = None,
        tags: Iterable[str] = (),
    ) -> EventData:
        """An event whose data is this JSON text, kept exactly as it is."""
        event = cls.__new__(cls)
        event._set(type, text, metadata, id, tags)  # noqa: SLF001 - its own
        return event

    def _set(
        self, type: str, text: str, metadata: Metadata | None, id: str | UUID | None, tags: Iterable[str]
    ) -> None:
        put = object.__setattr__
        put(self, "type", type)
        put(self, "data_json", text)
        put(self, "metadata", NO_METADATA if metadata is None else metadata)
        put(self, "id", None if id is None else str(id))
        put(self, "tags", tags if tags == () else _tuple_of(tags))

    @property
    def data(self) -> Any:
        """The data, parsed anew at each call."""
        from evstore.jsontext.judging import parse_json

        return parse_json(self.data_json)

    def __repr__(self) -> str:
        return f"EventData({self.type} {shortened(str(self.data_json))})"


@cache  # json would make an encoder for each text
def _encode() -> Callable[[Any], str]:
    from json import JSONEncoder

    return JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class StoredEvent(NamedTuple):
    """A stored event, which never changes. Read its fields by name: fields may be added at the end."""

    id: str
    stream_id: str
    type: str
    data_json: str
    metadata_json: str
    version: int
    global_position: int
    timestamp_us: int
    """The moment the event was first stored, in microseconds since 1970-01-01T00:00:00Z."""
    joined_tags: str | None = None
    """Its tags, sorted by code point, a space between; None if it has none."""
    redacted: bool = False
    """Its data was replaced by null."""

    @property
    def data(self) -> Any:
        """The data, parsed anew at each call; `data_json` is its exact text."""
        from evstore.jsontext.judging import parse_json

        return parse_json(self.data_json)

    @property
    def metadata(self) -> Metadata:
        """Its metadata; that of the last 256 texts is parsed once."""
        return Metadata.from_json(self.metadata_json)

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, sorted by code point."""
        return tags_of(self.joined_tags)

    @property
    def category(self) -> str:
        """The text before the first hyphen of its stream id."""
        return category_of(self.stream_id)

    @property
    def timestamp(self) -> datetime:
        """The moment the event was first stored, in UTC. Raises CorruptStoreError for a damaged one."""
        return moment_at(self.timestamp_us)

    def to_json(self) -> str:
        """One line of the wire form, without its line break; the payload's text is spliced in as it is."""
        (line,) = lines_of((self,))
        return line

    @classmethod
    def from_json(cls, line: str | bytes) -> StoredEvent:
        """Read one line of the wire form; unknown keys are ignored."""
        from evstore.jsontext.decoding import stored_fields

        return cls._of(stored_fields(line))

    @classmethod
    def _of(cls, found: StoredFields) -> StoredEvent:
        try:
            moment = moment_of(found.timestamp)
        except (ValueError, OverflowError) as error:
            raise InvalidPayloadError(f"not a stored event: {error}") from error
        return cls(
            normalize_id(found.id),
            found.stream_id,
            found.type,
            found.data,
            found.metadata,
            found.version,
            found.global_position,
            timestamp_us(moment),
            joined_tags(found.tags),
            found.redacted,
        )

    @classmethod
    def from_json_noting(cls, line: str | bytes) -> tuple[StoredEvent, list[str]]:
        """Read one line of the wire form, and list its unknown keys."""
        from evstore.jsontext.decoding import stored_fields_and_unknown

        found, unknown = stored_fields_and_unknown(line)
        return cls._of(found), unknown

    def __repr__(self) -> str:
        place = f"{self.stream_id} v{self.version} @{self.global_position}"
        return f"StoredEvent({place} {self.type} {shortened(self.data_json)})"


def lines_of(events: Iterable[StoredEvent]) -> list[str]:
    """The wire form of each event, as `StoredEvent.to_json` gives it."""
    return [
        f'{{"id":"{event_id}","streamId":{quote(stream_id)},"type":{quote(type_)},'
        f'"data":{data},"metadata":{metadata},"version":{version},'
        f'"globalPosition":{position},"timestamp":"{format_timestamp(time_us)}"'
        f"{rarer_members(tags, redacted=redacted) if tags or redacted else ''}}}"
        for event_id, stream_id, type_, data, metadata, version, position, time_us, tags, redacted in events
    ]


def rarer_members(joined: str | None, *, redacted: bool) -> str:
    """The members of a line that most events lack."""
    tags = f',"tags":[{",".join(map(quote, tags_of(joined)))}]' if joined else ""
    return tags + (',"redacted":true' if redacted else "")


def _tuple_of(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise InvalidInputError(f'tags come in a list, also when there is only one: ["{tags}"]')
    return tuple(tags)


class Write(NamedTuple, Generic[E]):
    """Events for one stream with the expected version; one part of an atomic append."""

    stream_id: str
    events: Many[E]
    expected_version: int = ANY_VERSION


if TYPE_CHECKING:
    NewWrite: TypeAlias = Write[Any] | tuple[str, Sequence[Any], int]
    """Events as an application gives them: EventData, or of its own classes."""
