"""The row of a store that says which evstores may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.sql import check_admits
from evstore.adapters.sqlite.location import SCHEMA, marking
from evstore.errors import CorruptStoreError, NotAStoreError, SchemaTooOldError

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_store(path: str, rows: Sequence[tuple[Any, ...]], oldest: int, *, to_write: bool) -> None:
    """Raise unless this evstore may use the store, by the rows of ADMITS. `oldest`: the oldest schema that the
    caller can use."""
    if len(rows) != 1:
        raise NotAStoreError(path, "evstore did not make it")
    if not all(isinstance(each, int) for each in rows[0]):
        raise CorruptStoreError(f"the event store at {path} is damaged: its schema number cannot be read")
    try:
        check_admits(path, rows[0], SCHEMA, to_write=to_write, oldest=oldest)
    except SchemaTooOldError as error:
        error.add_note(f"evstore migrate; where another program lost the number: {marking(path)}")
        raise
