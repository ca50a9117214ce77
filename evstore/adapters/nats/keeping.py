"""The records of consumers in the key-value bucket, as they are read and changed.

A record is replaced as a whole, in the place of the revision that was read, so that a change is all or nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from evstore.adapters.memory_lists import names_of
from evstore.adapters.nats.batches import LostRaceError
from evstore.adapters.nats.bucket import key_of
from evstore.adapters.nats.errors import NoAnswerError
from evstore.adapters.nats.layout import checked
from evstore.adapters.nats.lines import sequence_of
from evstore.adapters.record import Kept
from evstore.errors import LogDivergedError, StoreBusyError
from evstore.model.consumers import Checkpoint
from evstore.model.times import moment_of, timestamp_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.adapters.nats.bucket import Bucket
    from evstore.adapters.nats.session import Session
    from evstore.model.consumers import ConsumerRecord
    from evstore.port import NamePage

KIND: Final = "consumer"
_PAUSE: Final = 0.005


class Keeping:
    """The records of a store's consumers."""

    def __init__(self, session: Session, bucket: Bucket, timeout: float) -> None:
        self._session = session
        self._bucket = bucket
        self._timeout = timeout

    async def read(self, name: str) -> Kept | None:
        """The record of a consumer."""
        kept, _ = await self._read(name)
        return kept

    async def _read(self, name: str) -> tuple[Kept | None, int]:
        """The record with its revision."""
        entry = await self._bucket.get(key_of(KIND, name)) if name else None
        if entry is None or not entry.value:
            return None, entry.revision if entry else 0
        return Kept.from_json(entry.value), entry.revision

    async def page(self, page: NamePage) -> list[ConsumerRecord]:
        """Consumers by name."""
        found: list[ConsumerRecord] = []
        after = page.after
        names = await self._bucket.names(KIND)
        while len(found) < page.limit:
            some = names_of(names, page._replace(after=after, limit=page.limit - len(found)))
            if not some:
                break
            records = await asyncio.gather(*map(self.read, some))
            found += [kept.record(each) for each, kept in zip(some, records, strict=True) if kept]
            after = some[-1]
        return found

    async def change(self, name: str, change: Callable[[Kept | None], Kept | None]) -> Kept | None:
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

    async def add(self, name: str, filter_json: str, position: int, slot: int) -> ConsumerRecord:
        """The record of a consumer, which is made if it is not there."""
        checkpoint = await self.checkpoint(slot, position, name)
        made = await self.change(name, lambda kept: None if kept else Kept.new(filter_json, checkpoint))
        assert made is not None
        return made.record(name)

    async def checkpoint(self, slot: int, position: int, name: str) -> Checkpoint:
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

    # --- leases ---

    async def holders(self, name: str) -> dict[int, str]:
        """Whoever holds a slot, for people."""
        kept = await self.read(name)
        now = await self._now_us()
        return {slot: each.who for slot, each in kept.leases.items() if each.until_us > now} if kept else {}

    async def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        """Change leases of a consumer; `change` gets the servers' time, and returns true if it changed any."""
        now_us = await self._now_us()
        await self.change(name, lambda kept: kept if kept and change(kept, now_us) else None)

    async def _now_us(self) -> int:
        """The time of the servers, by which leases end."""
        info = await checked(self._session.client, self._session.location)
        whole, _, rest = info["ts"].rstrip("Z").partition(".")
        return timestamp_us(moment_of(f"{whole}.{rest[:6].ljust(6, '0')}Z"))
