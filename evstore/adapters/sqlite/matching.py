"""Positions of events that match a query, found by the narrowest of its tags and types.

Each tag, and each type, has its positions in an index. Whoever wants events that have all of some tags goes
from one index to the next, each time to the first position from where the last one stands: so the search costs by
the tag that has the fewest events in the range, never by the log.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite import statements as sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.model.conditions import Query, QueryItem

MOST_AT_ONCE: Final = 256
"""Positions that are read at once from an index that is read on and on."""


class Matching:
    """A search in [low, high] of the log. Backward, all positions are negative, so that they ascend as well."""

    def __init__(self, connection: Any, low: int, high: int, *, backward: bool = False) -> None:
        self._connection = connection
        self._first, self._last = (-high, -low) if backward else (low, high)
        self._backward = backward

    def positions(self, query: Query) -> Iterator[int]:
        """The positions that match the query, which has items, in the order of the search; each once."""
        last = None
        for found in merge(*[self._of_item(item) for item in query.items]):
            if found != last:
                yield abs(found)
            last = found

    def first(self, query: Query) -> int | None:
        """The first position that the query, which has items, matches, without a merge."""
        found = [position for item in query.items for position in islice(self._of_item(item), 1)]
        return abs(min(found)) if found else None

    def _of_item(self, item: QueryItem) -> Iterator[int]:
        lists: list[_Positions | _Either] = []
        for tag in item.tags:
            key = self._connection.execute(sql.FIND_TAG, {"name": tag}).fetchone()
            if key is None:
                return
            lists.append(self._list(sql.TAGGED_BACKWARD if self._backward else sql.TAGGED_FORWARD, *key))
        if item.types:
            keys = [self._connection.execute(sql.FIND_TYPE, {"name": name}).fetchone() for name in item.types]
            typed = sql.TYPED_BACKWARD if self._backward else sql.TYPED_FORWARD
            lists.append(_Either([self._list(typed, *key) for key in keys if key is not None]))
        yield from _in_all(lists, self._first, self._last)

    def _list(self, statement: str, key: int) -> _Positions:
        def fetch(begin: int, most: int) -> list[int]:
            low, high = (-self._last, -begin) if self._backward else (begin, self._last)
            given = {"key": key, "low": low, "high": high, "limit": most}
            sign = -1 if self._backward else 1
            return [sign * position for (position,) in self._connection.execute(statement, given).fetchall()]

        return _Positions(fetch)


class _Positions:
    """Ascending numbers, fetched as they are needed: more at once where they are taken one after the other."""

    def __init__(self, fetch: Callable[[int, int], list[int]]) -> None:
        self._fetch = fetch
        self._known: list[int] = []
        self._at = 0
        self._most = 1

    def reach(self, wanted: int) -> int | None:
        """The first number from `wanted` on. What is wanted never falls."""
        if not self._known or self._known[-1] < wanted:
            in_order = self._at + 1 >= len(self._known)
            self._most = min(2 * self._most, MOST_AT_ONCE) if in_order else 1
            self._known, self._at = self._fetch(wanted, self._most), 0
            if not self._known:
                return None
        self._at = bisect_left(self._known, wanted, self._at)
        return self._known[self._at]


class _Either:
    """The numbers of several lists together."""

    def __init__(self, lists: Sequence[_Positions]) -> None:
        self._lists = lists

    def reach(self, wanted: int) -> int | None:
        found = [number for each in self._lists if (number := each.reach(wanted)) is not None]
        return min(found, default=None)


def _in_all(lists: Sequence[_Positions | _Either], first: int, last: int) -> Iterator[int]:
    """The numbers in [first, last] that all lists have."""
    at = first
    while at <= last:
        furthest = at
        for each in lists:
            found = each.reach(furthest)
            if found is None or found > last:
                return
            furthest = found
        if furthest == at:  # each list has it
            yield at
            furthest += 1
        at = furthest


def first_match(connection: Any, query: Query, after: int, head: int) -> int | None:
    """The first position after `after`, up to the head, that matches the query."""
    if after >= head:
        return None
    if not query.items:
        return after + 1
    return Matching(connection, after + 1, head).first(query)
