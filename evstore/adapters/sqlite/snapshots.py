"""Snapshots of a SQLite store, in a table beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.adapters.ids import id_from_blob
from evstore.adapters.sql import id_to_blob
from evstore.adapters.sqlite import snapshot_statements as sql
from evstore.adapters.sqlite.statements import VERSION
from evstore.model.names import REDACTIONS
from evstore.port import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class SqliteSnapshots:
    """`port.Snapshots`. `reading` lends a connection that reads, `committing` one within a transaction."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[Any]],
        committing: Callable[[], AbstractContextManager[tuple[Any, Any]]],
    ) -> None:
        self._reading = reading
        self._committing = committing

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        with self._reading() as connection:
            row = connection.execute(sql.FIND_SNAPSHOT, {"stream_id": stream_id, "kind": kind}).fetchone()
        return Snapshot(stream_id, kind, row[0], id_from_blob(row[1]), *row[2:]) if row else None

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        given = snapshot._replace(event_id=id_to_blob(snapshot.event_id))._asdict()  # type: ignore[arg-type]
        with self._committing() as (connection, _):
            (version,) = connection.execute(VERSION, {"stream_id": REDACTIONS}).fetchone()
            if (version or 0) != redactions:
                return False
            connection.execute(sql.KEEP_SNAPSHOT, given)
            return True
