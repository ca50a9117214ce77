"""Consumers whose state is one record each, for engines that replace a value only where nobody else did meanwhile.

A step is one change of a record, and the step of a hold that another one has replaced finds the other's id there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from evstore.adapters.record_hold import RecordHold
from evstore.adapters.record_step import RecordStep
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evstore.adapters.record import Kept
    from evstore.model.consumers import Checkpoint, ConsumerRecord, Parked, ParkedState
    from evstore.model.events import StoredEvent
    from evstore.port import Hold


class RecordConsumers(ABC):
    """The part of `port.Consumers` that is the same for all engines with such records."""

    engine: str
    """Its name in refusals."""

    @abstractmethod
    def _kept(self, name: str) -> Kept | None:
        """The record of a consumer."""

    @abstractmethod
    def _changed(self, name: str, change: Callable[[Kept | None], Kept | None]) -> None:
        """Change a record. `change` is called again with what another wrote meanwhile; None changes nothing."""

    @abstractmethod
    def _checkpoint_of(self, slot: int, position: int, name: str) -> Checkpoint:
        """The checkpoint at a position of the log. Raises LogDivergedError."""

    @abstractmethod
    def _get(self, ids: Sequence[str]) -> list[StoredEvent]:
        """The stored events of ids."""

    @abstractmethod
    def holders(self, name: str) -> dict[int, str]: ...

    @abstractmethod
    def note(self, hold: RecordHold) -> None: ...  # for a hold, as the next one

    @abstractmethod
    def change_leases(self, name: str, change: Callable[[Kept, int], bool]) -> None: ...

    def find(self, name: str) -> ConsumerRecord | None:
        kept = self._kept(name)
        return kept.record(name) if kept else None

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

        self._changed(name, change)
        return marked

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
            self.engine, hold.name, kept, lambda slot, at: self._checkpoint_of(slot, at, hold.name), self._get
        )
        yield step

        def change(latest: Kept | None) -> Kept | None:
            if latest is None:
                raise ConsumerHeldError(hold.name)
            hold.check_in(latest)
            return latest if step.apply_to(latest) else None

        self._changed(hold.name, change)
