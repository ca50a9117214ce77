"""Lists of streams, categories, types and tags.

JetStream lists the subjects of a filter with their numbers of messages, in the order of their bytes: a page of
streams costs by all of its category. Types and tags are in the lines alone, so that their lists read the log.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from evstore.adapters.memory_lists import counts_of, names_of
from evstore.adapters.nats.lines import line_of, position_of
from evstore.model.facts import CategoryInfo, StreamInfo, TagInfo, TypeInfo
from evstore.model.names import category_of, tags_of
from evstore.port import MOST_IN_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from evstore.adapters.nats.lines import Line
    from evstore.adapters.nats.messages import Found
    from evstore.adapters.nats.reading import Reading
    from evstore.adapters.nats.session import Session
    from evstore.port import NamePage

_HYPHEN: Final = "-"


class Lists:
    """The lists of an adapter."""

    def __init__(self, session: Session, reading: Reading) -> None:
        self._session = session
        self._reading = reading

    async def stream(self, stream_id: str) -> StreamInfo | None:
        """The facts of a stream."""
        found = await self._session.last(self._session.subjects.of_stream(stream_id))
        return _stream_info(stream_id, found) if found else None

    async def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        """Streams by id."""
        subjects = self._session.subjects
        if category is None and _HYPHEN in page.prefix:
            category = category_of(page.prefix)
        subject = subjects.events if category is None else subjects.of_category(category)
        names = names_of(await self.counts(subject), page)
        by_subject = {subjects.of_stream(name): name for name in names}
        found = await self._session.lasts([*by_subject], await self._session.end())
        return [_stream_info(name, found[subject]) for subject, name in by_subject.items()]

    async def categories(self, page: NamePage) -> list[CategoryInfo]:
        """Categories by name."""
        streams: Counter[str] = Counter()
        events: Counter[str] = Counter()
        for stream_id, count in (await self.counts(self._session.subjects.events)).items():
            category = category_of(stream_id)
            streams[category] += 1
            events[category] += count
        infos = (self._category(name, streams[name], events[name]) for name in names_of(streams, page))
        return [*await asyncio.gather(*infos)]

    async def _category(self, name: str, streams: int, events: int) -> CategoryInfo:
        subject = self._session.subjects.of_category(name)
        first, last = await asyncio.gather(self._session.next(subject, 1), self._session.last(subject))
        assert first is not None
        assert last is not None
        last_us = line_of(last.body, last.sequence).time_us
        return CategoryInfo(
            name, streams, events, position_of(first.sequence), position_of(last.sequence), last_us
        )

    async def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        """Event types by name."""
        subjects = self._session.subjects
        subject = subjects.events if category is None else subjects.of_category(category)
        named = [(position, (line.type,)) async for position, line in self.lines(subject)]
        return [TypeInfo(*each) for each in counts_of(named, page)]

    async def tags(self, page: NamePage) -> list[TagInfo]:
        """Tags by name."""
        lines = self.lines(self._session.subjects.events)
        named = [(position, tags_of(line.tags)) async for position, line in lines if line.tags]
        return [TagInfo(*each) for each in counts_of(named, page)]

    async def lines(self, subject: str) -> AsyncIterator[tuple[int, Line]]:
        """The line of each event with its position."""
        end = await self._session.end()
        async for page in self._reading.messages(subject, 1, end.sequence - 1, MOST_IN_PAGE):
            for found in page:
                yield position_of(found.sequence), line_of(found.body, found.sequence)

    async def counts(self, subject: str) -> dict[str, int]:
        """The streams of these subjects with their numbers of events."""
        found = await self._session.client.subjects(self._session.name, subject)
        return {self._session.subjects.stream_id(each): count for each, count in found.items()}


def _stream_info(stream_id: str, last: Found) -> StreamInfo:
    line = line_of(last.body, last.sequence)
    return StreamInfo(stream_id, category_of(stream_id), line.version, line.created_us, line.time_us, line.type)
