"""The checks of wholeness, where a store changes between two questions of a read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from evstore import EventData, IncompleteLogError, connect
from evstore.adapters.sqlite.reading import read_all
from evstore.adapters.sqlite.rows import Names
from evstore.adapters.wholeness import Counted
from evstore.model.filters import Filter
from evstore.port import Page

if TYPE_CHECKING:
    from pathlib import Path


def test_a_category_that_is_gone_before_its_page_is_checked_is_reported_as_lost(tmp_path: Path) -> None:
    path = str(tmp_path / "events.db")
    with connect(f"sqlite:{path}") as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n) for n in range(3)])
    with closing(sqlite3.connect(path)) as reader, closing(sqlite3.connect(path, isolation_level=None)) as other:

        def lose(statement: str) -> None:
            if "category_number" in statement:  # the page has been read
                other.execute("DELETE FROM categories")

        other.execute("DROP TRIGGER categories_are_not_deleted")
        reader.set_trace_callback(lose)
        with pytest.raises(IncompleteLogError) as caught:
            read_all(reader, path, Names(reader), Counted(), Page(9), Filter(categories=("Order",)))
        assert (caught.value.position, caught.value.missing) == (3, "complete table of categories")
