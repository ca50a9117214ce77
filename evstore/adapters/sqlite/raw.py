"""Pages of the log as the bytes that the file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.raw import raw_page_of
from evstore.adapters.sqlite.reading import range_of, rows_of
from evstore.adapters.sqlite.rows import STREAM, TYPE, Names
from evstore.model.raw import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore.model.raw import RawPage
    from evstore.port import Page


def read_raw(connection: Any, location: str, names: Names, page: Page) -> RawPage | None:
    """A page of the log, None if an event is unusual."""
    names.raw = names.raw or RawNames(connection)
    connection.text_factory = bytes
    try:
        rows = rows_of(connection, location, names.raw.statement(page), range_of(page), lambda rows, _: rows)
    finally:
        connection.text_factory = str
    found: RawPage | None = names.raw.page_of(rows, page)
    return found


class RawNames(Names):
    """Names as JSON strings in UTF-8."""

    _form = staticmethod(spelled)

    def page_of(self, rows: Sequence[tuple[Any, ...]], page: Page) -> RawPage | None:
        """The page of rows of bytes, None if one is unusual."""
        try:
            if self.is_outgrown:
                return raw_page_of(rows, _spelled(map(STREAM, rows)), _spelled(map(TYPE, rows)), page)
            return self.known(rows, lambda streams, types: raw_page_of(rows, streams, types, page))
        except (KeyError, UnicodeDecodeError):
            return None


def _spelled(names: Iterable[Any]) -> dict[Any, bytes]:
    """Each of the names, as far as there is one, with its JSON string."""
    return {name: spelled(name.decode()) for name in {*names} if name is not None}
