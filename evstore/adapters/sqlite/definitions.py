"""The tables, indexes, triggers and views of a SQLite store, and where a store differs from schema.sql."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from evstore.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

OBJECTS: Final = """
SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid
"""

_RESTORE: Final = "restore a backup that has it"


def made(sqlite: ModuleType) -> list[tuple[Any, ...]]:
    """The objects that schema.sql makes, as OBJECTS lists them."""
    from pkgutil import get_data

    text = get_data(__package__, "schema.sql")
    assert text is not None
    connection = sqlite.connect(":memory:")
    try:
        connection.executescript(text.decode())
        found: list[tuple[Any, ...]] = connection.execute(OBJECTS).fetchall()
    finally:
        connection.close()
    return found


def differences(made: list[tuple[Any, ...]], there: list[tuple[Any, ...]]) -> Iterator[Finding]:
    found = {(kind, name): text for kind, name, _, text in there}
    for kind, name, table, text in made:
        what = f'{kind} "{name}"'
        if kind in ("index", "trigger") and ("table", table) not in found:
            continue  # the table is missing, and all that belongs to it
        if (kind, name) not in found:
            # In an empty table, new names would get the keys of those that are lost, and their events.
            again = _RESTORE if kind == "table" else f"make it again: {_line(text)}"
            yield Finding(f"missing-{kind}", f"{what} is missing", advice=again)
        elif _line(found[kind, name]) != _line(text):
            advice = _RESTORE if kind == "table" else f"drop it and make it again: {_line(text)}"
            yield Finding(f"changed-{kind}", f"{what} is not what evstore makes", advice=advice)
    wanted = {(kind, name) for kind, name, *_ in made}
    for kind, name, table, text in there:
        if (kind, name) in wanted or ("table", table) not in wanted:
            continue
        if kind == "trigger" or (kind == "index" and text.startswith("CREATE UNIQUE")):  # which may refuse appends
            yield Finding(f"unknown-{kind}", f'{kind} "{name}" of table "{table}" is not evstore\'s')


def _line(text: str) -> str:
    """Without comments, which change nothing."""
    return " ".join(re.sub("--[^\n]*", "", text).split())
