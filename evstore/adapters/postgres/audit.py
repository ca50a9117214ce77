"""The audits of a PostgreSQL store: whole statements, and the reading of their rows.

What must be found in an index is looked up there: for a small table the planner would rather read the table. Where
another index leads to the same row, ORDER BY with = ANY, which can find several, lets it take this one: after the
other it would have to sort.
Lookups that end in LIMIT are not made joins of, so that a page never costs by the size of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.definitions import OBJECTS, differences, renamed
from evstore.adapters.postgres.location import SCHEMA_NUMBER
from evstore.adapters.postgres.reading import fetched, paged
from evstore.adapters.sql import correlation_hash, not_compared
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.versions import MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from evstore.model.findings import What

# For the transaction alone.
BY_INDEX: Final = """
SELECT
  pg_catalog.set_config('enable_indexscan', 'on', true),
  pg_catalog.set_config('enable_indexonlyscan', 'on', true),
  pg_catalog.set_config('enable_seqscan', 'off', true),
  pg_catalog.set_config('enable_sort', 'off', true),
  pg_catalog.set_config('jit', 'off', true)
"""

# Index events_pkey; what belongs to an event is looked up by its keys, what must lead to it by the other indexes.
AUDIT_EVENTS: Final = """
SELECT
  page.id, stream.stream_id, type.name, page.data::text, page.metadata::text,
  page.version, page.global_position, page.timestamp, page.tags, page.redacted_at IS NOT NULL,
  category.name,
  (SELECT name FROM evstore.categories WHERE key = stream.category_key LIMIT 1),
  (SELECT min(global_position) FROM evstore.events WHERE id = page.id),
  (SELECT min(global_position) FROM evstore.events
   WHERE (stream_key, version) = (page.stream_key, page.version)),
  (SELECT min(global_position) FROM evstore.events
   WHERE (stream_key, version) = (page.stream_key, page.version - 1)),
  page.category_number,
  CASE WHEN before.category_key = page.category_key THEN before.category_number END,
  page.correlation_hash, page.content_hash, page.chain_hash,
  (SELECT true FROM evstore.events
   WHERE category_key = ANY (ARRAY[page.category_key]) AND global_position = page.global_position
   ORDER BY category_key LIMIT 1) IS TRUE,
  (SELECT true FROM evstore.events
   WHERE type_key = ANY (ARRAY[page.type_key]) AND global_position = page.global_position
   ORDER BY type_key LIMIT 1) IS TRUE,
  (SELECT true FROM evstore.events
   WHERE timestamp = ANY (ARRAY[page.timestamp]) AND global_position = page.global_position
   ORDER BY timestamp LIMIT 1) IS TRUE,
  page.correlation_hash IS NULL OR
  (SELECT true FROM evstore.events
   WHERE correlation_hash = ANY (ARRAY[page.correlation_hash]) AND global_position = page.global_position
     AND correlation_hash IS NOT NULL
   ORDER BY correlation_hash LIMIT 1) IS TRUE
FROM (
  SELECT * FROM evstore.events
  WHERE global_position >= %(low)s AND global_position <= %(high)s
  ORDER BY global_position
  LIMIT (SELECT %(limit)s::bigint)
) AS page
LEFT JOIN LATERAL (
  SELECT stream_id, category_key FROM evstore.streams WHERE key = page.stream_key LIMIT 1
) AS stream ON true
LEFT JOIN LATERAL (SELECT name FROM evstore.types WHERE key = page.type_key LIMIT 1) AS type ON true
LEFT JOIN LATERAL (SELECT name FROM evstore.categories WHERE key = page.category_key LIMIT 1) AS category ON true
LEFT JOIN LATERAL (
  SELECT category_key, category_number FROM evstore.events
  WHERE (category_key, global_position) < (page.category_key, page.global_position)
  ORDER BY category_key DESC, global_position DESC
  LIMIT 1
) AS before ON true
ORDER BY page.global_position
"""

# For each of these tags, its events among the positions of a page. Index tags_by_name, then the key of event_tags.
AUDIT_TAGGED: Final = """
SELECT
  given.name,
  ARRAY(
    SELECT global_position FROM evstore.event_tags
    WHERE (tag_key, global_position) BETWEEN (tags.key, %(low)s::bigint) AND (tags.key, %(high)s::bigint)
    ORDER BY tag_key, global_position
  )
FROM pg_catalog.unnest(%(tags)s::text[]) AS given (name)
CROSS JOIN LATERAL (
  SELECT key FROM evstore.tags WHERE name = given.name ORDER BY name LIMIT (SELECT 9223372036854775807)
) AS tags
"""

# The whole key of event_tags.
COUNT_TAGS: Final = """
SELECT count(*) FROM evstore.event_tags WHERE global_position <= %(high)s
"""

# Index streams_pkey.
AUDIT_STREAMS: Final = """
SELECT
  page.key, page.stream_id,
  (SELECT min(key) FROM evstore.streams WHERE stream_id = page.stream_id),
  (SELECT count(*) FROM (
    SELECT FROM evstore.events WHERE stream_key = page.key ORDER BY stream_key, version LIMIT 1
  ) AS one) > 0,
  category.name,
  page.category_number,
  CASE WHEN before.category_key = page.category_key THEN before.category_number END,
  (SELECT min(key) FROM evstore.streams
   WHERE (category_key, category_number) = (page.category_key, page.category_number)),
  (SELECT true FROM evstore.streams
   WHERE category_key = ANY (ARRAY[page.category_key]) AND stream_id = page.stream_id
   ORDER BY category_key LIMIT 1) IS TRUE
