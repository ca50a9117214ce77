"""Iterators for callers, made of the bounded pages of adapters."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar, cast

from evstore.port import MOST_IN_PAGE, PAGE_CHARACTERS, Cut, NamePage, Page
from evstore.reading.ranges import check_limit, searchable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import Self

    from evstore.model.events import StoredEvent
    from evstore.model.facts import CategoryInfo, SourceInfo, StreamInfo, TagInfo, TypeInfo
    from evstore.model.findings import AuditedEvent
    from evstore.model.raw import RawPage

    N = TypeVar("N", StreamInfo, CategoryInfo, TypeInfo, TagInfo, SourceInfo)

T = TypeVar("T")

FIRST_PAGE: Final = 64

BY_VERSION: Final = attrgetter("version")
BY_POSITION: Final = attrgetter("global_position")


class Paged(chain[T]):
    """An iterator over what stands in pages, which may be taken page by page instead.

    A chain, because that takes the next value without a call of a function of Python.
    """

    pages: Generator[list[T], None, None]
    raw_pages: Callable[[], Iterator[RawPage]] | None = None
    """Gives the same events as they go out, instead of them, where the adapter can."""

    @classmethod
    def of(cls, pages: Generator[list[T], None, None]) -> Self:
        values = cast("Self", cls.from_iterable(pages))
        values.pages = pages
        return values

    def close(self) -> None:
        """Read no further page. Nothing else is left open between two."""
        self.pages.close()


def events_of(
    fetch: Callable[[Page], list[StoredEvent]],
    page: Page,
    limit: int | None,
    at: Callable[[StoredEvent], int],
) -> Paged[StoredEvent]:
    """The events of a range, page after page. `at`: the number of an event after which the next page begins."""
    check_limit(limit)
    return Paged.of(pages_of(fetch, page, limit, at))


def pages_of(
    fetch: Callable[[Page], list[StoredEvent]],
    page: Page,
    limit: int | None,
    at: Callable[[StoredEvent], int],
) -> Generator[list[StoredEvent], None, None]:
    """The events of a range in pages, none of them empty.

    Pages grow and shrink with the size of the events, so that long payloads do not fill the memory.
    """
    left = limit
    size = FIRST_PAGE
    while left is None or left > 0:
        size = size if left is None else min(size, left)
        found = fetch(page._replace(limit=size))
        if found:
            yield found
        if len(found) < size and not isinstance(found, Cut):
            return
        if left is not None:
            left -= len(found)
        page = page._replace(after=at(found[-1]))
        size = next_size(found, size)


def next_size(found: Sequence[StoredEvent | AuditedEvent], size: int) -> int:
    """The limit of the page that comes after these events."""
    if not found:
        return size
    return size_after(sum([len(event.data_json) + len(event.metadata_json) for event in found]), len(found), size)


def size_after(characters: int, count: int, size: int) -> int:
    """The limit of the page that comes after so many events, at least one, with so much text."""
    return max(1, min(MOST_IN_PAGE, 4 * size, PAGE_CHARACTERS // (characters // count + 1)))


def names_of(fetch: Callable[[NamePage], list[N]], prefix: str) -> Iterator[N]:
    """A list by name, page after page."""
    searchable("the prefix", prefix)
    return Paged.of(_named(fetch, prefix))


def _named(fetch: Callable[[NamePage], list[N]], prefix: str) -> Generator[list[N], None, None]:
    after = None
    while True:
        found = fetch(NamePage(MOST_IN_PAGE, after, prefix))
        yield found
        if len(found) < MOST_IN_PAGE:
            return
        after = found[-1][0]
