"""The digest of a part of a log, for adapters whose events are near."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.model.digests import digest_of_part
from evstore.model.filters import Filter
from evstore.port.pages import MOST_IN_PAGE, Cut, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.events import StoredEvent

_ALL: Final = Filter()


def digest_by_reading(read_all: Callable[[Page, Filter], list[StoredEvent]], low: int, high: int) -> bytes:
    """The digest of the events at positions in [low, high], read page by page."""
    return digest_of_part(_events(read_all, Page(MOST_IN_PAGE, low=low, high=high)))


def _events(read_all: Callable[[Page, Filter], list[StoredEvent]], page: Page) -> Iterator[StoredEvent]:
    while True:
        found = read_all(page, _ALL)
        yield from found
        if len(found) < page.limit and not isinstance(found, Cut):
            return
        page = page._replace(after=found[-1].global_position)
