"""Files of SQLite: an empty store, made once, because making one waits for the disk several times; and damage."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from evstore import connect

if TYPE_CHECKING:
    from pathlib import Path


class EmptyStore:
    """The files of an empty store, which are there as `initialize` left them."""

    NAME = "made.db"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with connect(f"sqlite:{folder}/{self.NAME}") as store:
            store.initialize()

    def copy_to(self, path: Path) -> None:
        for each in self._folder.iterdir():
            shutil.copyfile(each, path.with_name(each.name.replace(self.NAME, path.name)))


def update_past_kinds(path: Path, update: str, *, nullable: bool = False) -> None:
    """Run an UPDATE of a table past its trigger, its checks and the kinds of its columns: a damaged page may hold
    anything. What it says of its columns is afterwards what it was."""
    table = update.split()[1]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ((kept,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", [table]).fetchall()
        open_to_all = kept.replace(") STRICT, ", ") ").replace(") STRICT", ")")
        if nullable:
            open_to_all = open_to_all.replace("NOT NULL", "")
        connection.execute(f"DROP TRIGGER IF EXISTS {table}_are_not_updated")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        _declare(connection, table, open_to_all)
        assert connection.execute(update).rowcount > 0
        _declare(connection, table, kept)


def _declare(connection: sqlite3.Connection, table: str, sql: str) -> None:
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", [sql, table])
    connection.execute("PRAGMA writable_schema = RESET")
