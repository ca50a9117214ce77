"""Batches on their way to a handler: tries, the checkpoint after them, and what is parked."""

from __future__ import annotations

import random
import time
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.errors import EvstoreError, UnavailableError
from evstore.model.consumers import Parked
from evstore.observing import counted, logger, span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from evstore.consumers.cursors import HeldCursors
    from evstore.model.events import StoredEvent
    from evstore.port import Step

    Effect: TypeAlias = Callable[[Sequence[StoredEvent], Callable[[Step], None]], None]
    """Handles events and stores the change of the consumer with what the handler did."""

LONGEST_BACKOFF: Final = 60.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries to reach a store."""
MOST_REASON: Final = 1000
"""Characters of a parked event's reason."""


class Failed(Exception):  # noqa: N818 - carries a handler's exception past what translates the store's
    """A handler raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


class Stopped(Exception):  # noqa: N818 - control flow, never seen outside
    """The consumer was told to stop."""


class Policy(NamedTuple):
    """The answer to a handler that fails."""

    retries: int = 0
    backoff: float = 1.0
    """Seconds before the first retry; doubled before each further one, and shortened at random by up to a half."""
    parks: bool = False
    """An event that keeps failing is parked; else the consumer stops."""
    on_retry: Callable[[Exception, int, float], None] = lambda _error, _left, _seconds: None
    on_park: Callable[[Parked], None] = lambda _: None

    def pause(self, tries: int) -> float:
        """Seconds to wait after so many tries."""
        longest = min(self.backoff * 2 ** (tries - 1), LONGEST_BACKOFF)
        return float(longest * random.uniform(0.5, 1))  # noqa: S311 - spreads tries, keeps no secret


class Change(NamedTuple):
    """A change of the consumer, which a step makes."""

    make: Callable[[Step], None]
    is_stored: Callable[[], bool] = lambda: False
    """True if the store has it: asked when the answer to the step was lost. What may be made again never knows."""
    moves: Mapping[int, int] = MappingProxyType({})
    """Its moves of checkpoints."""


class Delivery:
    """Hands events to a handler, and moves the checkpoint after each batch that it handled."""

    def __init__(
        self,
        name: str,
        cursors: HeldCursors,
        effect: Effect,
        policy: Policy,
        wait: Callable[[float], None],
        on_wait: Callable[[EvstoreError], None],
        check: Callable[[Step, StoredEvent], None],
    ) -> None:
        """`wait` sleeps, unless the consumer is to stop; `on_wait` receives what is waited for. `check` raises
        unless the log of a step has the event up to which the step moves a checkpoint."""
        self._name = name
        self._about = {"evstore.consumer": name}
        self._cursors = cursors
        self._effect = effect
        self._policy = policy
        self._wait = wait
        self._on_wait = on_wait
        self._check = check
        self.handled = 0
        self.parked: dict[str, Parked] = {}
        """The streams of which an event is parked."""

    def deliver(self, events: Sequence[StoredEvent]) -> None:
        """Handle a batch. Raises Failed if the handler keeps failing and the policy is to stop."""
        moves = self._cursors.moves(events)
        try:
            self.tried(events, self.moving(moves, lambda step: self._check(step, events[-1])))
        except Failed as failed:
            if not self._policy.parks:
                self._note(failed.cause, events)
                raise
            if len(events) == 1:
                self.keep(events[0], reason(failed.cause), moves)
                return
            for each in events:  # one of them is the one that fails
                if each.stream_id not in self.parked:
                    self.deliver([each])

    def _note(self, error: Exception, events: Sequence[StoredEvent]) -> None:
        """Let an error of the application report its events, unless it does already."""
        if not isinstance(error, EvstoreError) and not getattr(error, "__notes__", ()):
            from evstore.application.converting import about

            number = f"{len(events)} events, the first of them " if len(events) > 1 else ""
            error.add_note(f"consumer {self._name}: its handler failed on {number}{about(events[0])}")

    def moving(self, moves: Mapping[int, int], check: Callable[[Step], None] = lambda _: None) -> Change:
        """The change that moves checkpoints and nothing else, after a check."""

        def make(step: Step) -> None:
            check(step)
            step.move(moves)

        return Change(make, lambda: self._cursors.has(moves), moves)

    def tried(self, events: Sequence[StoredEvent], change: Change) -> None:
        """Handle events, as often as the policy says. Raises Failed."""
        for tries in count(1):
            try:
                with span("evstore.handle", {**self._about, "evstore.events": len(events)}, "CONSUMER"):
                    self._made(change, lambda: self._effect(events, change.make))
            except Failed as failed:
                counted("evstore.handler.failures", 1, self._about)
                if tries > self._policy.retries:
                    raise
                pause = self._policy.pause(tries)
                again = f"again in {pause:.2g} s"
                logger().warning("consumer %s: its handler failed, %s: %s", self._name, again, failed.cause)
                self._policy.on_retry(failed.cause, self._policy.retries + 1 - tries, pause)
                self._wait(pause)
            else:
                self.handled += len(events)
                counted("evstore.events.handled", len(events), self._about)
                return

    def keep(self, event: StoredEvent, why: str, moves: Mapping[int, int]) -> None:
        """Park the event, and move on."""
        kept = parked(event, why)

        def make(step: Step) -> None:
            self._check(step, event)
            step.park(kept)
            step.move(moves)

        self.write(Change(make, moves=moves))
        self.parked[event.stream_id] = kept
        counted("evstore.events.parked", 1, self._about)
        at = event.global_position
        logger().warning("consumer %s: the event at position %d is parked: %s", self._name, at, why)
        self._policy.on_park(kept)

    def write(self, change: Change) -> None:
        """Change the consumer, without a handler."""
        self._made(change, lambda: self._cursors.write(change.make))

    def _made(self, change: Change, make: Callable[[], None]) -> None:
        """Make the change, once more whenever its answer was lost and the store does not have it."""
        noted = False
        while True:
            try:
                make()
            except UnavailableError as error:
                if not error.retryable:
                    raise
                if not noted:
                    self._on_wait(error)
                    noted = True
                if not self._found(change):
                    continue
            self._cursors.moved(change.moves)
            return

    def _found(self, change: Change) -> bool:
        """True if the store has the change, once it can be asked."""
        pause = FIRST_PAUSE
        while True:
            self._wait(pause)
            try:
                return change.is_stored()
            except UnavailableError as error:
                if not error.retryable:
                    raise
                pause = min(pause * 2, LONGEST_PAUSE)


def called(handler: Callable[..., Any], *given: Any) -> Any:
    """The result of the handler. Raises Failed for whatever it raises."""
    try:
        return handler(*given)
    except Exception as error:
        raise Failed(error) from error


def parked(event: StoredEvent, why: str, state: Any = "parked") -> Parked:
    """The event as a parked one."""
    now = time.time_ns() // 1000
    return Parked(event.stream_id, event.global_position, event.id, why, now, state)


def reason(error: Exception) -> str:
    """A handler's exception in a line that any database keeps."""
    text = str(error) if isinstance(error, EvstoreError) else f"{type(error).__name__}: {error}"
    return " ".join(text.encode("utf-8", "replace").decode().replace("\0", " ").split())[:MOST_REASON]
