"""Checks that a read of an SQL store leaves out no event: a missing name or event is a fault, and no absence."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import IncompleteLogError
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.port import bounds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evstore.port import NamePage, Page

_STREAM: Final = StoredEvent._fields.index("stream_id")
_TYPE: Final = StoredEvent._fields.index("type")
_POSITION: Final = StoredEvent._fields.index("global_position")
_NO_FILTER: Final = Filter()
MOST_RECOUNTED: Final = 1000
"""Streams or tags that are counted each time that one is not found."""
STREAM_PARTS: Final = {
    0: "name of the stream",
    1: "name of the category",
    3: "first event of the stream",
    5: "name of the event type",
}
CATEGORY_PARTS: Final = {0: "name of the category", 1: "stream of the category"}
TYPE_PARTS: Final = {0: "name of the event type"}
TAG_PARTS: Final = {0: "name of the tag"}
SOURCE_PARTS: Final = {0: "name of the source"}
CONSUMER_PARTS: Final = {0: "name of the consumer"}
"""The columns of a row of a list that can be missing."""


def check_named(rows: Iterable[Sequence[Any]], location: str) -> None:
    """Raise IncompleteLogError if the stream or the type of a row of an event has no name.

    On a damaged page anything may stand there: what is no text is no name.
    """
    for row in rows:
        if type(row[_STREAM]) is not str or type(row[_TYPE]) is not str:
            missing = "name of the event type" if type(row[_STREAM]) is str else "name of the stream"
            raise IncompleteLogError(location, row[_POSITION], missing)


def check_agreed(location: str, head: int, missing: str | None) -> None:
    """Raise IncompleteLogError if the tables disagree: some event up to the head lacks its name in this table."""
    if missing:
        raise incomplete(location, head, missing)


def names_wanted(where: Filter) -> int:
    """The number of names that a read of the log asks for. If it is 1, an event that is found shows that the name
    is there; of several names, a page does not show that one is lost."""
    return len({*(where.categories or ())}) + len({*(where.types or ())})


class Counted:
    """The streams, or the tags, that an adapter has counted. Of a large store, each is counted once."""

    def __init__(self) -> None:
        self.whole = 0
        """The key up to which none is missing."""

    def check(self, location: str, head: int, missing: str | None, last_key: int) -> None:
        """Raise IncompleteLogError if one is missing."""
        check_agreed(location, head, missing)
        if last_key > MOST_RECOUNTED:
            self.whole = last_key


def check_listed(row: Sequence[Any], parts: Mapping[int, str], location: str) -> None:
    """Raise IncompleteLogError if a row of a list, whose last column is a position, lacks one of these parts.

    None of them is bytes, which a damaged page may hold.
    """
    for at, missing in parts.items():
        if row[at] is None or isinstance(row[at], bytes):
            raise IncompleteLogError(location, row[-1], missing)


def is_whole_list(found: Sequence[Any], page: NamePage) -> bool:
    """True if this page ends a list of all names."""
    return len(found) < page.limit and not page.prefix


def incomplete(location: str, head: int, missing: str) -> IncompleteLogError:
    """The error of a log up to this head whose tables disagree."""
    return IncompleteLogError(location, head, f"complete table of {missing}")


def check_log(events: Sequence[StoredEvent], page: Page, where: Filter, location: str) -> None:
    """Raise IncompleteLogError if a page of the log that nothing filters leaves out a position."""
    gap = _first_gap(events, attrgetter("global_position"), page, where)
    if gap is not None:
        raise IncompleteLogError(location, gap[0], "event")


def check_count(events: int, first: int | None, last: int | None, where: Filter, location: str) -> None:
    """Raise IncompleteLogError if a count that nothing filters leaves out a position between these ends."""
    if first is not None and last is not None and where == _NO_FILTER and events != last - first + 1:
        raise IncompleteLogError(location, last, "event before the event")


def check_part(
    location: str, low: int, events: int, no_stream: int | None, no_type: int | None, last: int
) -> None:
    """Raise IncompleteLogError if a part of the log from `low` on, of so many events, leaves out a position, or
    has an event without a name."""
    for at, missing in ((no_stream, "name of the stream"), (no_type, "name of the event type")):
        if at is not None:
            raise IncompleteLogError(location, at, missing)
    if events and events != last - max(low, 1) + 1:
        raise IncompleteLogError(location, last, "event before the event")


def single_category(where: Filter) -> str | None:
    """The category, if the filter asks for a single one and for nothing else."""
    categories = {*(where.categories or ())}
    if len(categories) != 1 or where != Filter(categories=where.categories):
        return None
    return categories.pop()


def numbered(events: Sequence[StoredEvent], page: Page, where: Filter) -> dict[str, Any] | None:
    """The category and the ends of the range that this page shows whole, None if it shows no category whole.

    The newest event is not known, so that of a backward page the range begins with its oldest event.
    """
    category = single_category(where)
    if not events or category is None:
        return None
    ends = sorted((events[0].global_position, events[-1].global_position))
    return {"category": category, "first": ends[0] if page.backward else bounds_of(page)[0], "last": ends[1]}


def check_category(
    events: Sequence[StoredEvent], numbers: Sequence[int | None] | None, given: dict[str, Any], location: str
) -> None:
    """Raise IncompleteLogError if the numbers before and at the end of a range count more events than it shows, or
    if there are no numbers because the category is gone."""
    if numbers is None:
        raise incomplete(location, given["last"], "categories")
    before, last = (each if isinstance(each, int) else 0 for each in numbers)  # a damaged page may hold anything
    if last - before != len(events):
        raise IncompleteLogError(
            location, given["last"], f'event of category "{given["category"]}" before the event'
        )


def check_stream(events: Sequence[StoredEvent], page: Page, where: Filter, location: str) -> None:
    """Raise IncompleteLogError if a page of a stream that nothing filters leaves out a version."""
    gap = _first_gap(events, attrgetter("version"), page, where)
    if gap is not None:
        version, event = gap
        missing = f'version {version} of stream "{event.stream_id}" next to the event'
        raise IncompleteLogError(location, event.global_position, missing)


def numbers_wanted(page: Page, newest: int, count: int) -> range:
    """The numbers of the events of a page without a gap. `newest`: the first of them, of a backward page."""
    if page.backward:
        return range(newest, newest - count, -1)
    first = max(bounds_of(page)[0], 1)
    return range(first, first + count)


def _first_gap(
    events: Sequence[StoredEvent], at: Callable[[StoredEvent], int], page: Page, where: Filter
) -> tuple[int, StoredEvent] | None:
    """The first number that is left out, and the event that stands in its place.

    The newest event is not known, so that a backward page may begin anywhere.
    """
    if not events or where != _NO_FILTER:
        return None
    wanted = [*numbers_wanted(page, at(events[0]), len(events))]
    if wanted == [*map(at, events)]:
        return None
    return next((n, event) for n, event in zip(wanted, events, strict=True) if at(event) != n)
