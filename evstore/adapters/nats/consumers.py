"""Consumers in the key-value bucket: one record for each, with its checkpoints, its holds and what it parked.

A record is replaced as a whole, in the place of the revision that was read: a step is all or nothing, and the step
of a hold that another one has replaced finds the other's id in the record. The bucket is another stream than the
log, and no batch stores messages in both: a step takes no units.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from evstore.adapters.memory_lists import names_of
from evstore.adapters.nats.batches import LostRaceError
from evstore.adapters.nats.bucket import key_of
from evstore.adapters.nats.errors import AnsweredError, ForbiddenError, NoAnswerError, NotReachedError
from evstore.adapters.nats.holding import RENEWAL_SECONDS, NatsHold
from evstore.adapters.nats.layout import checked
from evstore.adapters.nats.lines import sequence_of
from evstore.adapters.nats.records import Kept
from evstore.adapters.nats.stepping import NatsStep
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError, EvstoreError, LogDivergedError, StoreBusyError
from evstore.model.consumers import WHOLE, Checkpoint
from evstore.model.times import moment_of, timestamp_us

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from evstore.adapters.nats.bucket import Bucket
    from evstore.adapters.nats.reading import Reading
    from evstore.adapters.nats.session import Session
    from evstore.model.consumers import ConsumerRecord, Parked, ParkedState
    from evstore.port import Hold, NamePage

T = TypeVar("T")

KIND: Final = "consumer"
_PAUSE: Final = 0.005


class NatsConsumers:
    """`port.Consumers`. `call` waits for the answer of the loop."""

    def __init__(
        self,
        session: Session,
        reading: Reading,
        bucket: Bucket,
        call: Callable[[Callable[[], Awaitable[Any]]], Any],
        timeout: float,
    ) -> None:
        self._session = session
        self._reading = reading
        self._bucket = bucket
        self._call = call
        self._timeout = timeout
        self._holds: set[NatsHold] = set()
        self._renewal: asyncio.Task[None] | None = None

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        async def add() -> ConsumerRecord:
            checkpoint = await self._checkpoint(WHOLE, position, name)

            made = await self._changed(name, lambda kept: None if kept else Kept.new(filter_json, checkpoint))
            assert made is not None
            return made.record(name)

        record: ConsumerRecord = self._call(add)
        return record

    def find(self, name: str) -> ConsumerRecord | None:
        kept = self._kept(name)
        return kept.record(name) if kept else None

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        async def listed() -> list[ConsumerRecord]:
            found: list[ConsumerRecord] = []
            after = page.after
            names = await self._bucket.names(KIND)
            while len(found) < page.limit:
                some = names_of(names, page._replace(after=after, limit=page.limit - len(found)))
                if not some:
                    break
                records = await asyncio.gather(*map(self._read, some))
                found += [kept.record(each) for each, (kept, _) in zip(some, records, strict=True) if kept]
                after = some[-1]
            return found

        records: list[ConsumerRecord] = self._call(listed)
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

        self._call(lambda: self._changed(name, change))
        return marked

    def holders(self, name: str) -> dict[int, str]:
        async def held() -> dict[int, str]:
            kept, _ = await self._read(name)
            now = await self._now_us()
            return {slot: each.who for slot, each in kept.leases.items() if each.until_us > now} if kept else {}

        found: dict[int, str] = self._call(held)
        return found

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        hold = NatsHold(name, uuid4().hex, self)
        if not hold.extend(slots):
            raise ConsumerHeldError(name, next(iter(self.holders(name).values()), ""))
        return hold

    @contextmanager
    def step(self, hold: Hold) -> Iterator[NatsStep]:
        assert isinstance(hold, NatsHold)
        hold.check()
        kept = self._kept(hold.name)
        if kept is None:
            raise ConsumerNotFoundError(hold.name)
        hold.check_in(kept)
        step = NatsStep(
            hold.name,
            kept,
            lambda slot, position: self._call(lambda: self._checkpoint(slot, position, hold.name)),
            lambda ids: self._call(lambda: self._reading.get(ids)),
        )
        yield step

        def change(latest: Kept | None) -> Kept | None:
            if latest is None:
                raise ConsumerHeldError(hold.name)
            hold.check_in(latest)
            return latest if step.apply_to(latest) else None

        self._call(lambda: self._changed(hold.name, change))

    # --- holds ---

    def note(self, hold: NatsHold) -> None:
        (self._holds.add if hold.slots else self._holds.discard)(hold)
        if hold.slots:
            self._call(self._begin_to_renew)

    def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        self._call(lambda: self._leases_changed(name, change))

    async def _leases_changed(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        now_us = await self._now_us()
        await self._changed(name, lambda kept: kept if kept and change(kept, now_us) else None)

    async def _begin_to_renew(self) -> None:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renewing())

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            for hold in [*self._holds]:
                with suppress(AnsweredError, NoAnswerError, NotReachedError, ForbiddenError, EvstoreError):
                    await self._leases_changed(hold.name, hold.renew)

    def end(self, call: Callable[[Callable[[], Awaitable[Any]]], Any]) -> None:
        """Give back every hold, for the adapter is closed; `call` works all the same."""
        self._call = call
        for hold in [*self._holds]:
            hold.release()

    async def _now_us(self) -> int:
        """The time of the servers, by which leases end."""
        info = await checked(self._session.client, self._session.location)
        whole, _, rest = info["ts"].rstrip("Z").partition(".")
        return timestamp_us(moment_of(f"{whole}.{rest[:6].ljust(6, '0')}Z"))

    # --- records ---

    def _kept(self, name: str) -> Kept | None:
        kept: Kept | None = self._call(lambda: self._read(name))[0]
        return kept

    async def _read(self, name: str) -> tuple[Kept | None, int]:
        entry = await self._bucket.get(key_of(KIND, name)) if name else None
        if entry is None or not entry.value:
            return None, entry.revision if entry else 0
        return Kept.from_json(entry.value), entry.revision

    async def _changed(self, name: str, change: Callable[[Kept | None], Kept | None]) -> Kept | None:
        """The record after a change, which is made again of what another wrote meanwhile. None changes nothing."""
        deadline = time.monotonic() + self._timeout
        mine = uuid4().hex
        while True:
            kept, revision = await self._read(name)
            if kept is not None and kept.written_by == mine:  # the answer was lost
                return kept
            made = change(kept)
            if made is None:
                return kept
            try:
                await self._bucket.put(key_of(KIND, name), made.to_json(mine), revision)
            except (LostRaceError, NoAnswerError) as error:
                if time.monotonic() > deadline:
                    raise StoreBusyError(self._session.location.shown, self._timeout) from error
                await asyncio.sleep(_PAUSE)
            else:
                return made

    async def _checkpoint(self, slot: int, position: int, name: str) -> Checkpoint:
        """The checkpoint at a position of the log. Raises LogDivergedError."""
        now = time.time_ns() // 1000
        if not position:
            return Checkpoint(slot, 0, None, now)
        end = await self._session.end()
        if position > end.position:
            raise LogDivergedError(name, position, end.position)
        found = await self._session.next(self._session.subjects.ids, sequence_of(position) + 1)
        event_id = self._session.subjects.event_id(found.subject) if found else None
        return Checkpoint(slot, position, event_id, now)
