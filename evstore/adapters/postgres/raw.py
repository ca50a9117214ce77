"""Pages of the log as the bytes that the server holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.postgres.naming import Names
from evstore.adapters.postgres.reading import ALL, POSITION, of_log, paged_raw
from evstore.adapters.raw import raw_page_of
from evstore.model.raw import NOTHING, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from evstore.model.raw import RawPage
    from evstore.port import Page


class RawPages:
    """The log of a store in raw pages. `ask`: `Session._rows`; `server`: as in `Names.of`."""

    def __init__(self, ask: Callable[..., list[Any]], schema: str, server: Callable[[], object]) -> None:
        self._ask = ask
        self._names: Names[bytes] = Names(schema, spelled)
        self._server = server

    def read(self, page: Page) -> RawPage | None:
        """A page of the log, None if an event is unusual."""
        names: tuple[dict[int, bytes], dict[int, bytes]] = {}, {}

        def fetch(connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
            nonlocal names
            rows = paged_raw(connection, statement, given)
            names = self._names.of(connection, self._server(), rows)
            return rows

        rows = self._ask(of_log(page, ALL), POSITION, fetch)
        try:
            return raw_page_of(rows, *names, page) if rows else NOTHING
        except KeyError:
            return None
