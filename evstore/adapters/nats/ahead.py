"""The next page of whoever reads page after page: asked for while the caller looks at this one.

A message never changes, so that a page may be as old as it likes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.errors import FAILURES

if TYPE_CHECKING:
    from evstore.adapters.nats.messages import Messages
    from evstore.adapters.nats.session import Session

BYTES_AT_ONCE: Final = 8 * 1024 * 1024
MOST_READERS: Final = 16
"""So many ways through the log are followed."""
MOST_PAGES: Final = 2
"""So many pages are kept for readers who may not come."""


class Ahead:
    """The pages of a store."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ends: OrderedDict[tuple[str, int], int] = OrderedDict()
        """The sequence after the last page of each subject and number of messages."""
        self._pages: OrderedDict[tuple[str, int, int], asyncio.Future[Messages | None]] = OrderedDict()

    async def page(self, subject: str, first: int, end: int, count: int) -> Messages:
        """At most so many messages of the subject, from this sequence on. The caller reads up to `end` in all."""
        begin = self._ends.get((subject, count))
        follows = begin is not None and first - begin in (0, 1)  # between two events is an id
        kept = self._pages.pop((subject, begin or 0, count), None) if follows else None
        page = await kept if kept is not None else None
        if page is None:
            page = await self._asked(subject, first, count)
        elif page.found and page.found[0].sequence < first:
            page = page._replace(found=[each for each in page.found if each.sequence >= first])
        if page.found and page.are_more:
            following = page.found[-1].sequence + 1
            self._ends[subject, count] = following
            self._ends.move_to_end((subject, count))
            if len(self._ends) > MOST_READERS:
                self._ends.popitem(last=False)
            if follows and following < end:
                self._begin(subject, following, count)
        return page

    def _begin(self, subject: str, first: int, count: int) -> None:
        future: asyncio.Future[Messages | None] = asyncio.get_running_loop().create_future()
        self._pages[subject, first, count] = future
        if len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        self._session.start(self._fetch(future, subject, first, count))

    async def _fetch(self, future: asyncio.Future[Messages | None], subject: str, first: int, count: int) -> None:
        try:
            page = await self._asked(subject, first, count)
        except FAILURES:
            page = None  # whoever comes for it asks again
        if not future.done():
            future.set_result(page)

    async def _asked(self, subject: str, first: int, count: int) -> Messages:
        given = {"seq": first, "next_by_subj": subject, "batch": count, "max_bytes": BYTES_AT_ONCE}
        return await self._session.client.direct(self._session.name, given)
