"""Snapshots: a cache beside the log, one value for each stream and kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.mongodb.register import LostRaceError, Register
from evstore.model.names import REDACTIONS
from evstore.port import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from evstore.adapters.mongodb.session import Session

SNAPSHOTS: Final = "snapshots"
_MOST_BYTES: Final = 12 * 1024 * 1024


class MongoSnapshots:
    """`port.Snapshots`, within `opened`. `version` gives that of a stream, 0 if it is missing."""

    def __init__(
        self,
        session: Session,
        opened: Callable[[], AbstractContextManager[Any]],
        version: Callable[[str], int],
    ) -> None:
        self._register = Register(session, SNAPSHOTS)
        self._opened = opened
        self._version = version

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        with self._opened():
            return _snapshot(self._register.get(_name(stream_id, kind)).value)

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        """Keep it unless a later one is there, also of another process; one that no document holds is left out.

        Nothing is redacted here: stream `$redactions` tells of what was redacted before it came.
        """
        text = json.dumps(snapshot, ensure_ascii=False)
        with self._opened():
            if self._version(REDACTIONS) != redactions:
                return False
            if len(text.encode()) > _MOST_BYTES or not self._version(snapshot.stream_id):
                return True
            name = _name(snapshot.stream_id, snapshot.kind)
            while True:
                entry = self._register.get(name)
                kept = _snapshot(entry.value)
                if kept is not None and kept.version > snapshot.version and kept.code == snapshot.code:
                    return True
                try:
                    self._register.put(name, {"snapshot": text}, entry.revision)
                except LostRaceError:
                    continue
                return True


def _name(stream_id: str, kind: str) -> str:
    return f"{stream_id}\n{kind}"  # no name has a line break


def _snapshot(value: dict[str, Any] | None) -> Snapshot | None:
    return Snapshot(*json.loads(value["snapshot"])) if value else None
