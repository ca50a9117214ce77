"""The checks of an event, and the only maker of a PreparedEvent.

Every event that reaches an adapter has passed this module: its type proves that, no flag does.
"""

from __future__ import annotations

from itertools import count, repeat
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import InvalidInputError, InvalidPayloadError, NoEventsError
from evstore.model.columns import rows_of
from evstore.model.events import EventData, Write
from evstore.model.ids import key_id, new_id, normalize_id
from evstore.model.metadata import NO_METADATA, Metadata, check_metadata
from evstore.model.names import check_known_stream_id, check_name, check_stream_id, joined_tags, merged_tags
from evstore.model.versions import check_expected_version
from evstore.port import Append, PreparedEvent, limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evstore.appending.plain import PlainEnvelopes
    from evstore.jsontext.judging import KeptJson
    from evstore.model.events import NewWrite, StoredEvent
    from evstore.port import Adapter, Limits, PreparedWrite


MOST_KNOWN: Final = 1000
"""Types and metadata that are known to be valid, and not checked again."""


class Preparing:
    """A maker of prepared events that share default metadata and tags.

    `max_data_bytes` bounds data given to `event`, and `encode` makes the EventData of an application's own event.
    """

    def __init__(
        self,
        default: Metadata | None = None,
        max_data_bytes: int | None = None,
        tags: Iterable[str] = (),
        encode: Callable[[Any], EventData] | None = None,
    ) -> None:
        self._encode = encode
        self._tags = joined_tags(tags)
        self._default = default
        self._default_is_checked = False
        self._max_data_bytes = max_data_bytes
        # Events of one append mostly share their types, and often their metadata: both are judged once.
        self._types: set[str] = set()
        self._last: Metadata | None = None
        self._merged = NO_METADATA
        self._merged_json = ""
        self._by_text: dict[str, tuple[str, str | None]] = {}

    def given(self, event: Any) -> EventData:
        """The EventData of an event as an application gives it. Raises InvalidInputError, CodecError."""
        if isinstance(event, EventData):
            return event
        if self._encode is None:
            raise InvalidInputError(f"an event is an EventData, not {type(event).__name__}")
        return self._encode(event)

    def event(self, event: EventData, made_id: str | None = None) -> PreparedEvent:
        """The prepared event. `made_id` serves an event without an id. Raises InvalidInputError."""
        from evstore.jsontext.judging import MAX_DATA_BYTES, check_json

        check_name("event type", event.type)
        kept = check_json(event.data_json, self._max_data_bytes or MAX_DATA_BYTES)
        tags = joined_tags(event.tags) if event.tags else None
        return self._complete(event.type, kept, event.metadata, event.id, made_id, tags)

    def stored(self, event: StoredEvent) -> PreparedEvent:
        """The prepared event of one that another store holds, after every check. Raises InvalidInputError."""
        check_known_stream_id(event.stream_id)
        given = EventData.from_json(event.type, event.data_json, event.metadata, event.id, event.tags)
        return self.event(given)._replace(redacted=event.redacted)

    def kept(
        self,
        type: str,
        data: KeptJson,
        metadata: Metadata = NO_METADATA,
        id: str | None = None,
        made_id: str | None = None,
        tags: Iterable[str] = (),
    ) -> PreparedEvent:
        """The prepared event of data whose text was judged at reading. Raises InvalidInputError."""
        if type not in self._types:
            self._check_type(type)
        return self._complete(type, data, metadata, id, made_id, joined_tags(tags) if tags else None)

    def kept_each(self, found: PlainEnvelopes) -> Iterator[PreparedEvent]:
        """The same of plain envelopes. Raises InvalidInputError for a fault, not always for the first."""
        for name in {*found.types} - self._types:
            self._check_type(name)
        for stream_id in {*found.stream_ids}:
            if stream_id is not None:
                check_stream_id(stream_id)
        texts, correlation_ids = found.metadata, found.correlation_ids
        if self._default not in (None, NO_METADATA):
            merged = [self._with_default(text) for text in texts]
            texts, correlation_ids = zip(*merged, strict=True)
        ids = [new_id() if each is None else normalize_id(each) for each in found.ids]
        tags = [merged_tags(each, self._tags) for each in found.tags] if self._tags else found.tags
        return rows_of(PreparedEvent, ids, found.types, found.data, texts, correlation_ids, tags, repeat(False))

    def _check_type(self, type: str) -> None:
        check_name("event type", type)
        if len(self._types) < MOST_KNOWN:
            self._types.add(type)

    def _with_default(self, text: str) -> tuple[str, str | None]:
        """The wire form and the correlation id of metadata of this wire form, its gaps filled."""
        known = self._by_text.get(text)
        if known is None:
            self._judge(Metadata.from_json(text))
            known = self._merged_json, self._merged.correlation_id
            if len(self._by_text) == MOST_KNOWN:
                self._by_text.clear()
            self._by_text[text] = known
        return known

    def _complete(
        self,
        type: str,
        data: KeptJson,
        metadata: Metadata,
        id: str | None,
        made_id: str | None,
        tags: str | None,
    ) -> PreparedEvent:
        if metadata is not self._last:
            self._judge(metadata)
        event_id = (made_id or new_id()) if id is None else normalize_id(id)
        tags = merged_tags(tags, self._tags)
        return PreparedEvent(event_id, type, data, self._merged_json, self._merged.correlation_id, tags)

    def _judge(self, metadata: Metadata) -> None:
        check_metadata(metadata)
        merged = metadata
        if self._default is not None:
            if not self._default_is_checked:
                check_metadata(self._default)
                self._default_is_checked = True
            merged = metadata.over(self._default)
            if merged is not metadata:
                check_metadata(merged)  # together they may be too large
        self._last, self._merged, self._merged_json = metadata, merged, merged.to_json()


