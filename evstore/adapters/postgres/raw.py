"""Pages of the log as the bytes that the server holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.postgres.naming import names_of
from evstore.adapters.postgres.reading import ALL, POSITION, of_log, paged_raw
from evstore.adapters.raw import raw_page_of
from evstore.model.raw import NOTHING, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from evstore.adapters.postgres.location import Location
    from evstore.model.raw import RawPage
    from evstore.port import Page


def read_raw(ask: Callable[..., list[Any]], location: Location, page: Page) -> RawPage | None:
    """A page of the log, None if an event is unusual. `ask`: `Session._rows`."""
    names: tuple[dict[int, bytes], dict[int, bytes]] = {}, {}

    def fetch(connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
        nonlocal names
        rows = paged_raw(connection, statement, given)
        names = names_of(connection, location.schema, rows, spelled)
        return rows

    rows = ask(of_log(page, ALL), POSITION, fetch)
    try:
        return raw_page_of(rows, *names, page) if rows else NOTHING
    except KeyError:
        return None
