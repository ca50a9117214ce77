"""Lists of names and their facts: those of all blocks, and of the units after them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from evstore.adapters.memory_lists import names_of
from evstore.adapters.mongodb.facts import Facts, Span
from evstore.model.facts import CategoryInfo, SourceInfo, StreamInfo, TagInfo, TypeInfo
from evstore.model.names import category_of

if TYPE_CHECKING:
    import threading

    from evstore.adapters.mongodb.facts import StreamFacts
    from evstore.adapters.mongodb.index import Index
    from evstore.port import NamePage


class Lists:
    """The lists of an adapter. `guard` is held around the index."""

    def __init__(self, index: Index, guard: threading.RLock) -> None:
        self._index = index
        self._guard = guard
        self._facts = Facts()
        self._number = 0
        """The block up to which these facts go."""

    def facts(self) -> Facts:
        """The facts of the whole log. Those of blocks are kept, for they never change."""
        with self._guard:
            self._index.catch_up()
            while self._number < self._index.end.number:
                self._facts.add(self._index.blocks.facts(self._number + 1))
                self._number += 1
            whole = self._facts.copy()
            whole.add(self._index.tail.facts)
            return whole

    def stream(self, stream_id: str) -> StreamInfo | None:
        """The facts of a stream."""
        with self._guard:
            self._index.catch_up()
            found = self._index.whole_stream(stream_id)
        return _stream_info(stream_id, found) if found else None

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        """Streams by id."""
        streams = self.facts().streams
        inside = (each for each in streams if category is None or category_of(each) == category)
        return [_stream_info(each, streams[each]) for each in names_of(inside, page)]

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        """Categories by name."""
        facts = self.facts()
        streams = Counter(map(category_of, facts.streams))
        spans = facts.categories
        return [
            CategoryInfo(name, streams[name], *spans[name], facts.last_us[name]) for name in names_of(spans, page)
        ]

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        """Event types by name."""
        spans: dict[str, Span] = {}
        for (its, name), span in self.facts().types.items():
            if category in (None, its):
                before = spans.get(name, span)
                first, last = min(before.first, span.first), max(before.last, span.last)
                spans[name] = Span(span.events + (before.events if name in spans else 0), first, last)
        return [TypeInfo(name, *spans[name]) for name in names_of(spans, page)]

    def tags(self, page: NamePage) -> list[TagInfo]:
        """Tags by name."""
        tags = self.facts().tags
        return [TagInfo(name, *tags[name]) for name in names_of(tags, page)]

    def sources(self, page: NamePage) -> list[SourceInfo]:
        """Outside sources by name."""
        sources = self.facts().sources
        return [SourceInfo(name, *sources[name]) for name in names_of(sources, page)]

    def staged(self) -> set[str]:
        """The appends whose units have chunks."""
        return {*self.facts().staged}


def _stream_info(stream_id: str, facts: StreamFacts) -> StreamInfo:
    assert facts.created_us is not None
    return StreamInfo(
        stream_id, category_of(stream_id), facts.version, facts.created_us, facts.updated_us, facts.last_type
    )
