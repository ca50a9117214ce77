"""What a PostgreSQL store says against itself: asked of its tables, past the statements that evstore reads with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.adapters.postgres.statements import in_schema

if TYPE_CHECKING:
    from tests.support.servers import Server


def _miscounted(table: str, number: str, within: str, order: str) -> str:
    """The n-th row, in this order, must have the number n."""
    return f"""
        SELECT * FROM (
          SELECT {within}, {number} AS number, row_number() OVER (PARTITION BY {within} ORDER BY {order}) AS n
          FROM evstore.{table}
        ) AS counted
        WHERE number <> n
    """


def _unused(table: str, key: str) -> str:
    return f"SELECT key FROM evstore.{table} WHERE key NOT IN (SELECT {key} FROM evstore.events)"


# Each row that is found is wrong.
_FAULTS: Final = {
    "a position does not count the log": _miscounted("events", "global_position", "true", "global_position"),
    "a version does not count its stream": _miscounted("events", "version", "stream_key", "global_position"),
    "a number does not count the events of its category": _miscounted(
        "events", "category_number", "category_key", "global_position"
    ),
    "a number does not count the streams of its category": _miscounted(
        "streams", "category_number", "category_key", "key"
    ),
    "a key does not count the streams": _miscounted("streams", "key", "true", "key"),
    "a key does not count the categories": _miscounted("categories", "key", "true", "key"),
    "a key does not count the types": _miscounted("types", "key", "true", "key"),
    "a key does not count the tags": _miscounted("tags", "key", "true", "key"),
    "a stream has no events": _unused("streams", "stream_key"),
    "a category has no events": _unused("categories", "category_key"),
    "a type has no events": _unused("types", "type_key"),
    "a tag has no events": "SELECT key FROM evstore.tags WHERE key NOT IN (SELECT tag_key FROM evstore.event_tags)",
}


def gaps(server: Server, schema: str) -> list[str]:
    """What is numbered with a gap, twice or out of order, and what an append that was not made has left."""
    found = []
    with server.connect() as connection:
        for sentence, statement in _FAULTS.items():
            rows = connection.execute(in_schema(statement, schema)).fetchall()
            if rows:
                found.append(f"{sentence}: {rows[:3]}, {len(rows)} in all")
    return found