FROM (
  SELECT * FROM evstore.streams WHERE key > %(after)s ORDER BY key LIMIT (SELECT %(limit)s::bigint)
) AS page
LEFT JOIN LATERAL (SELECT name FROM evstore.categories WHERE key = page.category_key LIMIT 1) AS category ON true
LEFT JOIN LATERAL (
  SELECT category_key, category_number FROM evstore.streams
  WHERE (category_key, category_number) < (page.category_key, page.category_number)
  ORDER BY category_key DESC, category_number DESC
  LIMIT 1
) AS before ON true
ORDER BY page.key
"""

# Index categories_pkey.
AUDIT_CATEGORIES: Final = """
SELECT
  page.key, page.name,
  (SELECT min(key) FROM evstore.categories WHERE name = page.name),
  (SELECT count(*) FROM (
    SELECT FROM evstore.events WHERE category_key = page.key ORDER BY category_key, global_position LIMIT 1
  ) AS one) > 0
FROM (
  SELECT * FROM evstore.categories WHERE key > %(after)s ORDER BY key LIMIT (SELECT %(limit)s::bigint)
) AS page
ORDER BY page.key
"""

# Index types_pkey.
AUDIT_TYPES: Final = """
SELECT
  page.key, page.name,
  (SELECT min(key) FROM evstore.types WHERE name = page.name),
  (SELECT count(*) FROM (
    SELECT FROM evstore.events WHERE type_key = page.key ORDER BY type_key, global_position LIMIT 1
  ) AS one) > 0
FROM (
  SELECT * FROM evstore.types WHERE key > %(after)s ORDER BY key LIMIT (SELECT %(limit)s::bigint)
) AS page
ORDER BY page.key
"""

# Index tags_pkey.
AUDIT_TAGS: Final = """
SELECT
  page.key, page.name,
  (SELECT min(key) FROM evstore.tags WHERE name = page.name),
  (SELECT count(*) FROM (
    SELECT FROM evstore.event_tags WHERE tag_key = page.key ORDER BY tag_key, global_position LIMIT 1
  ) AS one) > 0
FROM (
  SELECT * FROM evstore.tags WHERE key > %(after)s ORDER BY key LIMIT (SELECT %(limit)s::bigint)
) AS page
ORDER BY page.key
"""

_NAMES: Final[dict[What, str]] = {
    "category": AUDIT_CATEGORIES,
    "type": AUDIT_TYPES,
    "tag": AUDIT_TAGS,
    "stream": AUDIT_STREAMS,
}


class PostgresAudits:
    """`port.Audits`. `tried` asks again where a connection was lost; `appends_to` gives the schema that the
    procedures name, once the store is admitted."""

    def __init__(
        self, tried: Callable[[Callable[[Connection], Any]], Any], schema: str, appends_to: Callable[[], str]
    ) -> None:
        self._tried = tried
        self._schema = schema
        self._appends_to = appends_to

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        rows = self._by_index(AUDIT_EVENTS, {"low": low, "high": high, "limit": limit}, paged)
        return [AuditedEvent(*row) for row in rows]

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        given = {"after": MIN_INTEGER if after is None else after, "limit": limit}
        return [AuditedName(*row) for row in self._by_index(_NAMES[what], given)]

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for tag, held in self._by_index(AUDIT_TAGGED, {"tags": [*tags], "low": low, "high": high}):
            found.setdefault(tag, []).extend(held)  # a name that is there twice has two rows
        return found

    def count_tags(self, high: int) -> int:
        ((count,),) = self._by_index(COUNT_TAGS, {"high": high})
        return int(count)

    def schema(self) -> list[Finding]:
        """Findings where the store differs from schema.sql."""
        ((_, number, *_),) = self._rows(sql.in_schema(sql.ADMITS, self._schema).decode())
        if number != SCHEMA_NUMBER:
            raise not_compared(number, SCHEMA_NUMBER)
        from pkgutil import get_data

        text = get_data(__package__, "schema.sql")
        assert text is not None
        schema_sql = sql.in_schema(text.decode(), self._schema).decode()
        found, there = renamed(self._rows(OBJECTS, {"schema": self._schema}), self._appends_to(), self._schema)
        return [*found, *differences(schema_sql, self._schema, there)]

    def engine(self) -> list[Finding]:
        """amcheck, index after index, each in a transaction of its own."""
        from evstore.adapters.postgres.amcheck import findings

        return findings(self._tried, self._rows, self._schema)

    def correlation_hash(self, correlation_id: str) -> int:
        return correlation_hash(correlation_id)

    def _rows(self, statement: str, given: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._tried(
            lambda connection: connection.execute(statement.encode(), given).fetchall()
        )
        return rows

    def _by_index(
        self, statement: str, given: dict[str, Any], fetch: Callable[..., list[Any]] = fetched
    ) -> list[tuple[Any, ...]]:
        def ask(connection: Connection) -> list[tuple[Any, ...]]:
            with connection.transaction():
                connection.execute(BY_INDEX)
                return fetch(connection, sql.in_schema(statement, self._schema), given)

        rows: list[tuple[Any, ...]] = self._tried(ask)
        return rows
