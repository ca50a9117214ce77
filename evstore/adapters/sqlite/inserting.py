"""Inserts that are counted: a trigger of another hand can swallow a row, and SQLite says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.errors import CorruptStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable


def insert(connection: Any, location: str, statement: str, rows: Iterable[tuple[Any, ...]], count: int) -> None:
    """Insert so many rows, or raise CorruptStoreError."""
    if connection.executemany(statement, rows).rowcount != count:
        raise CorruptStoreError(
            f"the event store at {location} is damaged: something in it swallows what is appended; nothing was "
            "stored, and evstore verify names it"
        )
