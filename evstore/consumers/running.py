"""One run of a consumer: it follows the log, and hands on what its slots want."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.consumers.cursors import HeldCursors
from evstore.consumers.delivery import Delivery, Failed, Stopped
from evstore.consumers.parking import Parking
from evstore.errors import EvstoreError, LogDivergedError, UnavailableError
from evstore.reading.following import follow_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from evstore.consumers.delivery import Effect, Policy
    from evstore.consumers.joining import Joining
    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Hold
    from evstore.reading.following import Patience

LOOK_SECONDS: Final = 1.0
"""Free slots, marks of parked events and the head of the log are looked at so often at least."""


class _AgainError(Exception):
    """Further slots were taken, which may stand further back."""


class Run:
    """The loop. `hold` is in hand, and `batch_size` bounds what the handler gets at once."""

    def __init__(
        self, adapter: Adapter, joining: Joining, hold: Hold, stopping: Event, batch_size: int, *, once: bool
    ) -> None:
        self._adapter = adapter
        self._joining = joining
        self._hold = hold
        self._stopping = stopping
        self._batch_size = batch_size
        self._last = adapter.head(-1, 0) if once else None
        self._looked = time.monotonic()
        self.cursors = HeldCursors(joining.consumers, hold)

    @property
    def handled(self) -> int:
        """The number of events that were handled so far."""
        return self._delivery.handled

    def prepare(self, effect: Effect, policy: Policy, patience: Patience) -> None:
        """Take what the run is for. It is asked nothing before."""
        self._delivery = Delivery(self._joining.name, self.cursors, effect, policy, self._wait, patience.on_wait)
        where = self._joining.interest.filter()
        parts = (self._joining.consumers, self._joining.name, self.cursors, self._delivery, where)
        self._parking = Parking(self._adapter, *parts)
        self._where = where
        self._patience = patience._replace(on_idle=self._idle_with(patience.on_idle))

    def all(self) -> None:
        """Run until patience ends."""
        self._check_in_log()
        try:
            self._parking.resume(at_once=True)
            while self._follow():
                continue
            self._check_end()
        except (Failed, Stopped):
            with suppress(EvstoreError, Stopped):
                self._write_passed()
            raise
        self._write_passed()

    def _follow(self) -> bool:
        """Follow the log from where the slots stand; true if further ones were taken."""
        try:
            for events, seen in follow_log(self._adapter, self._where, self.cursors.lowest, self._patience):
                self._page(events)
                self.cursors.pass_to(seen)
                if self._last is not None and seen >= self._last:
                    break
        except _AgainError:
            return True
        return False

    def _check_end(self) -> None:
        """Raise UnavailableError if a run to the end of the log ended because the store is away."""
        if self._last is not None and self.cursors.lowest < self._last:
            self._adapter.head(-1, 0)

    def _page(self, events: Sequence[StoredEvent]) -> None:
        wanted = (each for each in self.cursors.wanted(events) if each.stream_id not in self._delivery.parked)
        while batch := [*islice(wanted, self._batch_size)]:
            self._delivery.deliver(batch)
            self._check()

    def _check(self) -> None:
        """Raise Stopped if that is wanted, and ConsumerHeldError if the hold is lost."""
        if self._stopping.is_set():
            raise Stopped
        self._hold.check()

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped
        self._hold.check()

    def _idle_with(self, on_idle: Callable[[], None]) -> Callable[[], None]:
        def idle() -> None:
            on_idle()
            if self._stopping.is_set():
                raise Stopped
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._looked = time.monotonic()
                self._look()

        return idle

    def _look(self) -> None:
        self._hold.check()
        try:
            head = self._adapter.head(-1, 0)
            if head < self.cursors.lowest:
                raise LogDivergedError(self._joining.name, self.cursors.lowest, head)
            self._parking.resume()
            if self.cursors.is_time():
                self._write_passed()
            extended = self._joining.extend()
        except UnavailableError as error:
            if not error.retryable:
                raise
            return  # who follows the log waits for it
        if extended:
            self.cursors.load()
            self._check_in_log()
            self._parking.load()
            raise _AgainError

    def _write_passed(self) -> None:
        moves = self.cursors.passed()
        if moves:
            self._delivery.write(self._delivery.moving(moves))

    def _check_in_log(self) -> None:
        """Raise LogDivergedError unless the log has the events of the checkpoints: to move to them asks that."""
        self._delivery.write(self._delivery.moving(self.cursors.stored))
