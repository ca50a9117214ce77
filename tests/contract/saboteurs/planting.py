"""The reference adapter with room for a bug."""

from __future__ import annotations

from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import ClassVar

from evstore.adapters.memory import MemoryAdapter
from evstore.errors import (
    EvstoreError,
)
from evstore.model.versions import check_version


class Saboteur(MemoryAdapter):
    clause: ClassVar[str]
    """The clause whose tests have to find the bug."""

    def _version(self, stream_id):
        return len(self._streams.get(stream_id, ()))

    def _standing(self, unit):
        """Each write, and the version of its stream where it stands."""
        versions = {}
        for write in unit.writes:
            version = versions.get(write.stream_id, self._version(write.stream_id))
            yield write, version
            versions[write.stream_id] = version + len(write.events)

    def _expecting(self, unit, change):
        """The unit with other expectations: `change` gets each write and the version where it stands."""
        pairs = self._standing(unit)
        writes = [write._replace(expected_version=change(write, version)) for write, version in pairs]
        return unit._replace(writes=writes)

    def _refusal(self, unit):
        for write, version in self._standing(unit):
            try:
                check_version(write.stream_id, write.expected_version, version)
            except EvstoreError as refused:
                return refused
        return None

    def _rewrite(self, receipt, change):
        """Change a unit's events after they were stored; `change` gets each and its number in the unit."""
        start = receipt.first_position - 1
        for number, event in enumerate(self._log[start : start + receipt.size]):
            changed = change(event, number)
            self._log[start + number] = self._ids[event.id] = changed
            self._streams[event.stream_id][event.version - 1] = changed


class LooksBeforeItLocks(Saboteur):
    """What it saw before the lock may be out of date under it; to be sure, it waits for another writer."""

    def __init__(self):
        super().__init__()
        self._others = Barrier(2)

    def _meet(self):
        with suppress(BrokenBarrierError):
            self._others.wait(0.02)
        if self._others.broken:
            self._others.reset()
