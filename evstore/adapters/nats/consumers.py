"""Consumers in the key-value bucket: one record for each, with its checkpoints, its holds and what it parked.

The bucket is another stream than the log, and no batch stores messages in both: a step takes no units.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from evstore.adapters.nats.errors import FAILURES
from evstore.adapters.record_consumers import RecordConsumers
from evstore.adapters.record_hold import RENEWAL_SECONDS
from evstore.model.consumers import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.adapters.nats.parts import Call, Parts
    from evstore.adapters.record import Kept
    from evstore.adapters.record_hold import RecordHold
    from evstore.model.consumers import Checkpoint, ConsumerRecord
    from evstore.model.events import StoredEvent
    from evstore.port import NamePage


class NatsConsumers(RecordConsumers):
    """`port.Consumers`."""

    engine = "NATS JetStream"

    def __init__(self, call: Call) -> None:
        self._call = call
        self._holds: set[RecordHold] = set()
        self._renewal: asyncio.Task[None] | None = None

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        record: ConsumerRecord = self._call(lambda parts: parts.keeping.add(name, filter_json, position, WHOLE))
        return record

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        records: list[ConsumerRecord] = self._call(lambda parts: parts.keeping.page(page))
        return records

    def holders(self, name: str) -> dict[int, str]:
        found: dict[int, str] = self._call(lambda parts: parts.keeping.holders(name))
        return found

    def _kept(self, name: str) -> Kept | None:
        kept: Kept | None = self._call(lambda parts: parts.keeping.read(name))
        return kept

    def _changed(self, name: str, change: Callable[[Kept | None], Kept | None]) -> None:
        self._call(lambda parts: parts.keeping.change(name, change))

    def _checkpoint_of(self, slot: int, position: int, name: str) -> Checkpoint:
        checkpoint: Checkpoint = self._call(lambda parts: parts.keeping.checkpoint(slot, position, name))
        return checkpoint

    def _get(self, ids: Sequence[str]) -> list[StoredEvent]:
        events: list[StoredEvent] = self._call(lambda parts: parts.reading.get(ids))
        return events

    # --- holds ---

    def note(self, hold: RecordHold) -> None:
        (self._holds.add if hold.slots else self._holds.discard)(hold)
        if hold.slots:
            self._call(self._begin_to_renew)

    def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        self._call(lambda parts: parts.keeping.change_leases(name, change))

    async def _begin_to_renew(self, parts: Parts) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = parts.session.start(self._renewing(parts))

    async def _renewing(self, parts: Parts) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            for hold in [*self._holds]:
                with suppress(*FAILURES):
                    await parts.keeping.change_leases(hold.name, hold.renew)

    def end(self, call: Call) -> None:
        """Give back every hold, for the adapter is closed; `call` works all the same."""
        self._call = call
        for hold in [*self._holds]:
            hold.release()
