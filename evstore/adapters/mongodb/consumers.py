"""Consumers: one record for each, with its checkpoints, its holds and what it parked, revision after revision.

A step inserts the revision that follows the one it has read, as a whole: it is all or nothing. The log is another
collection, and nothing inserts into both at once: a step takes no units.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pymongo.errors import DuplicateKeyError, InvalidOperation, PyMongoError

from evstore.adapters.memory_lists import names_of
from evstore.adapters.mongodb.errors import is_denied, translated
from evstore.adapters.mongodb.register import LostRaceError, Register
from evstore.adapters.record import Kept
from evstore.adapters.record_consumers import RecordConsumers
from evstore.adapters.record_hold import RENEWAL_SECONDS
from evstore.errors import (
    EvstoreError,
    LogDivergedError,
    StoreClosedError,
)
from evstore.model.consumers import WHOLE, Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.adapters.mongodb.session import Session
    from evstore.adapters.mongodb.units import Units
    from evstore.adapters.record_hold import RecordHold
    from evstore.model.consumers import ConsumerRecord
    from evstore.model.events import StoredEvent
    from evstore.port import NamePage

CHECKPOINTS: Final = "checkpoints"
NAMES: Final = "consumers"
"""The collection of the names that were ever used."""
_PAUSE: Final = 0.005


class MongoConsumers(RecordConsumers):
    """`port.Consumers`. `check` raises once the adapter is closed; `get` finds events by id."""

    engine = "MongoDB"

    def __init__(
        self,
        session: Session,
        units: Units,
        check: Callable[[], None],
        get: Callable[[Sequence[str]], list[StoredEvent]],
    ) -> None:
        self._session = session
        self._units = units
        self._check = check
        self._find_events = get
        self._register = Register(session, CHECKPOINTS)
        self._holds: set[RecordHold] = set()
        self._renewing: threading.Thread | None = None

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        with self._called():
            checkpoint = self._checkpoint(WHOLE, position, name)
            with suppress(DuplicateKeyError):
                self._session.collection(NAMES).insert_one({"_id": name})
            made = self._replaced(name, lambda kept: None if kept else Kept.new(filter_json, checkpoint))
            assert made is not None
            return made.record(name)

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        with self._called():
            names = [each["_id"] for each in self._session.collection(NAMES).find({})]
            found: list[ConsumerRecord] = []
            for name in names_of(names, page._replace(limit=len(names))):
                kept = self._read(name)[0] if len(found) < page.limit else None
                found += [kept.record(name)] if kept else []
            return found

    def holders(self, name: str) -> dict[int, str]:
        with self._called():
            kept, _ = self._read(name)
            now = self._session.now_us()
        return {slot: each.who for slot, each in kept.leases.items() if each.until_us > now} if kept else {}

    # --- holds ---

    def note(self, hold: RecordHold) -> None:
        (self._holds.add if hold.slots else self._holds.discard)(hold)
        if hold.slots and self._renewing is None:
            self._renewing = threading.Thread(target=self._renew, name="evstore holds", daemon=True)
            self._renewing.start()

    def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        with self._called():
            self._leases_changed(name, change)

    def _leases_changed(self, name: str, change: Callable[[Kept, int], bool]) -> None:
        now_us = self._session.now_us()
        self._replaced(name, lambda kept: kept if kept and change(kept, now_us) else None)

    def _renew(self) -> None:
        while not self._session.ended.wait(RENEWAL_SECONDS):
            for hold in [*self._holds]:
                with suppress(PyMongoError, EvstoreError):
                    self._leases_changed(hold.name, hold.renew)

    def end(self) -> None:
        """Give back every hold, for the adapter is closed."""
        self._check = _nothing
        for hold in [*self._holds]:
            with suppress(EvstoreError):
                hold.release()

    # --- records ---

    @contextmanager
    def _called(self) -> Iterator[None]:
        self._check()
        with translated(self._session.location.shown):
            yield

    def _kept(self, name: str) -> Kept | None:
        with self._called():
            return self._read(name)[0]

    def _read(self, name: str) -> tuple[Kept | None, int]:
        entry = self._register.get(name)
        if entry.value is None or not entry.value["record"]:
            return None, entry.revision
        return Kept.from_json(entry.value["record"].encode()), entry.revision

    def _changed(self, name: str, change: Callable[[Kept | None], Kept | None]) -> None:
        with self._called():
            self._replaced(name, change)

    def _get(self, ids: Sequence[str]) -> list[StoredEvent]:
        return self._find_events(ids)

    def _replaced(self, name: str, change: Callable[[Kept | None], Kept | None]) -> Kept | None:
        """The record after a change, which is made again of what another wrote meanwhile. None changes nothing."""
        deadline = time.monotonic() + self._session.timeout
        mine = uuid4().hex
        while True:
            kept, revision = self._read(name)
            if kept is not None and kept.written_by == mine:  # the answer was lost
                return kept
            made = change(kept)
            if made is None:
                return kept
            try:
                self._register.put(name, _value(made, mine), revision)
            except (LostRaceError, PyMongoError) as error:
                if isinstance(error, InvalidOperation):
                    raise StoreClosedError from error
                if isinstance(error, PyMongoError) and is_denied(error):
                    raise
                if time.monotonic() > deadline:
                    raise self._session.busy() from error
                self._session.pause(_PAUSE)
            else:
                return made

    def _checkpoint_of(self, slot: int, position: int, name: str) -> Checkpoint:
        with self._called():
            return self._checkpoint(slot, position, name)

    def _checkpoint(self, slot: int, position: int, name: str) -> Checkpoint:
        """The checkpoint at a position of the log. Raises LogDivergedError."""
        now = time.time_ns() // 1000
        if not position:
            return Checkpoint(slot, 0, None, now)
        unit = self._units.find(self._units.at(position))
        if unit is None or position > unit.last:
            raise LogDivergedError(name, position, self._units.head())
        event = next(self._units.events(unit, position - unit.first))
        return Checkpoint(slot, position, event.id, now)


def _value(kept: Kept, written_by: str) -> dict[str, Any]:
    return {"record": kept.to_json(written_by).decode(), "time": time.time_ns() // 1000}


def _nothing() -> None:
    """The check of an adapter that is being closed."""
