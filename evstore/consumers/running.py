"""One run of a consumer: it follows the log, and hands on what its slots want."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.consumers.cursors import HeldCursors
from evstore.consumers.delivery import Delivery, Failed, Stopped
from evstore.consumers.parking import Parking
from evstore.errors import (
    ConsumerHeldError,
    ConsumerNotFoundError,
    EvstoreError,
    LogDivergedError,
    UnavailableError,
)
from evstore.reading.anchoring import moves_of
from evstore.reading.following import follow_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.consumers.delivery import Effect, Policy
    from evstore.consumers.joining import Joining
    from evstore.consumers.stopping import Stopping
    from evstore.model.events import StoredEvent
    from evstore.port import Adapter, Hold, Step
    from evstore.reading.following import Patience

LOOK_SECONDS: Final = 1.0
"""Free slots, marks of parked events and the head of the log are looked at so often at least."""


class _AgainError(Exception):
    """The cursors may stand further back: further slots were taken, or another server took over."""


class Run:
    """The loop. `hold` is in hand, and `batch_size` bounds what the handler gets at once."""

    def __init__(
        self, adapter: Adapter, joining: Joining, hold: Hold, stopping: Stopping, batch_size: int, *, once: bool
    ) -> None:
        self._adapter = adapter
        self._joining = joining
        self._hold = hold
        self._stopping = stopping
        self._batch_size = batch_size
        self._last = adapter.head(-1, 0) if once else None
        self._looked = time.monotonic()
        self._moves = moves_of(adapter)
        self._handed: StoredEvent | None = None
        """The last event that the handler was given."""
        self._take_up: Callable[[], None] = lambda: None
        self.cursors = HeldCursors(joining.consumers, hold)

    @property
    def handled(self) -> int:
        """The number of events that were handled so far."""
        return self._delivery.handled

    def prepare(
        self, effect: Effect, policy: Policy, patience: Patience, take_up: Callable[[], None] | None = None
    ) -> None:
        """Take what the run is for. It is asked nothing before. `take_up` moves the cursors to a checkpoint that
        is kept elsewhere."""
        if take_up is not None:
            self._take_up = take_up
            take_up()
        waits = self._wait, patience.on_wait
        self._delivery = Delivery(self._joining.name, self.cursors, effect, policy, *waits, self._check_handled)
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
        except (ConsumerHeldError, ConsumerNotFoundError):  # perhaps lost, with what was handled
            with suppress(UnavailableError):
                self._check_handed()
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
        except LogDivergedError as error:
            raise self._diverged(error.position, error.head) from error
        return False

    # --- after another server has taken over ---

    def _has_moved(self) -> bool:
        """True if another server may answer than the one whose log the cursors are of."""
        return moves_of(self._adapter) != self._moves

    def _begin_anew(self) -> None:
        """Go on from the checkpoint that another server has: events may stand where some were passed over, and a
        step may be lost with all that it did. Raises LogDivergedError if the log lacks what was handled."""
        moves = moves_of(self._adapter)
        self._check_handed()
        self.cursors.load()
        self.cursors.begin_anew()
        self._take_up()
        self._check_in_log()
        self._parking.load()
        self._moves = moves

    def _check_handed(self) -> None:
        """Raise LogDivergedError unless the log has what the handler was given."""
        if self._has_moved() and self._handed is not None:
            head = self._adapter.head(-1, 0)
            self._check_found(self._adapter.get([self._handed.id]), self._handed, head)

    def _check_handled(self, step: Step, event: StoredEvent) -> None:
        """Raise unless the log of the step has the event, and the store all steps before it."""
        if self._has_moved():
            self._check_found(step.get([event.id]), event, event.global_position)
            self.cursors.load()
            if self.cursors.went_back:
                raise _AgainError

    def _check_found(self, found: Sequence[StoredEvent], event: StoredEvent, head: int) -> None:
        if all(each.global_position != event.global_position for each in found):
            raise self._diverged(event.global_position, head)

    def _check_passed(self, _: Step) -> None:
        """Raise unless what was passed over is of the log of the step."""
        if self._has_moved():
            raise _AgainError

    def _diverged(self, position: int, head: int) -> LogDivergedError:
        return LogDivergedError(self._joining.name, position, head)

    # --- handing on ---

    def _check_end(self) -> None:
        """Raise UnavailableError if a run to the end of the log ended because the store is away."""
        if self._last is not None and self.cursors.lowest < self._last:
            self._adapter.head(-1, 0)

    def _page(self, events: Sequence[StoredEvent]) -> None:
        wanted = (each for each in self.cursors.wanted(events) if each.stream_id not in self._delivery.parked)
        while batch := [*islice(wanted, self._batch_size)]:
            self._handed = batch[-1]
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
            try:
                if self._has_moved():
                    self._begin_anew()
                    raise _AgainError
                if time.monotonic() - self._looked >= LOOK_SECONDS:
                    self._looked = time.monotonic()
                    self._look()
            except UnavailableError as error:
                if not error.retryable:
                    raise  # else who follows the log waits for it

        return idle

    def _look(self) -> None:
        self._hold.check()
        head = self._adapter.head(-1, 0)
        if self._has_moved():
            return
        if head < self.cursors.lowest:
            raise self._diverged(self.cursors.lowest, head)
        self._parking.resume()
        if self.cursors.is_time():
            self._write_passed()
        if self._joining.extend():
            self.cursors.load()
            self._check_in_log()
            self._parking.load()
            raise _AgainError

    def _write_passed(self) -> None:
        moves = self.cursors.passed()
        if moves:
            with suppress(_AgainError):
                self._delivery.write(self._delivery.moving(moves, self._check_passed))

    def _check_in_log(self) -> None:
        """Raise LogDivergedError unless the log has the events of the checkpoints: to move to them asks that."""
        self._delivery.write(self._delivery.moving(self.cursors.stored))
