"""The mark of a store: how it is made, and how it is known again."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import DuplicateKeyError

from evstore.errors import NotAStoreError, NotInitializedError, SchemaTooNewError

if TYPE_CHECKING:
    from pymongo.database import Database

VERSION: Final = 1
MARKS: Final = "evstore"
"""The collection that makes a database a store."""
_STORE: Final = "store"


def check(database: Database[dict[str, Any]], location: str) -> None:
    """Raise a SchemaError where there is no store."""
    mark = _mark(database)
    if mark is None:
        if _is_others(database) and _mark(database) is None:
            raise NotAStoreError(location, "the database has collections of something else")
        raise NotInitializedError(location)
    if mark["reader"] > VERSION:
        detail = f"the store has version {mark['schema']}, and this evstore knows {VERSION}"
        raise SchemaTooNewError(location, detail)


def initialize(database: Database[dict[str, Any]], location: str) -> None:
    """Make the store if it is not there yet: its mark comes first, for all other collections make themselves."""
    try:
        check(database, location)
    except NotInitializedError:
        now_us = time.time_ns() // 1000
        mark = {"_id": _STORE, "schema": VERSION, "reader": VERSION, "writer": VERSION, "time": now_us}
        with suppress(DuplicateKeyError):
            database[MARKS].insert_one(mark)


def _mark(database: Database[dict[str, Any]]) -> dict[str, Any] | None:
    return database[MARKS].find_one({"_id": _STORE})


def _is_others(database: Database[dict[str, Any]]) -> bool:
    """True if the database holds anything. A server may show the collection of the mark before the mark itself."""
    names = database.list_collection_names()
    return bool({*names} - {MARKS}) or database[MARKS].find_one({}) is not None
