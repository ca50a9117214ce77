"""Redactions: the data of events goes for ever, the events stay."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evstore.adapters.ids import id_from_blob
from evstore.adapters.sql import id_to_blob
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.errors import FULL, in_doubt, primary_code
from evstore.adapters.sqlite.snapshot_statements import FORGET_SNAPSHOTS
from evstore.errors import EventNotFoundError
from evstore.model.digests import content_hash_of
from evstore.model.events import StoredEvent
from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.adapters.sqlite.writing import Ledger
    from evstore.port import Append, Outcome


def redact(connection: Any, ledger: Ledger, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
    """Redact the events and append the unit, in a transaction that just began."""
    events = [_event(connection, each) for each in ids]
    outcome = ledger.append(unit, alone=True)
    if isinstance(outcome, Receipt):
        now = time.time_ns() // 1000
        for event in events:
            connection.execute(sql.REDACT, _given(event, now, metadata=metadata))
            connection.execute(FORGET_SNAPSHOTS, {"stream_id": event.stream_id})
    return outcome


def _event(connection: Any, event_id: str) -> StoredEvent:
    found = connection.execute(sql.GET_EVENT, (id_to_blob(event_id),)).fetchone()
    if found is None:
        raise EventNotFoundError(event_id)
    return StoredEvent(id_from_blob(found[0]), *found[1:])


def _given(event: StoredEvent, now: int, *, metadata: bool) -> dict[str, Any]:
    return {"id": id_to_blob(event.id), "now": now, "metadata": metadata, "content_hash": content_hash_of(event)}


@contextmanager
def erased(connection: Any, unit: Append) -> Iterator[None]:
    """A time in which SQLite writes zeros over what it deletes, and commits the unit; then its log is emptied.

    That may have to wait for a later checkpoint: a reader holds the log back, or the disk has no room for it. What
    was committed is stored.
    """
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        with in_doubt([unit]):
            yield
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except Exception as error:
            if primary_code(error) not in FULL:
                raise
    finally:
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
