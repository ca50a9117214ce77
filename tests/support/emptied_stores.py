"""Empty stores on a server, lent to one test after the other: making one takes much longer than emptying it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg

from evstore import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

_LOOK: Final = """
WITH
  place AS (SELECT oid, xmin FROM pg_namespace WHERE nspname = '{schema}'),
  relation AS MATERIALIZED (SELECT c.oid, c.xmin, c.relkind FROM pg_class AS c JOIN place ON relnamespace = place.oid),
  owner AS (SELECT oid FROM place UNION ALL SELECT oid FROM relation),
  entry(kind, oid, number, row) AS (
    SELECT 'schema', oid, 0, xmin FROM place
    UNION ALL SELECT 'relation', oid, 0, xmin FROM relation
    UNION ALL SELECT 'column', attrelid, attnum, a.xmin FROM relation JOIN pg_attribute AS a ON attrelid = relation.oid
    UNION ALL SELECT 'function', p.oid, 0, p.xmin FROM place JOIN pg_proc AS p ON pronamespace = place.oid
    UNION ALL SELECT 'trigger', t.oid, 0, t.xmin FROM relation JOIN pg_trigger AS t ON tgrelid = relation.oid
    UNION ALL SELECT 'constraint', k.oid, 0, k.xmin FROM relation JOIN pg_constraint AS k ON conrelid = relation.oid
    UNION ALL SELECT 'rule', r.oid, 0, r.xmin FROM relation JOIN pg_rewrite AS r ON ev_class = relation.oid
    UNION ALL SELECT 'index', indexrelid, 0, i.xmin FROM relation JOIN pg_index AS i ON indrelid = relation.oid
    UNION ALL SELECT 'statistics', starelid, staattnum, s.xmin FROM relation JOIN pg_statistic AS s ON starelid = relation.oid
    UNION ALL SELECT 'default right', d.oid, 0, d.xmin FROM place JOIN pg_default_acl AS d ON defaclnamespace = place.oid
    UNION ALL SELECT 'what depends', objid, classid::int, NULL FROM owner JOIN pg_depend ON refobjid = owner.oid
  )
SELECT
  md5(string_agg(entry::text, ' ' ORDER BY entry::text)),
  (SELECT array_agg(store::text) FROM {schema}.store),
  (SELECT sum(pg_table_size(oid)) < 500000 FROM relation WHERE relkind = 'r')
FROM entry
"""
"""What is in the catalogs of a store: each row by its identity and by the transaction that wrote it, which is another
after any change, even one that was taken back. Then the store's own row, and that its tables are not large."""

_TABLES: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r' AND relname NOT IN ('store', 'migrations')
"""


class EmptiedStores:
    """The stores of one server. What a test has changed but for the events and what stands with them, is dropped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free: list[str] = []
        self._made: dict[str, object] = {}

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The schema of an empty store, which lasts for the block."""
        schema = self._free.pop() if self._free else self._make()
        try:
            yield schema
        finally:
            if self._emptied(schema):
                self._free.append(schema)
            else:
                del self._made[schema]
                self._server.drop(schema)

    def drop(self) -> None:
        """Drop what nobody has borrowed."""
        while self._free:
            self._server.drop(self._free.pop())

    def _make(self) -> str:
        schema = self._server.new_schema()
        self._begin(schema)
        with self._server.kept() as connection:
            self._made[schema] = connection.execute(_LOOK.format(schema=schema).encode()).fetchone()
        return schema

    def _begin(self, schema: str) -> None:
        with connect(self._server.url(schema)) as store:
            store.initialize()

    def _emptied(self, schema: str) -> bool:
        """False if it is not as it was made: then it stays as it is."""
        try:
            with self._server.kept() as connection, connection.transaction():
                connection.execute("SET LOCAL session_replication_role = replica")  # no trigger refuses
                if connection.execute(_LOOK.format(schema=schema).encode()).fetchone() != self._made[schema]:
                    return False
                names = [
                    f"{schema}.{name}" for (name,) in connection.execute(_TABLES.format(schema=schema).encode())
                ]
                connection.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE".encode())
                connection.execute(";".join(f"DELETE FROM {name}" for name in names).encode())
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
            return False
        return True
