"""Snapshots of a PostgreSQL store, in a table beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.adapters.postgres import snapshot_statements as sql
from evstore.adapters.postgres.reading import Question
from evstore.adapters.postgres.statements import in_schema
from evstore.adapters.postgres.stepping import settled
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

    def keep(self, snapshot: Snapshot) -> None:
        statement = in_schema(sql.KEEP_SNAPSHOT, self._access.location.schema)

        def keep(connection: Connection) -> None:
            with settled(connection, self._access.timeout):
                connection.execute(statement, snapshot._asdict())

        self._access.admit_writer()
        self._access.tried(keep)
