"""Tables of projections in the database of a PostgreSQL store, and the views that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.sql import SQL, Identifier

from evstore.errors import InvalidInputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection
    from psycopg.sql import Composed

    from evstore.errors import EvstoreError

# Where the role's CREATE TABLE would put a table. The schema of the store is the last choice: a role may have its
# name, and search there first.
WRITABLE_SCHEMA: Final = """
SELECT name::pg_catalog.text
FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)
WHERE pg_catalog.has_schema_privilege(name, 'CREATE')
ORDER BY name OPERATOR(pg_catalog.=) %(store)s::pg_catalog.name, place
LIMIT 1
"""

# Kind and owner, and the first table that a view is made of.
FIND: Final = """
SELECT
  there.relkind::text,
  (
    SELECT its.relname::text
    FROM pg_catalog.pg_rewrite AS rule
    JOIN pg_catalog.pg_depend AS needs
      ON needs.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND needs.objid = rule.oid
      AND needs.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class AS its ON its.oid = needs.refobjid
    WHERE rule.ev_class = there.oid AND its.oid <> there.oid
    LIMIT 1
  )
FROM pg_catalog.pg_class AS there
JOIN pg_catalog.pg_namespace AS space ON space.oid = there.relnamespace
WHERE space.nspname = %(schema)s AND there.relname = %(name)s
"""

GRANTS: Final = """
SELECT
  pg_catalog.pg_get_userbyid(nullif(granted.grantee, 0))::text, granted.privilege_type, granted.is_grantable
FROM pg_catalog.pg_class AS there
JOIN pg_catalog.pg_namespace AS space ON space.oid = there.relnamespace
CROSS JOIN pg_catalog.aclexplode(there.relacl) AS granted
WHERE space.nspname = %(schema)s AND there.relname = %(name)s AND granted.grantee <> there.relowner
"""


class PostgresTables:
    """`port.Tables`, in the transaction of a step. `rows` runs a statement with the settings of evstore."""

    def __init__(
        self,
        connection: Connection,
        rows: Callable[[str, dict[str, Any]], list[Any]],
        explained: Callable[[Any], EvstoreError],
        store: str,
    ) -> None:
        """`connection` has the settings of the role, and `store` is the schema of the store."""
        self._connection = connection
        self._rows = rows
        self._explained = explained
        self._store = store

    def schema(self) -> str:
        found = self._run(SQL(WRITABLE_SCHEMA), {"store": self._store}).fetchone()
        if found is None:
            raise UnsupportedError(
                "the search_path of this role has no schema in which it may make a table: GRANT CREATE ON SCHEMA"
            )
        return str(found[0])

    def shown(self, schema: str, view: str) -> str | None:
        found = self._rows(FIND, {"schema": schema, "name": view})
        if not found:
            return None
        kind, table = found[0]
        if kind != "v" or table is None:
            raise InvalidInputError(f'schema "{schema}" has a "{view}" that is no view of a projection')
        return str(table)

    def show(self, schema: str, view: str, table: str) -> None:
        its, source = Identifier(schema, view), Identifier(schema, table)
        made = SQL("VIEW {} AS SELECT * FROM {}").format(its, source)
        try:
            with self._connection.transaction():
                self._connection.execute(SQL("CREATE OR REPLACE {}").format(made))
        except psycopg.errors.InvalidTableDefinition:  # of other columns: only a new view can have them
            granted = self._rows(GRANTS, {"schema": schema, "name": view})
            self._run(SQL("DROP VIEW {}").format(its))
            self._run(SQL("CREATE {}").format(made))
            for role, right, may_grant in granted:
                to = Identifier(role) if role is not None else SQL("PUBLIC")
                grant = SQL("GRANT {} ON {} TO {}").format(SQL(right), its, to)
                self._run(grant + SQL(" WITH GRANT OPTION" if may_grant else ""))
        except psycopg.Error as error:
            raise self._explained(error) from error

    def hide(self, schema: str, view: str) -> None:
        if self.shown(schema, view) is not None:
            self._run(SQL("DROP VIEW {}").format(Identifier(schema, view)))

    def drop(self, schema: str, table: str) -> None:
        self._run(SQL("DROP TABLE IF EXISTS {}").format(Identifier(schema, table)))

    def _run(self, statement: SQL | Composed, given: dict[str, Any] | None = None) -> Any:
        try:
            return self._connection.execute(statement, given)
        except psycopg.Error as error:
            raise self._explained(error) from error
