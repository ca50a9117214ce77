"""Snapshots in the key-value bucket: a cache beside the log, one record for each stream and kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.batches import LostRaceError
from evstore.adapters.nats.bucket import key_of
from evstore.model.names import REDACTIONS
from evstore.port import Snapshot

if TYPE_CHECKING:
    from evstore.adapters.nats.bucket import Entry
    from evstore.adapters.nats.parts import Call, Parts

KIND: Final = "snapshot"


class NatsSnapshots:
    """`port.Snapshots`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        entry: Entry = self._call(lambda parts: parts.bucket.get(_key(stream_id, kind)))
        return _snapshot(entry)

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        is_kept: bool = self._call(lambda parts: _keep(parts, snapshot, redactions))
        return is_kept


async def _keep(parts: Parts, snapshot: Snapshot, redactions: int) -> bool:
    """Keep it unless a later one is there, also of another process; one that no message takes is left out.

    Nothing is redacted here: stream `$redactions` tells of what was redacted before it came.
    """
    told = await parts.lists.stream(REDACTIONS)
    if (told.version if told else 0) != redactions:
        return False
    value = json.dumps(snapshot, ensure_ascii=False).encode()
    connection = await parts.session.client.connected()
    subject = parts.session.subjects.of_stream(snapshot.stream_id)
    if len(value) > connection.max_payload - 1024 or await parts.session.last(subject) is None:
        return True
    key = _key(snapshot.stream_id, snapshot.kind)
    while True:
        entry = await parts.bucket.get(key)
        kept = _snapshot(entry)
        if kept is not None and kept.version > snapshot.version and kept.code == snapshot.code:
            return True
        try:
            await parts.bucket.put(key, value, entry.revision)
        except LostRaceError:
            continue
        return True


def _key(stream_id: str, kind: str) -> str:
    return f"{key_of(KIND, stream_id)}.{key_of('of', kind)}"


def _snapshot(entry: Entry) -> Snapshot | None:
    return Snapshot(*json.loads(entry.value)) if entry.value else None
