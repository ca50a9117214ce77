"""The choice of the statement for a read, with its parameters."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.string import ByteaBinaryLoader

from evstore.adapters.paging import end_of_prefix, enough
from evstore.adapters.postgres import statements as sql
from evstore.adapters.sql import correlation_hash
from evstore.adapters.wholeness import check_part, single_category
from evstore.jsontext.quoting import quote
from evstore.model.events import StoredEvent
from evstore.model.filters import Filter
from evstore.model.versions import MAX_VERSION, MIN_INTEGER
from evstore.port import Cut, bounds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection, Cursor

    from evstore.model.conditions import Query, QueryItem
    from evstore.port import NamePage, Page

ALL: Final = Filter()
CHUNK: Final = 8 if psycopg.pq.version() >= 170000 else 1  # noqa: PLR2004 - older ones accept a single one
"""Rows that come from the server at a time. They are in memory together, however long they are."""

POSITION: Final = StoredEvent._fields.index("global_position")
"""The index of the global position in a row of an event."""
WIDTH: Final = len(StoredEvent._fields)
BEFORE, NUMBER = WIDTH, WIDTH + 1
"""The indexes of the numbers in a row of an event of one category: of an earlier event, and its own."""


class Question(NamedTuple):
    statement: str
    given: dict[str, Any]
    has_keys: bool = False
    """Its rows of events have keys in the place of names."""


def asks_query(where: Filter) -> bool:
    """True if the filter has a query that does not match everything."""
    return where.query is not None and bool(where.query.items)


def of_stream(stream_id: str, page: Page, where: Filter) -> Question:
    statement = sql.READ_STREAM_BACKWARD if page.backward else sql.READ_STREAM_FORWARD
    query = _path(where.query) if where.query and where.query.items else None
    return Question(statement, {**_range(page), **_residual(where), "query": query, "stream_id": stream_id})


def _path(query: Query) -> str:
    """The query as a predicate in SQL/JSON, over an event's type and tags."""
    return " || ".join(f"({_predicate(item)})" for item in query.items)


def _predicate(item: QueryItem) -> str:
    types = " || ".join(f"$.type == {quote(name)}" for name in item.types)
    tags = [f"$.tags[*] == {quote(tag)}" for tag in item.tags]
    return " && ".join([f"({types})", *tags] if types else tags)


def of_log(page: Page, where: Filter) -> Question:
    """Choose the statement by the narrowest index; the other filters are residual."""
    category = single_category(where)
    if category is not None:
        statement = sql.READ_CATEGORY_BACKWARD if page.backward else sql.READ_CATEGORY_FORWARD
        return Question(statement, {**_range(page), "category": category})
    given = {**_range(page), **_residual(where), "categories": _names(where.categories)}
    if where.correlation_id is not None:
        given |= _correlation(where.correlation_id)
        statement = sql.READ_CORRELATION_BACKWARD if page.backward else sql.READ_CORRELATION_FORWARD
    elif where.categories is not None:
        statement = sql.READ_CATEGORIES_BACKWARD if page.backward else sql.READ_CATEGORIES_FORWARD
    elif where.types is not None:
        statement = sql.READ_TYPES_BACKWARD if page.backward else sql.READ_TYPES_FORWARD
    elif where == ALL:
        statement = sql.READ_KEYED_LOG_BACKWARD if page.backward else sql.READ_KEYED_LOG_FORWARD
        return Question(statement, _range(page), has_keys=True)
    else:
        statement = sql.READ_LOG_BACKWARD if page.backward else sql.READ_LOG_FORWARD
    return Question(statement, given)


def of_matches(page: Page, where: Filter) -> Question:
    """Ask for what the filter's query matches."""
    low, high = bounds_of(page)
    ends = (high + 1 if high < MAX_VERSION else high, low) if page.backward else (low - 1, high)
    return Question(sql.READ_MATCHES, {**_matched(ends, where), "backward": page.backward, "limit": page.limit})


def _matched(ends: tuple[int, int], where: Filter) -> dict[str, Any]:
    assert where.query is not None
    return {
        **_residual(where),
        "query": json.dumps(where.query.members()),
        "begin": ends[0],
        "end": ends[1],
        "categories": _names(where.categories),
        "correlation_id": where.correlation_id,
    }


def of_digest(low: int, high: int) -> Question:
    return Question(sql.DIGEST, {"low": low, "high": high})


def digest_of(rows: list[tuple[Any, ...]], low: int, location: str) -> bytes:
    """The digest of a part of the log from `low` on. Raises IncompleteLogError if the part is not whole."""
    ((digest, *whole),) = rows
    check_part(location, low, *whole)
    return bytes(digest)


