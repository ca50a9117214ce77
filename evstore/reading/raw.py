"""Pages of the log as they go out."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from evstore.model.events import lines_of
from evstore.model.filters import Filter
from evstore.model.raw import NOTHING, Place, RawPage
from evstore.port import Cut
from evstore.reading.anchoring import steady
from evstore.reading.pages import BY_POSITION, FIRST_PAGE, size_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.port import Adapter, Page, ReadsRaw

_ALL: Final = Filter()


def raw_pages_of(adapter: Adapter, page: Page, limit: int | None) -> Iterator[RawPage]:
    """The log of an adapter that claims `reads_raw` in pages, none of them empty, as `pages_of` gives it."""
    fetch = steady(adapter, lambda asked: _read(adapter, asked), BY_POSITION, attrgetter("last"))
    left, size = limit, FIRST_PAGE
    while left is None or left > 0:
        size = size if left is None else min(size, left)
        found = fetch(page._replace(limit=size))
        if found.last is None:
            return
        yield found
        if found.events < size and not found.is_cut:
            return
        if left is not None:
            left -= found.events
        page = page._replace(after=found.last.global_position)
        size = size_after(len(found.lines), found.events, size)


def _read(adapter: Adapter, page: Page) -> RawPage:
    """A page; what is unusual about it is read, or refused, as events."""
    found = cast("ReadsRaw", adapter).read_raw(page)
    if found is not None:
        return found
    events = adapter.read_all(page, _ALL)
    if not events:
        return NOTHING
    lines = "".join(f"{line}\n" for line in lines_of(events)).encode("utf-8", "backslashreplace")
    last = Place(events[-1].id, events[-1].global_position)
    return RawPage(lines, len(events), last, isinstance(events, Cut))
