"""Adapters that keep snapshots of something else."""

from __future__ import annotations

from evstore.adapters.memory_snapshots import MemorySnapshots
from tests.contract.saboteurs.planting import Saboteur


class Caching(Saboteur):
    """Its snapshots are made by the class `Kept`."""

    Kept = MemorySnapshots

    def __init__(self, *given):
        super().__init__(*given)
        self._snapshots = self.Kept(self._opened, lambda: self._streams)


class MixesKindsUp(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def find(self, stream_id, kind):
            found = next((each for (stream, _), each in self._kept.items() if stream == stream_id), None)
            return found and found._replace(kind=kind)


class KeepsTheEarlierSnapshot(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            self._kept.setdefault((snapshot.stream_id, snapshot.kind), snapshot)
            return True


class KeepsSnapshotsOfNothing(Caching):
    clause = "S1"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            self._kept[snapshot.stream_id, snapshot.kind] = snapshot
            return True


class KeepsWhatWasRedacted(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def forget(self, stream_id):
            return


class KeepsWhatWasMadeBeforeARedaction(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def keep(self, snapshot, redactions):
            return super().keep(snapshot, len(self._streams().get("$redactions", ())))


class ForgetsAllSnapshots(Caching):
    clause = "S2"

    class Kept(MemorySnapshots):
        def forget(self, stream_id):
            self._kept.clear()
