"""Lists and facts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.paging import end_of_prefix
from evstore.adapters.sql import ON_DISK
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.module import STANDARD
from evstore.adapters.sqlite.reading import ALL, check_names, check_streams
from evstore.adapters.wholeness import (
    CATEGORY_PARTS,
    SOURCE_PARTS,
    STREAM_PARTS,
    TAG_PARTS,
    TYPE_PARTS,
    Counted,
    check_listed,
    is_whole_list,
)
from evstore.model.digests import EMPTY, shown
from evstore.model.facts import CategoryInfo, SourceInfo, StoreInfo, StreamInfo, TagInfo, TypeInfo
from evstore.model.filters import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from evstore.port import NamePage

_ABOVE_ALL_NAMES: Final = b"\xff"
"""In SQLite's order every blob stands above every text, and this one above the bytes of every name: a damaged page
may hold them in the place of the name, which the end of a list is to report."""


def stream(connection: Any, location: str, counted: Counted, stream_id: str) -> StreamInfo | None:
    given = {"low": stream_id, "high": _next_name(stream_id), "after": None, "limit": 1}
    found = connection.execute(sql.LIST_STREAMS, given).fetchone()
    if found is None and check_names(connection, location, ALL, stream_id):
        check_streams(connection, location, counted)
    return StreamInfo(*_listed([found], STREAM_PARTS, location)[0]) if found else None


def streams(
    connection: Any, location: str, counted: Counted, page: NamePage, category: str | None
) -> list[StreamInfo]:
    statement = sql.LIST_STREAMS if category is None else sql.LIST_STREAMS_OF_CATEGORY
    found = _listed(connection.execute(statement, range_of(page, category)), STREAM_PARTS, location)
    if category is None and is_whole_list(found, page):
        check_names(connection, location, ALL, every=True)
        check_streams(connection, location, counted)
    if category is not None and not found:
        check_names(connection, location, Filter(categories=(category,)))
    return [StreamInfo(*row) for row in found]


def categories(connection: Any, location: str, page: NamePage) -> list[CategoryInfo]:
    found = _listed(connection.execute(sql.LIST_CATEGORIES, range_of(page)), CATEGORY_PARTS, location)
    if is_whole_list(found, page):
        check_names(connection, location, ALL, every=True)
    return [CategoryInfo(*row) for row in found]


def tags(connection: Any, location: str, page: NamePage) -> list[TagInfo]:
    found = _listed(connection.execute(sql.LIST_TAGS, range_of(page)), TAG_PARTS, location)
    if is_whole_list(found, page):
        check_names(connection, location, ALL, every=True)
    return [TagInfo(*row) for row in found]


def sources(connection: Any, location: str, page: NamePage) -> list[SourceInfo]:
    given = range_of(page)
    found: list[SourceInfo] = []
    after = page.after
    while len(found) < page.limit:
        if after is not None:
            given["low"] = max(page.prefix, _next_name(after))
        row = connection.execute(sql.NEXT_SOURCE, given).fetchone()
        if row is None:
            break
        check_listed(row, SOURCE_PARTS, location)
        found.append(SourceInfo(*row))
        after = found[-1].source
    return found


def _next_name(name: str) -> str:
    """The end of a range that holds this name and no other after it: names hold no control characters."""
    return name + "\x01"


def types(connection: Any, location: str, page: NamePage, category: str | None) -> list[TypeInfo]:
    statement = sql.LIST_TYPES if category is None else sql.LIST_TYPES_OF_CATEGORY
    found = _listed(connection.execute(statement, range_of(page, category)), TYPE_PARTS, location)
    if category is None and is_whole_list(found, page):
        check_names(connection, location, ALL, every=True)
    if category is not None and not found:
        check_names(connection, location, Filter(categories=(category,)))
    return [TypeInfo(*row) for row in found]


def _listed(rows: Iterable[Any], parts: Mapping[int, str], location: str) -> list[tuple[Any, ...]]:
    """The rows of a list without the position they rest on. Raises IncompleteLogError if a part is missing."""
    found = [*rows]
    for row in found:
        check_listed(row, parts, location)
    return [row[:-1] for row in found]


def range_of(page: NamePage, category: str | None = None) -> dict[str, Any]:
    low = page.prefix if page.after is None else max(page.prefix, page.after)
    given = {
        "low": low,
        "high": end_of_prefix(page.prefix) or _ABOVE_ALL_NAMES,
        "after": page.after,
        "limit": page.limit,
    }
    return given if category is None else {**given, "category": category}


def info(sqlite: ModuleType, connection: Any, path: str, notes: Sequence[str]) -> StoreInfo:
    head, streams_, categories_, _, _, _, is_chained, digest, _ = connection.execute(sql.LAST_KEYS).fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    size = sum(os.path.getsize(each) for each in (path, f"{path}-wal") if os.path.exists(each))
    warnings = [] if _resets_wal_safely(sqlite.sqlite_version_info) else [_wal_reset_bug(sqlite)]
    return StoreInfo(
        backend="sqlite",
        backend_version=sqlite.sqlite_version,
        location=path,
        schema_version=schema,
        streams=streams_,
        categories=categories_,
        head=head,
        size_bytes=size,
        durability={"journalMode": "immutable" if notes else journal, "synchronous": "full"},
        warnings=(*warnings, *_lost_triggers(connection), *notes),
        durable=True,  # whatever this connection has: those that write set synchronous
        how_durable=ON_DISK,
        tamper_evident=bool(is_chained),
        digest=shown(head, digest if head else EMPTY) if is_chained and (digest or not head) else None,
    )


def _lost_triggers(connection: Any) -> Iterator[str]:
    """A warning if a trigger is missing, as after another program made a table anew."""
    from pkgutil import get_data

    from evstore.adapters.sqlite.definitions import OBJECTS

    schema = get_data(__package__, "schema.sql")
    assert schema is not None
    there = {name for kind, name, *_ in connection.execute(OBJECTS) if kind == "trigger"}
    made = re.findall(r"^CREATE TRIGGER (\w+)", schema.decode(), re.MULTILINE)
    lost = [name for name in made if name not in there]
    if lost:
        missing = f"{len(lost)} triggers are missing" if len(lost) > 1 else "1 trigger is missing"
        yield (
            f"{missing}, of those that keep the log as it is: {', '.join(lost)}; "
            "evstore verify reports how to make them again"
        )


_WAL_RESET_BUG: Final = (
    "this SQLite can lose a commit that overlaps a checkpoint; evstore keeps them apart, other programs that "
    "open this file may not. Fixed in SQLite 3.51.3, or with "
)
_MENDED: Final = "pysqlite3>=0.6.1"


def _wal_reset_bug(sqlite: ModuleType) -> str:
    """The warning, with advice that is not followed already."""
    return _WAL_RESET_BUG + ("evstore[sqlite]" if sqlite.__name__ == STANDARD else f"pip install '{_MENDED}'")


def _resets_wal_safely(version: tuple[int, int, int]) -> bool:
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
