"""Converter: an application's event becomes EventData, and a stored event the application's again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.application.codec import JSON, SCHEMA_VERSION
from evstore.application.types import Registry, is_event, type_of
from evstore.application.upcasting import Upcast, Upcasters
from evstore.errors import CodecError, InvalidInputError, UnknownEventTypeError, UpcastGapError
from evstore.jsontext.quoting import shortened
from evstore.model.events import EventData
from evstore.model.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from evstore.application.codec import Codec
    from evstore.model.events import StoredEvent

    Decode: TypeAlias = Callable[[StoredEvent], Sequence[Any]]

LONGEST_VERSION: Final = 9
"""Digits of a schema version."""


class Converter:
    """The classes, the upcasters and the codec of one store."""

    def __init__(self, codec: Codec | None = None) -> None:
        self._codec = codec or JSON
        self._registry = Registry()
        self._upcasters = Upcasters()

    def register(self, *classes: type) -> None:
        """Take these classes for loading. Raises InvalidInputError, UnknownEventTypeError."""
        for cls in classes:
            name, version = type_of(cls)
            self._check_versions(name, version, self._upcasters.last_of(name))
            self._registry.register(cls)

    def add_upcaster(
        self,
        event_type: str,
        from_version: int,
        function: Callable[..., Any],
        to: str | Iterable[str] | None,
        to_version: int | None,
    ) -> None:
        """Take an upcaster. Raises InvalidInputError."""
        known = self._registry.get(event_type)
        if known is not None:
            self._check_versions(event_type, type_of(known).version, from_version)
        self._upcasters.add(event_type, from_version, function, to, to_version)

    def _check_versions(self, name: str, version: int, last: int) -> None:
        if last >= version:
            raise InvalidInputError(
                f'event type "{name}" has an upcaster from version {last}, and its class has version {version}; '
                "the last upcaster leads to the version of the class"
            )

    def sources_of(self, wanted: Iterable[str]) -> set[str]:
        """These event types, and those that upcasters turn into them."""
        return self._upcasters.sources_of(wanted)

    def steps(self) -> Iterable[tuple[str, Callable[..., Any]]]:
        """The steps of all upcasters, and their functions."""
        return self._upcasters.steps()

    def encode(self, event: Any, id: str | None = None) -> EventData:
        """The EventData of an event of the application; one that is EventData is passed on.

        Raises InvalidInputError for an object of another class, CodecError for one that cannot be written.
        """
        if isinstance(event, EventData):
            return event
        cls = type(event)
        if isinstance(event, type):
            raise InvalidInputError(f"an event is an object of class {event.__name__}, not the class itself")
        if not is_event(cls):
            raise InvalidInputError(
                f"an event is an EventData, or of a class that @evstore.event names, not {cls.__name__}"
            )
        name, version = type_of(cls)
        metadata = Metadata(custom={SCHEMA_VERSION: str(version)}) if version > 1 else None
        tags = event.tags() if callable(getattr(cls, "tags", None)) else ()
        try:
            text = self._codec.encode(event)
        except CodecError:
            raise
        except Exception as error:
            raise CodecError(name, f"its event cannot be encoded: {error}") from error
        return EventData.from_json(name, text, metadata, id, tags)

    def decoding(self, classes: Mapping[str, type] | None = None, *, strict: bool = False) -> Decode:
        """A function that makes of a stored event the application's: one, or several where an upcaster makes them.

        It knows these classes by event type, else those that are registered. An event of no class, and a redacted
        one, stays a StoredEvent; if `strict`, one of no class raises UnknownEventTypeError.
        The function raises CodecError, and UpcastGapError where upcasters are missing.
        """
        class_of: Callable[[str], type | None] = self._registry.get if classes is None else classes.get
        is_old, decode = self._upcasters.types.__contains__, self._codec.decode
        plain: dict[str, type] = {}  # of version 1, and without upcasters

        def decoded(stored: StoredEvent) -> Sequence[Any]:
            if stored.redacted:
                return (stored,)
            try:
                if SCHEMA_VERSION in stored.metadata_json or is_old(stored.type):
                    return self._upcast(stored, class_of, strict)
                cls = plain.get(stored.type) or class_of(stored.type)
                if cls is not None and (stored.type in plain or type_of(cls).version == 1):
                    plain[stored.type] = cls
                    return (decode(stored.data_json, cls),)
                return (self._object(Upcast(stored.type, None), stored.data_json, stored, class_of, strict),)
            except CodecError:
                raise
            except Exception as error:
                raise CodecError(stored.type, f"it cannot be decoded: {type(error).__name__}: {error}") from error

        return decoded

    def each(self, events: Iterable[StoredEvent], *, strict: bool) -> Iterator[tuple[StoredEvent, Sequence[Any]]]:
        """Each stored event with what it is for the application. An error has a note about the event."""
        decode = self.decoding(strict=strict)
        for stored in events:
            try:
                found = decode(stored)
            except CodecError as error:
                error.add_note(f"decoding failed on {about(stored)}")
                raise
            yield stored, found

    def _upcast(self, stored: StoredEvent, class_of: Callable[[str], type | None], strict: bool) -> Sequence[Any]:
        version = _version_of(stored)
        if stored.type not in self._upcasters.types:
            there = Upcast(stored.type, None, version)
            return (self._object(there, stored.data_json, stored, class_of, strict),)

        def is_reached(name: str, version: int) -> bool:
            cls = class_of(name)
            return cls is not None and type_of(cls).version == version

        found: list[Any] = []
        for each in self._upcasters.upcast(stored, Upcast(stored.type, stored.data, version), is_reached):
            event = self._object(each, EventData(each.type, each.data).data_json, stored, class_of, strict)
            if event is not stored or not any(other is stored for other in found):
                found.append(event)
        return found

    def _object(
        self,
        there: Upcast,
        text: str,
        stored: StoredEvent,
        class_of: Callable[[str], type | None],
        strict: bool,
    ) -> Any:
        cls = class_of(there.type)
        if cls is None:
            if strict:
                raise UnknownEventTypeError(there.type)
            return stored
        wanted = type_of(cls).version
        if there.version < wanted:
            raise UpcastGapError(there.type, there.version, wanted)
        if there.version > wanted:
            raise CodecError(
                there.type, f"its schema has version {there.version}, {cls.__qualname__} has {wanted}: it is newer"
            )
        return self._codec.decode(text, cls)


def _version_of(stored: StoredEvent) -> int:
    text = stored.metadata.custom.get(SCHEMA_VERSION, "1")
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_VERSION and int(text) > 0):
        shown = shortened(repr(text))
        raise CodecError(stored.type, f'its metadata has "{SCHEMA_VERSION}" {shown}, which is no number from 1')
    return int(text)


def about(stored: StoredEvent) -> str:
    """A stored event in words, for a note to an error."""
    return (
        f"the event at position {stored.global_position}: {stored.type} {stored.id}, "
        f'version {stored.version} of stream "{stored.stream_id}"'
    )
