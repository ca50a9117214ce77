"""Statements for a connection of the application."""

from __future__ import annotations

from typing import Final

from evstore.adapters.sqlite.statements import ADMITS

__all__ = ["ADMITS", "SETTINGS", "SHADOWS", "WRITE_NOTHING"]

SETTINGS: Final = ("query_only", "synchronous", "journal_mode")

# A statement of a temporary table would come before the store's.
SHADOWS: Final = """
SELECT 1 FROM temp.sqlite_schema AS theirs
JOIN main.sqlite_schema AS ours ON ours.name = theirs.name COLLATE NOCASE
WHERE ours.type = 'table'
LIMIT 1
"""

# It takes the write lock.
WRITE_NOTHING: Final = """
UPDATE main.store SET id = id WHERE false
"""
