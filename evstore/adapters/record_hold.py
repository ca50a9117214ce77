"""Holds of consumers: leases in a consumer's record, renewed in the adapter's loop for as long as it lives."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from evstore.adapters.record import Lease
from evstore.errors import ConsumerHeldError, EvstoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from evstore.adapters.record import Kept

    class Records(Protocol):
        """The records of consumers, as a hold needs them."""

        def note(self, hold: RecordHold) -> None:
            """Take note of a hold that has slots, to renew it, or of one that has none any more."""

        def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None:
            """Change leases of a consumer; `change` gets the servers' time, and returns true if it changed any."""


RENEWAL_SECONDS: Final = 2.5
LEASE_US: Final = 8_000_000


def this_process() -> str:
    """This process, for people who look for the holder."""
    host = platform.node()
    return f"process {os.getpid()} on {host}" if host else f"process {os.getpid()}"


class RecordHold:
    """Slots of a consumer, of which its record names this hold as the holder."""

    files: Sequence[int] = ()

    def __init__(self, name: str, hold_id: str, records: Records) -> None:
        self.name = name
        self.id = hold_id
        self.slots: frozenset[int] = frozenset()
        self._records = records
        self._pid = os.getpid()
        self._is_lost = False

    def check(self) -> None:
        """Raise ConsumerHeldError if nothing is held, or if a renewal found another holder."""
        if self._is_lost or not self.slots:
            raise ConsumerHeldError(self.name)

    def check_in(self, kept: Kept) -> None:
        """Raise ConsumerHeldError if the record names another holder of one of the slots."""
        for slot in self.slots:
            lease = kept.leases.get(slot)
            if lease is None or lease.id != self.id:
                raise ConsumerHeldError(self.name, lease.who if lease else "")

    def extend(self, slots: Sequence[int]) -> list[int]:
        taken: list[int] = []

        def take(kept: Kept, now_us: int) -> bool:
            free = [slot for slot in slots if slot not in kept.leases or kept.leases[slot].until_us <= now_us]
            taken[:] = [slot for slot in free if slot not in self.slots]
            kept.leases.update({slot: self._lease(now_us) for slot in taken})
            return bool(taken)

        self._records.change_leases(self.name, take)
        self.slots |= {*taken}
        self._records.note(self)
        return taken

    def renew(self, kept: Kept, now_us: int) -> bool:
        """Lengthen the leases that the record still has; true if there are any."""
        mine = [slot for slot in self.slots if slot in kept.leases and kept.leases[slot].id == self.id]
        self._is_lost = len(mine) < len(self.slots)
        kept.leases.update({slot: self._lease(now_us) for slot in mine})
        return bool(mine)

    def release(self) -> None:
        slots, self.slots = self.slots, frozenset()
        self._records.note(self)
        if not slots or self._pid != os.getpid():  # a forked child leaves its parent what that holds
            return

        def give_back(kept: Kept, _now_us: int) -> bool:
            mine = [slot for slot, lease in kept.leases.items() if lease.id == self.id]
            for slot in mine:
                del kept.leases[slot]
            return bool(mine)

        with suppress(EvstoreError):  # it ends by itself, then
            self._records.change_leases(self.name, give_back)

    def _lease(self, now_us: int) -> Lease:
        return Lease(self.id, this_process(), now_us + LEASE_US)
