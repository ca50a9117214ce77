"""Pages of events. Each is one short read that leaves nothing open: a half-read cursor would hold back
checkpoints."""

from __future__ import annotations

import json
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.paging import enough, event_of
from evstore.adapters.sql import correlation_hash, id_to_blob
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.rows import events_of
from evstore.adapters.wholeness import (
    Counted,
    check_agreed,
    check_category,
    check_count,
    check_log,
    check_stream,
    names_wanted,
    numbered,
)
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.model.versions import MAX_VERSION, MIN_INTEGER
from evstore.port import Cut, bounds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.adapters.sqlite.rows import Names
    from evstore.model.conditions import Query
    from evstore.port import Page

ALL: Final = Filter()
_POSITION: Final = itemgetter(StoredEvent._fields.index("global_position"))


def read_stream(
    connection: Any, location: str, counted: Counted, stream_id: str, page: Page, where: Filter
) -> list[StoredEvent]:
    statement = sql.READ_STREAM_BACKWARD if page.backward else sql.READ_STREAM_FORWARD
    given = {**range_of(page), **_residual(where), "stream_id": stream_id}
    if where.query is None:
        found = rows_of(connection, location, statement, given)
    else:
        found = _matching_rows(connection, location, statement, given, where.query)
    # A commit brings all tables: if they agree after a stream was not found, it was not there.
    if not found and check_names(connection, location, where, stream_id):
        check_streams(connection, location, counted)
    check_stream(found, page, where, location)
    return found


def read_all(
    connection: Any, location: str, names: Names, counted_tags: Counted, page: Page, where: Filter
) -> list[StoredEvent]:
    """A page of the log. Raises IncompleteLogError rather than leave out an event."""
    if where.query is not None and where.query.items:
        return _matches(connection, location, counted_tags, page, where)
    wanted = names_wanted(where)
    if wanted > 1:
        check_names(connection, location, where)
    if where == ALL:
        found = rows_of(connection, location, names.statement(page), range_of(page), names.events_of)
    else:
        found = _log(connection, location, page, where)
    if wanted == 1 and not found:
        check_names(connection, location, where)
    check_log(found, page, where, location)
    given = numbered(found, page, where)
    if given is not None:
        check_category(found, connection.execute(sql.CATEGORY_NUMBERS, given).fetchone(), given, location)
    return found


def count(connection: Any, location: str, counted_tags: Counted, low: int, high: int, where: Filter) -> int:
    """The number of events of the log. Raises IncompleteLogError rather than leave out an event."""
    if where.query is not None and where.query.items:
        return _count_matches(connection, location, counted_tags, low, high, where)
    if names_wanted(where):
        check_names(connection, location, where)
    given = {"low": low, "high": high, **_residual(where), "categories": _array(where.categories)}
    if where.correlation_id is not None:
        given |= _correlation(where.correlation_id)
        statement = sql.COUNT_CORRELATION
    elif where.categories is not None:
        statement = sql.COUNT_CATEGORIES
    else:
        statement = sql.COUNT_LOG if where.types is None else sql.COUNT_TYPES
    events, first, last = connection.execute(statement, given).fetchone()
    check_count(events, first, last, where, location)
    return int(events)


def check_names(
    connection: Any, location: str, where: Filter, stream_id: str | None = None, *, every: bool = False
) -> bool:
    """Raise IncompleteLogError if a name is not found, or every name is wanted, and the tables disagree. True if
    they were looked at."""
    items = where.query.items if where.query else ()
    types = [*(where.types or ()), *(name for item in items for name in item.types)]
    names = {
        "categories": _array(where.categories),
        "types": _array(types),
        "tags": _array(tag for item in items for tag in item.tags),
    }
    given = {**names, "stream_id": stream_id, "all": every}
    head, missing = connection.execute(sql.LOST, given).fetchone()
    check_agreed(location, head, missing)
    return missing is None


def check_streams(connection: Any, location: str, counted: Counted) -> None:
    """Raise IncompleteLogError if a stream is missing."""
    found = connection.execute(sql.COUNT_STREAMS, {"whole": counted.whole}).fetchone()
    counted.check(location, *found)


def _check_asked(connection: Any, location: str, counted_tags: Counted, where: Filter) -> None:
    """Raise IncompleteLogError if a name that a query asks for is not found, and one is missing."""
    if check_names(connection, location, where):
        found = connection.execute(sql.COUNT_TAGS, {"whole": counted_tags.whole}).fetchone()
        counted_tags.check(location, *found)


def _matches(
    connection: Any, location: str, counted_tags: Counted, page: Page, where: Filter
) -> list[StoredEvent]:
    """A page of what a query matches."""
    from evstore.adapters.sqlite.matching import Matching

    assert where.query is not None
    given = _of_match(where)
    connection.execute("BEGIN")  # one snapshot for all
    try:
        _check_asked(connection, location, counted_tags, where)
        found = Matching(connection, *bounds_of(page), backward=page.backward).positions(where.query)
        rows = (connection.execute(sql.READ_MATCH, {**given, "position": each}).fetchone() for each in found)
        return _paged(islice(filter(None, rows), page.limit), location)
    finally:
        connection.execute("COMMIT")