def of_count(low: int, high: int, where: Filter) -> Question:
    """Choose the statement as for the events themselves."""
    if asks_query(where):
        return Question(sql.COUNT_MATCHES, _matched((low - 1, high), where))
    given = {"low": low, "high": high, **_residual(where), "categories": _names(where.categories)}
    if where.correlation_id is not None:
        return Question(sql.COUNT_CORRELATION, {**given, **_correlation(where.correlation_id)})
    if where.categories is not None:
        return Question(sql.COUNT_CATEGORIES, given)
    return Question(sql.COUNT_LOG if where.types is None else sql.COUNT_TYPES, given)


def of_names(where: Filter, stream_id: str | None = None, *, every: bool = False) -> Question:
    """Ask if the names are there, or if they are not there in a store whose tables agree."""
    items = where.query.items if where.query else ()
    names = {
        "categories": _names(where.categories),
        "types": _names([*(where.types or ()), *(name for item in items for name in item.types)]),
        "tags": [tag for item in items for tag in item.tags],
    }
    return Question(sql.LOST, {**names, "stream_id": stream_id, "all": every})


def of_names_in(statement: str, page: NamePage) -> Question:
    """Ask a statement for a page of names."""
    return Question(statement, _name_range(page))


def of_streams(page: NamePage, category: str | None) -> Question:
    if category is None:
        return Question(sql.LIST_STREAMS, _name_range(page))
    return Question(sql.LIST_STREAMS_OF_CATEGORY, {**_name_range(page), "category": category})


def of_tags(page: NamePage) -> Question:
    return Question(sql.LIST_TAGS, _name_range(page))


def of_sources(page: NamePage) -> Question:
    return Question(sql.LIST_SOURCES, _name_range(page))


def of_types(page: NamePage, category: str | None) -> Question:
    if category is None:
        return Question(sql.LIST_TYPES, _name_range(page))
    return Question(sql.LIST_TYPES_OF_CATEGORY, {**_name_range(page), "category": category})


def of_categories(page: NamePage) -> Question:
    return Question(sql.LIST_CATEGORIES, _name_range(page))


def of_span(since_us: int | None, until_us: int | None) -> Question:
    since = MIN_INTEGER if since_us is None else since_us
    return Question(sql.SPAN, {"since": since, "last": MAX_VERSION if until_us is None else until_us - 1})


def fetched(connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
    return connection.execute(statement, given).fetchall()


def filtered(connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
    """The rows that row level security lets through."""
    with connection.transaction():
        connection.execute(sql.ADMIT_FILTERS)
        return fetched(connection, statement, given)


def paged(
    connection: Connection, statement: bytes, given: dict[str, Any], cursor: Cursor | None = None
) -> list[Any]:
    """The rows of a page of events; few rows beyond it are ever in memory."""
    alone = connection.info.transaction_status == TransactionStatus.IDLE
    rows: Any = (cursor or connection.cursor()).stream(statement, given, size=CHUNK)
    with closing(rows):  # which cancels what is still to come
        found = enough(rows)
        if next(rows, None) is None:
            return found
        if not alone:  # that would take the transaction with it
            for _ in rows:
                continue
    return Cut(found)


def paged_raw(connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
    """The same, with texts and ids as the bytes that the server holds."""
    cursor = connection.cursor(binary=True)
    for name in ("text", "json", "uuid"):
        cursor.adapters.register_loader(name, ByteaBinaryLoader)
    return paged(connection, statement, given, cursor)


def is_askable(question: Question) -> bool:
    """True if the server can be asked. It accepts no U+0000 in text; nothing stored holds one, so the answer
    is empty."""
    texts = [each for each in question.given.values() if isinstance(each, str)]
    texts += [each for name in ("custom_keys", "custom_values") for each in question.given.get(name) or ()]
    return not any("\0" in each for each in texts)


def _range(page: Page) -> dict[str, Any]:
    low, high = bounds_of(page)
    return {"low": low, "high": high, "limit": page.limit}


def _name_range(page: NamePage) -> dict[str, Any]:
    return {
        "low": page.prefix,
        "high": end_of_prefix(page.prefix),
        "after": page.after,
        "limit": page.limit,
    }


def _correlation(correlation_id: str) -> dict[str, Any]:
    return {"correlation_id": correlation_id, "correlation_hash": correlation_hash(correlation_id)}


def _residual(where: Filter) -> dict[str, Any]:
    return {
        "types": _names(where.types),
        "since": where.since_us,
        "until": where.until_us,
        "user_id": where.user_id,
        "tenant_id": where.tenant_id,
        "custom_keys": None if where.custom is None else [key for key, _ in where.custom],
        "custom_values": None if where.custom is None else [value for _, value in where.custom],
    }


def _names(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else [name for name in names if "\0" not in name]
