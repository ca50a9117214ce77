"""Pages of the log as the bytes that the file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.raw import raw_page_of
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.reading import range_of, rows_of
from evstore.adapters.sqlite.rows import Names
from evstore.model.raw import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.model.raw import RawPage
    from evstore.port import Page


def read_raw(connection: Any, location: str, names: Names, page: Page) -> RawPage | None:
    """A page of the log, None if an event is unusual."""
    statement = sql.READ_KEYED_LOG_BACKWARD if page.backward else sql.READ_KEYED_LOG_FORWARD
    connection.text_factory = bytes
    try:
        rows = rows_of(connection, location, statement, range_of(page), lambda rows, _: rows)
    finally:
        connection.text_factory = str
    names.raw = names.raw or RawNames(connection)
    found: RawPage | None = names.raw.page_of(rows, page)
    return found


class RawNames(Names):
    """Names as JSON strings in UTF-8."""

    _form = staticmethod(spelled)

    def page_of(self, rows: Sequence[tuple[Any, ...]], page: Page) -> RawPage | None:
        """The page of rows of bytes, None if one is unusual."""
        try:
            return self.known(rows, lambda streams, types: raw_page_of(rows, streams, types, page))
        except KeyError:
            return None
