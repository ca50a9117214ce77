"""Pages of events. The leader says how far they go; any replica gives them, and is asked again if it is behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.ahead import Ahead
from evstore.adapters.nats.errors import NoAnswerError
from evstore.adapters.nats.lines import event_of, position_of, sequence_of
from evstore.adapters.nats.versions import Versions
from evstore.model.filters import Filter
from evstore.port import MOST_IN_PAGE, PAGE_CHARACTERS, Cut, bounds_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from evstore.adapters.nats.messages import Found
    from evstore.adapters.nats.session import Session
    from evstore.model.events import StoredEvent
    from evstore.port import Page

_ALL: Final = Filter()
_PAUSE: Final = 0.01
_TRIES: Final = 500
_FIRST_WINDOW: Final = 32
"""Events of the first window of a backward read, which may be long."""


class Reading:
    """The reads of an adapter."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._versions = Versions(session)
        self._ahead = Ahead(session)

    async def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of the log by global position."""
        low, high = bounds_of(page)
        if page.limit <= 0 or high < low or _admits_nothing(where):
            return []
        subject = self._subject(where)
        last = await self._last_sequence(subject, high)
        high = min(high, position_of(last))
        if high < low:
            return []
        first, end = sequence_of(max(low, 1)), min(sequence_of(high), last)
        if page.backward:
            return await self._backward(subject, first, end, page.limit, where)
        return await self._taken(self.events(subject, first, end, page.limit), page.limit, where)

    async def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of one stream by version."""
        low, high = bounds_of(page)
        if page.limit <= 0 or high < low or _admits_nothing(where):
            return []
        subject = self._session.subjects.of_stream(stream_id)
        found = await self._session.last(subject)
        if found is None:
            return []
        last = event_of(found.body, stream_id, found.sequence)
        low, high = max(low, 1), min(high, last.version)
        if high < low:
            return []
        end = found.sequence
        if page.backward and where == _ALL:  # the window is known at once
            low = max(low, high - page.limit + 1)
        first = await self._versions.sequence_of(subject, low, last)
        if high < last.version:  # up to before the event that follows
            end = await self._versions.exact(subject, high + 1, last) - 1
        if page.backward:
            return await self._backward(subject, first, end, page.limit, where)
        taken = await self._taken(self.events(subject, first, end, page.limit), page.limit, where)
        self._versions.note(subject, taken)
        return taken

    async def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        """The events with these ids."""
        subjects = self._session.subjects
        end = await self._session.end()
        found = await self._session.lasts([subjects.of_id(each) for each in ids], end)
        wanted = sorted(each.sequence - 1 for each in found.values())
        runs: list[list[int]] = []
        for sequence in wanted:
            if runs and sequence == runs[-1][-1] + 2 and len(runs[-1]) < MOST_IN_PAGE:
                runs[-1].append(sequence)
            else:
                runs.append([sequence])
        parts = await asyncio.gather(*(self._run(subjects.events, run) for run in runs))
        return [event for part in parts for event in part]

    async def _run(self, subject: str, run: Sequence[int]) -> list[StoredEvent]:
        return [event async for page in self.events(subject, run[0], run[-1], len(run)) for event in page]

    async def count(self, low: int, high: int, where: Filter) -> int:
        """The number of events that the filter admits."""
        low = max(low, 1)
        if _admits_nothing(where) or high < low:
            return 0
        subject = self._subject(where)
        last = await self._last_sequence(subject, high)
        high = min(high, position_of(last))
        if high < low:
            return 0
        if where == _ALL:
            return high - low + 1
        found = 0
        async for events in self.events(subject, sequence_of(low), sequence_of(high), MOST_IN_PAGE):
            found += sum(map(where.matches, events))
        return found

    async def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        """First and last position in the time."""
        where = Filter(since_us=since_us, until_us=until_us)
        end = await self._session.end()
        if where == _ALL or end.position == 0:
            return (1, end.position) if end.position else None
        first = last = 0
        async for events in self.events(self._session.subjects.events, 1, end.sequence, MOST_IN_PAGE):
            admitted = [event.global_position for event in events if where.matches(event)]
            if admitted:
                first, last = first or admitted[0], admitted[-1]
        return (first, last) if first else None

    # --- messages ---

    def _subject(self, where: Filter) -> str:
        """The narrowest subject that has all events that the filter admits."""
        if where.categories is not None and len(where.categories) == 1:
            return self._session.subjects.of_category(where.categories[0])
        return self._session.subjects.events

    async def _last_sequence(self, subject: str, high: int) -> int:
        """The sequence of the last event of the subject, 0 without one. The log's own end is told by an id.

        Of the whole log it is that of the position `high`, and nobody is asked, if the log is known to go so far.
        """
        if subject == self._session.subjects.events:
            if 0 < 2 * high <= self._session.seen:
                return sequence_of(high)
            return max((await self._session.end()).sequence - 1, 0)
        found = await self._session.last(subject)
        return found.sequence if found else 0

    async def events(self, subject: str, first: int, end: int, limit: int) -> AsyncIterator[list[StoredEvent]]:
        """The events of the subject at sequences in [first, end], in order, in the pages of `messages`."""
        stream_id = self._session.subjects.stream_id
        async for page in self.messages(subject, first, end, limit):
            yield [event_of(body, stream_id(subject), sequence) for sequence, subject, body in page]

    async def messages(self, subject: str, first: int, end: int, limit: int) -> AsyncIterator[list[Found]]:
        """The messages of the subject at sequences in [first, end], in order, as they came together."""
        tries = 0
        batch = max(1, min(limit, MOST_IN_PAGE))
        while first <= end:
            page = await self._ahead.page(subject, first, end, batch)
            found = page.found
            if found:
                first = found[-1].sequence + 1
                yield found if first <= end + 1 else [each for each in found if each.sequence <= end]
            if first > end or page.are_more:
                continue
            following = await self._session.next(subject, first)
            if following is None or following.sequence > end:
                return
            tries = 0 if found else tries + 1  # this replica is behind the leader
            if tries == _TRIES:
                raise NoAnswerError("a replica stays behind its leader")
            await asyncio.sleep(_PAUSE)

    async def _taken(
        self, pages: AsyncIterator[list[StoredEvent]], limit: int, where: Filter
    ) -> list[StoredEvent]:
        """The first of the events that the filter admits, until they are enough for a page."""
        taken: list[StoredEvent] = []
        characters = 0
        async for events in pages:
            if characters > PAGE_CHARACTERS:
                return Cut(taken)
            for event in events if where == _ALL else filter(where.matches, events):
                if characters > PAGE_CHARACTERS:
                    return Cut(taken)
                taken.append(event)
                characters += len(event.data_json)
                if len(taken) == limit:
                    return taken
        return taken

    async def _backward(self, subject: str, first: int, end: int, limit: int, where: Filter) -> list[StoredEvent]:
        """The last of the events at sequences in [first, end], the last first: window by window from the end."""
        taken: list[StoredEvent] = []
        characters, events = 0, min(limit, _FIRST_WINDOW)
        while end >= first:
            low = max(first, end - 2 * events + 1)
            pages = self.events(subject, low, end, MOST_IN_PAGE)
            window = [event async for events in pages for event in events if where.matches(event)]
            for event in reversed(window):
                if characters > PAGE_CHARACTERS:
                    return Cut(taken)
                taken.append(event)
                characters += len(event.data_json)
                if len(taken) == limit:
                    return taken
            end = low - 1
            events = min(events * 2, 64 * MOST_IN_PAGE) if len(window) < MOST_IN_PAGE else events
        return taken


def _admits_nothing(where: Filter) -> bool:
    return () in (where.categories, where.types)
