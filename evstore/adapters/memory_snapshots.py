"""Snapshots in memory: a dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.model.names import REDACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sized
    from contextlib import AbstractContextManager

    from evstore.port import Snapshot


class MemorySnapshots:
    """`port.Snapshots`, within `opened`. `streams`: those that are there, with their events."""

    def __init__(
        self, opened: Callable[[], AbstractContextManager[None]], streams: Callable[[], Mapping[str, Sized]]
    ) -> None:
        self._opened = opened
        self._streams = streams
        self._kept: dict[tuple[str, str], Snapshot] = {}

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        with self._opened():
            return self._kept.get((stream_id, kind))

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        with self._opened():
            if len(self._streams().get(REDACTIONS, ())) != redactions:
                return False
            place = snapshot.stream_id, snapshot.kind
            kept = self._kept.get(place)
            is_later = kept is None or kept.version <= snapshot.version or kept.code != snapshot.code
            if is_later and snapshot.stream_id in self._streams():
                self._kept[place] = snapshot
            return True

    def forget(self, stream_id: str) -> None:
        """Remove all snapshots of a stream."""
        for place in [each for each in self._kept if each[0] == stream_id]:
            del self._kept[place]