def prepared_again(columns: Iterable[Iterable[Any]]) -> Iterator[PreparedEvent]:
    """The PreparedEvents of these columns, which waited outside memory."""
    return rows_of(PreparedEvent, *columns)


def unit_of(
    writes: Iterable[NewWrite],
    metadata: Metadata | None = None,
    *,
    key: str | None = None,
    tags: Iterable[str] = (),
    unless: Any = None,
    require: Iterable[tuple[str, int]] = (),
    source: Any = None,
    max_data_bytes: int | None = None,
    encode: Callable[[Any], EventData] | None = None,
) -> Append:
    """A complete unit of checked events; nothing is appended. Raises InvalidInputError.

    `metadata` is the default of each event, and each gets the `tags` too. A `key` makes the ids of events without
    one. `unless`, `require` and `source` as in `EventStore.append`. `encode` as in Preparing.
    """
    preparing = Preparing(metadata, max_data_bytes, tags, encode)
    checked: list[PreparedWrite] = []
    ids: set[str] = set()
    ordinals = count(1)
    has_new_ids = False
    for write in writes:
        stream_id, events, expected = Write(*write)
        check_stream_id(stream_id)
        if not hasattr(events, "__iter__"):
            raise InvalidInputError("events come in a list, also when there is only one")
        complete = []
        for event in map(preparing.given, events):
            made = None if key is None else key_id(stream_id, key, next(ordinals))
            complete.append(preparing.event(event, made))
            has_new_ids = has_new_ids or (made is None and event.id is None)
        if not complete:
            raise NoEventsError(f'no events to append to stream "{stream_id}"')
        check_expected_version(expected)
        for each in complete:
            if each.id in ids:
                raise InvalidInputError(f"event id {each.id} comes twice in one append")
            ids.add(each.id)
        checked.append(Write(stream_id, complete, expected))
    if not checked:
        raise NoEventsError
    return _guarded(Append(checked, has_new_ids=has_new_ids), unless, require, source)


def _guarded(unit: Append, unless: Any, require: Iterable[tuple[str, int]], source: Any) -> Append:
    if unless is not None or require:
        from evstore.model.conditions import conditions_of, requirements_of

        unit = unit._replace(conditions=conditions_of(unless), requirements=requirements_of(require))
    if source is not None:
        from evstore.model.sources import source_of

        unit = unit._replace(source=source_of(source))
    return unit


def check_fits(units: Iterable[Append], adapter: Adapter) -> None:
    """Raise InvalidInputError if a unit is larger than its store can take."""
    if not adapter.capabilities.has_limits:
        return
    name, limits = adapter.capabilities.name, limits_of(adapter)
    most, longest = limits.unit_events, limits.data_bytes
    for unit in units:
        size = sum(len(write.events) for write in unit.writes)
        if most is not None and size > most:
            takes = f"{name} takes {most} at once{_set_by(limits)}"
            raise InvalidInputError(f"an append of {size} events, and {takes}")
        if longest is not None:
            _check_lengths(unit, longest, f"{name} takes {longest}{_set_by(limits)}")


def _check_lengths(unit: Append, longest: int, takes: str) -> None:
    for write in unit.writes:
        for event in write.events:
            length = len(event.data_json.encode())
            if length > longest:
                raise InvalidPayloadError(f"data of {length} bytes, and {takes}")


def _set_by(limits: Limits) -> str:
    return f", as {limits.set_by} says" if limits.set_by else ""
