"""Queries over types and tags, and the conditions and requirements of an append.

The words and their meaning are those of dcb.events: a dynamic consistency boundary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.errors import AppendConditionError, InvalidInputError
from evstore.model.names import check_name, check_stream_id, check_tag
from evstore.model.versions import MAX_VERSION, check_expected_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.model.events import StoredEvent


class QueryItem(NamedTuple):
    """One way for an event to match: its type is one of `types`, and it has all of `tags`. Empty means any."""

    types: tuple[str, ...]
    tags: tuple[str, ...]

    def matches(self, event: StoredEvent) -> bool:
        """True if the event matches."""
        return (not self.types or event.type in self.types) and {*self.tags} <= {*event.tags}

    def __str__(self) -> str:
        words = [f"type={','.join(self.types)}"] if self.types else []
        return " ".join([*words, *(f"tag={tag}" for tag in self.tags)])


@dataclass(frozen=True, slots=True, init=False)
class Query:
    """Events whose type is one of `types` and that have all of `tags`; `|` joins queries. `Query()` matches all.

    Raises InvalidInputError for a type or a tag that no event can have.
    """

    items: tuple[QueryItem, ...]
    """An event matches if one of them does. Without items every event matches."""

    def __init__(self, types: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        item = QueryItem(_distinct("types", types), _distinct("tags", tags))
        for name in item.types:
            check_name("event type", name)
        for tag in item.tags:
            check_tag(tag)
        object.__setattr__(self, "items", (item,) if any(item) else ())

    @classmethod
    def any_of(cls, queries: Iterable[Query]) -> Query:
        """Events that one of these queries matches."""
        parts = [query.items for query in queries]
        return cls._of(tuple(dict.fromkeys(item for items in parts for item in items)) if all(parts) else ())

    @classmethod
    def from_members(cls, items: Any) -> Query:
        """The query of its wire form, `[{"types":[…],"tags":[…]}]`, parsed. Raises InvalidInputError."""
        if not isinstance(items, list):
            raise InvalidInputError('a query is a list of items, {"types":[…],"tags":[…]}')
        return cls._of(()) if not items else cls.any_of(_item_of(each) for each in items)

    @classmethod
    def _of(cls, items: tuple[QueryItem, ...]) -> Query:
        query = cls.__new__(cls)
        object.__setattr__(query, "items", items)
        return query

    def __or__(self, other: Query) -> Query:
        return Query.any_of((self, other))

    def with_tags(self, tags: Sequence[str]) -> Query:
        """The events of this query that have all of these tags as well."""
        added = Query(tags=tags)
        if not self.items or not added.items:
            return self if not added.items else added
        return self._of(
            tuple(QueryItem(each.types, _distinct("tags", (*each.tags, *tags))) for each in self.items)
        )

    def matches(self, event: StoredEvent) -> bool:
        """True if the event matches. Every adapter agrees with this method."""
        return not self.items or any(item.matches(event) for item in self.items)

    def members(self) -> list[dict[str, list[str]]]:
        """The wire form, to be written as JSON."""
        return [{name: [*names] for name, names in each._asdict().items() if names} for each in self.items]

    def __str__(self) -> str:
        return " or ".join(map(str, self.items)) or "every event"


class AppendCondition(NamedTuple):
    """An append is refused if an event at a position greater than `after` matches the query."""

    query: Query
    after: int = 0

    @classmethod
    def from_members(cls, members: Any) -> AppendCondition:
        """The condition of its wire form, `{"query":[…],"after":P}`, parsed. Raises InvalidInputError."""
        if not isinstance(members, dict) or "query" not in members:
            raise InvalidInputError('a condition is an object, {"query":[{"types":[…],"tags":[…]}],"after":P}')
        _check_keys(members, ("query", "after"))
        return cls(Query.from_members(members["query"]), check_after(members.get("after", 0)))


class Requirement(NamedTuple):
    """The version that an append expects of a stream that it does not write."""

    stream_id: str
    expected_version: int


def conditions_of(given: Any) -> tuple[AppendCondition, ...]:
    """The conditions of an `unless`: a Query, anything with a query and a position `after`, or a list of these.

    Raises InvalidInputError.
    """
    if given is None:
        return ()
    if isinstance(given, Query):
        return (AppendCondition(given),)
    query = getattr(given, "query", None)
    if isinstance(query, Query):
        return (AppendCondition(query, check_after(given.after)),)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidInputError(f"a condition is a Query or an AppendCondition, not {type(given).__name__}")
    return tuple(each for one in given for each in conditions_of(one))


def requirements_of(given: Iterable[tuple[str, int]]) -> tuple[Requirement, ...]:
    """The requirements, checked. Raises InvalidInputError."""
    pairs = [given] if isinstance(given, str) or not isinstance(given, Iterable) else [*given]
    for each in pairs:
        if not isinstance(each, (tuple, list)) or len(each) != len(Requirement._fields):
            raise InvalidInputError(
                f"a requirement is a pair of stream id and expected version, in a list of them, not {each!r}"
            )
    found = tuple(map(Requirement._make, pairs))
    for stream_id, expected in found:
        check_stream_id(stream_id)
        check_expected_version(expected)
    return found


def check_after(after: Any) -> int:
    """The position, if a condition may begin after it. Raises InvalidInputError."""
    if type(after) is not int or not 0 <= after <= MAX_VERSION:
        raise InvalidInputError(f'"after" is a global position from 0 to {MAX_VERSION}, not {after!r}')
    return after


def violation_of(
    conditions: Sequence[AppendCondition], first_match: Callable[[Query, int], int | None]
) -> AppendConditionError | None:
    """The error that reports every violated condition. `first_match`: the first match after a position."""
    found = [(query, after, first_match(query, after)) for query, after in conditions]
    violations = [(query, after, position) for query, after, position in found if position is not None]
    return AppendConditionError(*violations[0], violations[1:]) if violations else None


def _distinct(what: str, names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise InvalidInputError(f'{what} of a query come in a list, also when there is only one: ["{names}"]')
    return tuple(dict.fromkeys(names))


def _item_of(members: Any) -> Query:
    if not isinstance(members, dict):
        raise InvalidInputError('an item of a query is an object, {"types":[…],"tags":[…]}')
    _check_keys(members, ("types", "tags"))
    for key, names in members.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInputError(f'"{key}" of a query is a list of strings')
    return Query(**members)


def _check_keys(members: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in members:
        if key not in known:
            raise InvalidInputError(f'unknown key "{key}"; known keys are {", ".join(known)}')
