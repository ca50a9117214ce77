"""Filters and ranges from the arguments of a caller."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import starmap
from typing import TYPE_CHECKING

from evstore.errors import InvalidInputError
from evstore.model.filters import Filter
from evstore.model.times import timestamp_us
from evstore.model.versions import MAX_VERSION
from evstore.port import Page

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from evstore.model.conditions import Query


def filter_of(
    categories: Iterable[str] | None = None,
    types: Iterable[str] | None = None,
    correlation_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    user_id: str | None = None,
    tenant_id: str | None = None,
    custom: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    tags: Iterable[str] | None = None,
    query: Query | Iterable[Query] | None = None,
) -> Filter:
    """The filter with these fields. A single name counts as a list of one."""
    return Filter(
        _names_wanted("a category", categories),
        _names_wanted("an event type", types),
        _wanted("the correlation id", correlation_id),
        None if since is None else timestamp_us(since),
        None if until is None else timestamp_us(until),
        _wanted("the user id", user_id),
        _wanted("the tenant id", tenant_id),
        None if custom is None else tuple(starmap(_pair, _items(custom))),
        None if tags is None and query is None else _query_of(tags or (), query),
    )


def _query_of(tags: Iterable[str], query: Query | Iterable[Query] | None) -> Query | None:
    """The query that both ask for, None if it admits every event."""
    from evstore.model.conditions import Query

    if query is not None and not isinstance(query, Query):
        query = Query.any_of(query)
    found = (query or Query()).with_tags((tags,) if isinstance(tags, str) else tuple(tags))
    return found if found.items else None


def _wanted(what: str, text: str | None) -> str | None:
    return None if text is None else searchable(what, text)


def _items(custom: Mapping[str, str] | Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return custom.items() if isinstance(custom, Mapping) else custom


def _pair(key: str, value: str) -> tuple[str, str]:
    return searchable('a key of "custom"', key), searchable(f'"custom" "{key}"', value)


def _names_wanted(what: str, names: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if names is None else strings(what, names)


def strings(what: str, given: Iterable[str]) -> tuple[str, ...]:
    """The strings, or the only one, if a database can search for them. Raises InvalidInputError."""
    return tuple(searchable(what, text) for text in ((given,) if isinstance(given, str) else given))


def searchable(what: str, text: str) -> str:
    """The text, if a database can search for it. Raises InvalidInputError."""
    if not isinstance(text, str):
        raise InvalidInputError(f"{what} is a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{what} holds a lone surrogate at character {error.start + 1}") from None
    return text


def range_of(after: int | None, to: int | None, backward: bool) -> Page:
    """The closed range from after `after` up to `to`."""
    # No database counts further, and no number lies below 1.
    low = min(max(after or 0, 0), MAX_VERSION - 1) + 1
    high = MAX_VERSION if to is None else min(max(to, 0), MAX_VERSION)
    return Page(limit=0, low=low, high=high, backward=backward)


def check_limit(limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise InvalidInputError(f"the limit is {limit}, at least 0 is allowed")
