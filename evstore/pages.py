"""Adapters speak in bounded pages, callers in ranges, limits and iterators: the way from one to the other."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from evstore.adapters.base import PAGE_CHARACTERS, Cut, NamePage, Page
from evstore.errors import InvalidInputError
from evstore.events import CategoryInfo, Filter, StreamInfo, TypeInfo, timestamp_us
from evstore.streams import MAX_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from evstore.events import StoredEvent
    from evstore.findings import AuditedEvent

FIRST_PAGE: Final = 64
MOST_IN_PAGE: Final = 1000

BY_VERSION: Final = attrgetter("version")
BY_POSITION: Final = attrgetter("global_position")

N = TypeVar("N", StreamInfo, CategoryInfo, TypeInfo)


def filter_of(
    categories: Iterable[str] | None = None,
    types: Iterable[str] | None = None,
    correlation_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Filter:
    """The filter that a caller's words mean; one name alone is taken for a list of one."""
    return Filter(
        _names_wanted("a category", categories),
        _names_wanted("an event type", types),
        None if correlation_id is None else searchable("the correlation id", correlation_id),
        None if since is None else timestamp_us(since),
        None if until is None else timestamp_us(until),
    )


def _names_wanted(what: str, names: Iterable[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    return tuple(searchable(what, name) for name in ((names,) if isinstance(names, str) else names))


def searchable(what: str, text: str) -> str:
    """The text, if a database can be asked for it at all."""
    if not isinstance(text, str):
        raise InvalidInputError(f"{what} is a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{what} holds a lone surrogate at character {error.start + 1}") from None
    return text


def range_of(after: int | None, to: int | None, backward: bool) -> Page:
    """The closed range behind `after` up to `to`."""
    # Beyond what a database can count there is nothing, and below 1 neither.
    low = min(max(after or 0, 0), MAX_VERSION - 1) + 1
    high = MAX_VERSION if to is None else min(max(to, 0), MAX_VERSION)
    return Page(limit=0, low=low, high=high, backward=backward)


def check_limit(limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise InvalidInputError(f"the limit is {limit}, at least 0 is allowed")


def events_of(
    fetch: Callable[[Page], list[StoredEvent]],
    page: Page,
    limit: int | None,
    at: Callable[[StoredEvent], int],
) -> Iterator[StoredEvent]:
    """The events of a range, page after page. `at`: what of an event the next page goes on behind.

    Pages grow and shrink with the size of the events, so that long payloads do not fill the memory.
    """
    check_limit(limit)
    return _paged(fetch, page, limit, at)


def _paged(
    fetch: Callable[[Page], list[StoredEvent]],
    page: Page,
    limit: int | None,
    at: Callable[[StoredEvent], int],
) -> Iterator[StoredEvent]:
    left = limit
    size = FIRST_PAGE
    while left is None or left > 0:
        size = size if left is None else min(size, left)
        found = fetch(page._replace(limit=size))
        yield from found
        if len(found) < size and not isinstance(found, Cut):
            return
        if left is not None:
            left -= len(found)
        page = page._replace(after=at(found[-1]))
        size = next_size(found, size)


def next_size(found: Sequence[StoredEvent | AuditedEvent], size: int) -> int:
    """How many events the page behind these may have."""
    if not found:
        return size
    mean = sum(len(event.data_json) + len(event.metadata_json) for event in found) // len(found) + 1
    return max(1, min(MOST_IN_PAGE, 4 * size, PAGE_CHARACTERS // mean))


def names_of(fetch: Callable[[NamePage], list[N]], prefix: str) -> Iterator[N]:
    """A list by name, page after page."""
    searchable("the prefix", prefix)
    return _named(fetch, prefix)


def _named(fetch: Callable[[NamePage], list[N]], prefix: str) -> Iterator[N]:
    after = None
    while True:
        found = fetch(NamePage(MOST_IN_PAGE, after, prefix))
        yield from found
        if len(found) < MOST_IN_PAGE:
            return
        after = found[-1][0]
