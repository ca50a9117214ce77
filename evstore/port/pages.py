"""Parts of what a store holds: bounded pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.model.versions import MAX_VERSION

if TYPE_CHECKING:
    from evstore.model.events import StoredEvent


class Page(NamedTuple):
    """A part of an ordered range: versions of a stream, or global positions of the log."""

    limit: int
    after: int | None = None
    low: int = 1
    high: int = MAX_VERSION
    backward: bool = False


MOST_IN_PAGE: Final = 1000
"""Events or names that the core asks for at once."""
PAGE_CHARACTERS: Final = 2 * 1024 * 1024
"""About so much text is enough for a page."""


class Cut(list["StoredEvent"]):
    """A page that ends before its limit because its events are long; more may follow."""


class NamePage(NamedTuple):
    """A page of names in code point order: at most `limit`, after the name `after`, all with this prefix."""

    limit: int
    after: str | None = None
    prefix: str = ""


def bounds_of(page: Page) -> tuple[int, int]:
    """The range of a page as [low, high], with its cursor taken in."""
    low, high = page.low, page.high
    if page.after is not None and page.backward:
        high = min(high, page.after - 1)
    elif page.after is not None:
        if page.after >= MAX_VERSION:  # no number follows the last, and no database could count there
            high = 0
        low = max(low, min(page.after, MAX_VERSION - 1) + 1)
    return low, high
