"""The facts of a part of the log by name: streams, categories, types, tags, sources."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from evstore.model.names import category_of, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from evstore.adapters.mongodb.documents import Unit
    from evstore.model.conditions import Query
    from evstore.model.events import StoredEvent
    from evstore.model.filters import Filter

K = TypeVar("K")


class StreamFacts(NamedTuple):
    """A stream at the end of the part."""

    version: int
    created_us: int | None
    """None if its first event lies before the part."""
    updated_us: int
    last_type: str


class Span(NamedTuple):
    """Events of a name: how many, and the positions of the first and the last."""

    events: int
    first: int
    last: int

    def grown(self, other: Span) -> Span:
        """With those of a later part."""
        return Span(self.events + other.events, self.first, other.last)


class SourceFacts(NamedTuple):
    """The last position of a source, and that of the last event that was stored with it."""

    position: int
    last: int


class Facts:
    """The facts of some units in a row."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamFacts] = {}
        self.categories: dict[str, Span] = {}
        self.last_us: dict[str, int] = {}
        """Of categories: the time of the last event."""
        self.types: dict[tuple[str, str], Span] = {}
        """By category and type."""
        self.tags: dict[str, Span] = {}
        self.sources: dict[str, SourceFacts] = {}
        self.staged: list[str] = []
        """The appends of units in chunks."""
        self.low_us = self.high_us = 0
        """The least and the greatest time."""
        self.size = 0

    def copy(self) -> Facts:
        """Facts that grow on their own."""
        made = Facts()
        for name, value in vars(self).items():
            setattr(made, name, value if isinstance(value, int) else value.copy())
        return made

    def add_unit(self, unit: Unit, events: Iterable[StoredEvent]) -> None:
        """Take in the next unit with its events."""
        for event in events:
            self._add(event)
        if unit.source is not None:
            self.sources[unit.source.name] = SourceFacts(unit.source.position, unit.last)
        if unit.starts:
            self.staged.append(unit.append)

    def _add(self, event: StoredEvent) -> None:
        there = Span(1, event.global_position, event.global_position)
        category, time_us = category_of(event.stream_id), event.timestamp_us
        before = self.streams.get(event.stream_id)
        created_us = before.created_us if before else time_us if event.version == 1 else None
        self.streams[event.stream_id] = StreamFacts(event.version, created_us, time_us, event.type)
        _grow(self.categories, category, there)
        self.last_us[category] = time_us
        _grow(self.types, (category, event.type), there)
        for tag in tags_of(event.joined_tags):
            _grow(self.tags, tag, there)
        self._widen(time_us, time_us, 1)

    def _widen(self, low_us: int, high_us: int, size: int) -> None:
        self.low_us = min(self.low_us, low_us) if self.size else low_us
        self.high_us = max(self.high_us, high_us) if self.size else high_us
        self.size += size

    def add(self, later: Facts) -> None:
        """Take in the facts of the part that follows."""
        for name, facts in later.streams.items():
            before = self.streams.get(name)
            self.streams[name] = facts._replace(created_us=before.created_us) if before else facts
        for mine, others in ((self.categories, later.categories), (self.tags, later.tags)):
            for name, span in others.items():
                _grow(mine, name, span)
        for pair, span in later.types.items():
            _grow(self.types, pair, span)
        self.last_us.update(later.last_us)
        self.sources.update(later.sources)
        self.staged += later.staged
        if later.size:
            self._widen(later.low_us, later.high_us, later.size)

    def may_have(self, where: Filter) -> bool:
        """False only if no event of the part matches the filter."""
        types = {name for _, name in self.types}
        return (
            (where.categories is None or any(each in self.categories for each in where.categories))
            and (where.types is None or any(each in types for each in where.types))
            and (where.since_us is None or self.high_us >= where.since_us)
            and (where.until_us is None or self.low_us < where.until_us)
            and (where.query is None or self._may_match(where.query, types))
        )

    def _may_match(self, query: Query, types: set[str]) -> bool:
        return not query.items or any(
            (not item.types or any(each in types for each in item.types))
            and all(tag in self.tags for tag in item.tags)
            for item in query.items
        )

    # --- as a value of a document ---

    def packed(self) -> bytes:
        """The facts in short."""
        members = {
            "streams": [(name, *facts) for name, facts in self.streams.items()],
            "categories": [(name, *span, self.last_us[name]) for name, span in self.categories.items()],
            "types": [(*pair, *span) for pair, span in self.types.items()],
            "tags": [(name, *span) for name, span in self.tags.items()],
            "sources": [(name, *facts) for name, facts in self.sources.items()],
            "staged": self.staged,
            "span": (self.low_us, self.high_us, self.size),
        }
        return zlib.compress(json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode())

    @classmethod
    def unpacked(cls, value: bytes) -> Self:
        """Read what `packed` wrote."""
        members = json.loads(zlib.decompress(value))
        facts = cls()
        facts.streams = {name: StreamFacts(*rest) for name, *rest in members["streams"]}
        facts.categories = {name: Span(*rest) for name, *rest, _ in members["categories"]}
        facts.last_us = {name: last_us for name, *_, last_us in members["categories"]}
        facts.types = {(category, type_): Span(*rest) for category, type_, *rest in members["types"]}
        facts.tags = {name: Span(*rest) for name, *rest in members["tags"]}
        facts.sources = {name: SourceFacts(*rest) for name, *rest in members["sources"]}
        facts.staged = members["staged"]
        facts.low_us, facts.high_us, facts.size = members["span"]
        return facts


def _grow(spans: dict[K, Span], name: K, span: Span) -> None:
    before = spans.get(name)
    spans[name] = before.grown(span) if before else span
