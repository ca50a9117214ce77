"""Snapshots of a PostgreSQL store, in a table beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.adapters.postgres import snapshot_statements as sql
from evstore.adapters.postgres.reading import Question
from evstore.adapters.postgres.statements import in_schema
from evstore.adapters.postgres.stepping import settled
from evstore.model.names import REDACTIONS
from evstore.port import Snapshot

if TYPE_CHECKING:
    from psycopg import Connection

    from evstore.adapters.postgres.access import Access


class PostgresSnapshots:
    """`port.Snapshots`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        rows = self._access.rows(Question(sql.FIND_SNAPSHOT, {"stream_id": stream_id, "kind": kind}))
        return Snapshot(stream_id, kind, *rows[0][:-1]) if rows else None

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        schema = self._access.location.schema
        lock, version, keep = (in_schema(each, schema) for each in (sql.LOCK_LOG, sql.VERSION, sql.KEEP_SNAPSHOT))

        def kept(connection: Connection) -> bool:
            with settled(connection, self._access.timeout):
                connection.execute(lock)
                if connection.execute(version, {"stream_id": REDACTIONS}).fetchone() != (redactions,):
                    return False
                connection.execute(keep, snapshot._asdict())
                return True

        self._access.admit_writer()
        return bool(self._access.tried(kept))
