"""Names in the place of keys, in rows of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from evstore.adapters.postgres import statements as sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

T = TypeVar("T")


def put_names(connection: Connection, schema: str, rows: list[tuple[Any, ...]]) -> None:
    """Replace the keys of streams and types by their names, None where a name is missing.

    They are asked for anew for each page, so that a name that is lost is reported.
    """
    if rows:
        streams, types = names_of(connection, schema, rows, str)
        rows[:] = [(row[0], streams.get(row[1]), types.get(row[2]), *row[3:]) for row in rows]


def names_of(
    connection: Connection, schema: str, rows: Sequence[tuple[Any, ...]], form: Callable[[str], T]
) -> tuple[dict[int, T], dict[int, T]]:
    """The names of the streams and of the types of rows that have keys, by key, each in this form."""
    given = {"streams": _listed({row[1] for row in rows}), "types": _listed({row[2] for row in rows})}
    found = connection.execute(sql.in_schema(sql.NAMES, schema), given).fetchall()
    streams = {key: form(name) for of_type, key, name in found if not of_type}
    return streams, {key: form(name) for of_type, key, name in found if of_type}


def _listed(keys: set[int]) -> str:
    """The keys as an array in text: the driver takes longer to write a list than the server to answer."""
    return f"{{{','.join(map(str, keys))}}}"
