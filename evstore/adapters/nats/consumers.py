"""Consumers in the key-value bucket: one record for each, with its checkpoints, its holds and what it parked.

A step is one change of a record, and the step of a hold that another one has replaced finds the other's id there.
The bucket is another stream than the log, and no batch stores messages in both: a step takes no units.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from evstore.adapters.nats.errors import FAILURES
from evstore.adapters.record_hold import RENEWAL_SECONDS, RecordHold
from evstore.adapters.record_step import RecordStep
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError
from evstore.model.consumers import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.adapters.nats.parts import Call, Parts
    from evstore.adapters.record import Kept
    from evstore.model.consumers import ConsumerRecord, Parked, ParkedState
    from evstore.port import Hold, NamePage


class NatsConsumers:
    """`port.Consumers`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._holds: set[RecordHold] = set()
        self._renewal: asyncio.Task[None] | None = None

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        record: ConsumerRecord = self._call(lambda parts: parts.keeping.add(name, filter_json, position, WHOLE))
        return record

    def find(self, name: str) -> ConsumerRecord | None:
        kept = self._kept(name)
        return kept.record(name) if kept else None

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        records: list[ConsumerRecord] = self._call(lambda parts: parts.keeping.page(page))
        return records

    def parked(self, name: str) -> list[Parked]:
        kept = self._kept(name)
        return sorted(kept.parked.values(), key=lambda each: each.global_position) if kept else []

    def mark(self, name: str, event_id: str, state: ParkedState) -> bool:
        marked = False

        def change(kept: Kept | None) -> Kept | None:
            nonlocal marked
            found = [each for each in kept.parked.values() if each.event_id == event_id] if kept else []
            marked = bool(found)
            for each in found:
                assert kept is not None
                kept.parked[each.stream_id] = each._replace(state=state)
            return kept if found else None

        self._call(lambda parts: parts.keeping.change(name, change))
        return marked

    def holders(self, name: str) -> dict[int, str]:
        found: dict[int, str] = self._call(lambda parts: parts.keeping.holders(name))
        return found

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        hold = RecordHold(name, uuid4().hex, self)
        if not hold.extend(slots):
            raise ConsumerHeldError(name, next(iter(self.holders(name).values()), ""))
        return hold

    @contextmanager
    def step(self, hold: Hold) -> Iterator[RecordStep]:
        assert isinstance(hold, RecordHold)
        hold.check()
        kept = self._kept(hold.name)
        if kept is None:
            raise ConsumerNotFoundError(hold.name)
        hold.check_in(kept)
        step = RecordStep(
            "NATS JetStream",
            hold.name,
            kept,
            lambda slot, position: self._call(lambda parts: parts.keeping.checkpoint(slot, position, hold.name)),
            lambda ids: self._call(lambda parts: parts.reading.get(ids)),
        )
        yield step

        def change(latest: Kept | None) -> Kept | None:
            if latest is None:
                raise ConsumerHeldError(hold.name)
            hold.check_in(latest)
            return latest if step.apply_to(latest) else None

        self._call(lambda parts: parts.keeping.change(hold.name, change))

    def _kept(self, name: str) -> Kept | None:
        kept: Kept | None = self._call(lambda parts: parts.keeping.read(name))
        return kept

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
