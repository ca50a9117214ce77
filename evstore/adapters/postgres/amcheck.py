"""The server's own check of indexes, by its extension amcheck."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg

from evstore.errors import UnsupportedError
from evstore.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

# Where amcheck is installed, and whether this role may use it.
AMCHECK: Final = """
SELECT nspname, bool_and(pg_catalog.has_function_privilege(pg_proc.oid, 'EXECUTE'))
FROM pg_catalog.pg_extension
JOIN pg_catalog.pg_namespace ON pg_namespace.oid = extnamespace
JOIN pg_catalog.pg_proc ON pronamespace = extnamespace AND proname = 'bt_index_check'
WHERE extname = 'amcheck'
GROUP BY nspname
"""

# What is unlogged is gone after a crash, cannot be read on a standby, and holds nothing that was promised.
BTREES: Final = """
SELECT pg_class.oid::bigint, relname
FROM pg_catalog.pg_class
JOIN pg_catalog.pg_index ON indexrelid = pg_class.oid
JOIN pg_catalog.pg_am ON pg_am.oid = relam AND amname = 'btree'
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s)
  AND relpersistence = 'p'
  AND indisvalid
  AND indisready
ORDER BY relname
"""

# The extension may stand in any schema. For the transaction alone.
IN_AMCHECK: Final = """
SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(%(schema)s), true)
"""

# With the second argument, every row of the table must be in the index.
CHECK_BTREE: Final = """
SELECT bt_index_check(%(index)s::oid::regclass, true)
"""


def findings(
    tried: Callable[[Callable[[Connection], Any]], Any], rows: Callable[..., list[tuple[Any, ...]]], schema: str
) -> list[Finding]:
    """The faults of the indexes of this schema. Raises UnsupportedError where the extension cannot be asked."""
    found = rows(AMCHECK)
    if not found:
        raise UnsupportedError("the extension amcheck is not installed in this database")
    ((extension, permitted),) = found
    if not permitted:
        raise UnsupportedError("this role may not execute amcheck's bt_index_check")
    return [
        Finding("engine", f'amcheck of index "{name}": {fault}')
        for index, name in rows(BTREES, {"schema": schema})
        if (fault := tried(partial(_checked, extension, index)))
    ]


def _checked(extension: str, index: int, connection: Connection) -> str:
    """The fault that amcheck finds in an index, or an empty text."""
    try:
        with connection.transaction():
            connection.execute(IN_AMCHECK, {"schema": extension})
            connection.execute(CHECK_BTREE, {"index": index})
    except psycopg.Error as error:
        if not (error.sqlstate or "").startswith("XX"):
            raise
        return " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
    return ""