def _count_matches(
    connection: Any, location: str, counted_tags: Counted, low: int, high: int, where: Filter
) -> int:
    from evstore.adapters.sqlite.matching import Matching

    assert where.query is not None
    given = _of_match(where)
    connection.execute("BEGIN")
    try:
        _check_asked(connection, location, counted_tags, where)
        found = Matching(connection, low, high).positions(where.query)
        counts = (connection.execute(sql.COUNT_MATCH, {**given, "position": each}).fetchone() for each in found)
        return sum(count for (count,) in counts)
    finally:
        connection.execute("COMMIT")


def _of_match(where: Filter) -> dict[str, Any]:
    return {
        **_residual(where),
        "categories": _array(where.categories),
        "correlation_id": where.correlation_id,
    }


def _matching_rows(
    connection: Any, location: str, statement: str, given: dict[str, Any], query: Query
) -> list[StoredEvent]:
    """A page of those rows of a stream that the query matches. A stream is short beside its tags."""
    cursor = connection.execute(statement, {**given, "limit": -1})
    try:
        rows = (row for row in cursor if query.matches(event_of(row)))
        return _paged(islice(rows, given["limit"]), location)
    finally:
        cursor.close()


def _log(connection: Any, location: str, page: Page, where: Filter) -> list[StoredEvent]:
    """Choose the statement by the narrowest index; the other filters are residual."""
    given = {**range_of(page), **_residual(where)}
    if where.correlation_id is not None:
        given |= _correlation(where.correlation_id)
        given["categories"] = _array(where.categories)
        statement = sql.READ_CORRELATION_BACKWARD if page.backward else sql.READ_CORRELATION_FORWARD
    elif where.categories is not None:
        statement = sql.READ_CATEGORY_BACKWARD if page.backward else sql.READ_CATEGORY_FORWARD
        several = [{**given, "category": each} for each in {*where.categories}]
        return _merged(connection, location, page, statement, several)
    elif where.types is not None:
        statement = sql.READ_TYPE_BACKWARD if page.backward else sql.READ_TYPE_FORWARD
        several = [{**given, "type": each} for each in {*where.types}]
        return _merged(connection, location, page, statement, several)
    else:
        statement = sql.READ_LOG_BACKWARD if page.backward else sql.READ_LOG_FORWARD
    return rows_of(connection, location, statement, given)


def _merged(
    connection: Any, location: str, page: Page, statement: str, several: list[dict[str, Any]]
) -> list[StoredEvent]:
    """A page of what each of these gives, read no further than the page goes."""
    cursors: list[Any] = []
    # One snapshot for all: a page of a later moment could show a position above one that is still missing.
    connection.execute("BEGIN")
    try:
        cursors += [connection.execute(statement, given) for given in several]
        together = merge(*cursors, key=_POSITION, reverse=page.backward)
        return _paged(islice(together, page.limit), location)
    finally:
        for cursor in cursors:
            cursor.close()
        connection.execute("COMMIT")


def get(connection: Any, location: str, ids: Sequence[str]) -> list[StoredEvent]:
    pages = (connection.execute(sql.GET_EVENT, (id_to_blob(each),)) for each in ids)
    return events_of([row for page in pages for row in page], location)


def span(connection: Any, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
    since = MIN_INTEGER if since_us is None else since_us
    last = MAX_VERSION if until_us is None else until_us - 1
    ends = connection.execute(sql.ENDS).fetchone()
    if ends is None:
        return None
    first, first_us, end, end_us = ends
    # Where both are of that time, they are the answer, and what lies between need not be looked through.
    if not (since <= first_us <= last and since <= end_us <= last):
        first, end = connection.execute(sql.SPAN, {"since": since, "last": last}).fetchone()
    return None if first is None else (first, end)


def rows_of(
    connection: Any,
    location: str,
    statement: str,
    given: dict[str, Any],
    made: Callable[..., list[Any]] = events_of,
) -> list[Any]:
    cursor = connection.execute(statement, given)
    try:
        return _paged(cursor, location, made)
    finally:
        cursor.close()


def _paged(
    rows: Iterator[tuple[Any, ...]], location: str, made: Callable[..., list[Any]] = events_of
) -> list[Any]:
    found = made(enough(rows), location)
    return found if next(rows, None) is None else Cut(found)


def range_of(page: Page) -> dict[str, Any]:
    low, high = bounds_of(page)
    return {"low": low, "high": high, "limit": page.limit}


def _correlation(correlation_id: str) -> dict[str, Any]:
    return {"correlation_id": correlation_id, "correlation_hash": correlation_hash(correlation_id)}


def _residual(where: Filter) -> dict[str, Any]:
    return {
        "types": _array(where.types),
        "since": where.since_us,
        "until": where.until_us,
        "user_id": where.user_id,
        "tenant_id": where.tenant_id,
        "custom": _array(where.custom),
    }


def _array(names: Iterable[str | tuple[str, str]] | None) -> str | None:
    return None if names is None else json.dumps([*names])
