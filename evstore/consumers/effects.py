"""The ways in which a handler's work and the move of its checkpoint belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.appending.context import handling
from evstore.consumers.delivery import Failed, called
from evstore.consumers.transactions import Transaction
from evstore.errors import EvstoreError, InvalidInputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evstore.appending.appender import Appender
    from evstore.consumers.cursors import HeldCursors
    from evstore.consumers.delivery import Effect
    from evstore.consumers.transactions import Nesting
    from evstore.model.events import NewWrite, StoredEvent
    from evstore.port import Append, Capabilities, Step


class Reaction(NamedTuple):
    """The writes by which a handler answers events, and the conditions of their append, as `EventStore.append` has
    them. Correlation and causation come from the event, where there is one alone."""

    writes: Iterable[NewWrite]
    unless: Any = None


class Mode(NamedTuple):
    """The bond between a handler's effects and the checkpoint: at most one of these."""

    transactional: bool
    appends: bool
    elsewhere: bool

    def check(self, *, parks: bool) -> None:
        """Raise InvalidInputError for modes that exclude each other."""
        if sum(self) > 1:
            raise InvalidInputError("a handler is transactional, or appends, or has its checkpoint elsewhere")
        if self.elsewhere and parks:
            raise InvalidInputError("with a checkpoint elsewhere nothing can be parked")

    def check_claimed(self, capabilities: Capabilities) -> None:
        """Raise UnsupportedError for a mode whose step the store does not have."""
        if (self.transactional or self.appends) and not capabilities.steps_append:
            raise UnsupportedError(
                f"a store of {capabilities.name} cannot append in the step of a checkpoint: let handlers append "
                "with ids of its own, so that a repetition finds them stored"
            )


def plain(handler: Callable[..., Any], cursors: HeldCursors) -> Effect:
    """The checkpoint moves after the handler: at least once."""

    def effect(events: Sequence[StoredEvent], change: Callable[[Step], None]) -> None:
        with handling(events) as in_hand:
            called(handler, in_hand)
        cursors.write(change)

    return effect


def transactional(
    handler: Callable[..., Any], cursors: HeldCursors, appender: Appender, nesting: Nesting
) -> Effect:
    """The handler works within the step that moves the checkpoint."""

    def effect(events: Sequence[StoredEvent], change: Callable[[Step], None]) -> None:
        def both(step: Step) -> None:
            with nesting.entered(), handling(events) as in_hand:
                called(handler, in_hand, Transaction(step, appender))
            change(step)

        cursors.write(both)

    return effect


def reacting(handler: Callable[..., Any], cursors: HeldCursors, appender: Appender) -> Effect:
    """The handler returns writes, and the step that moves the checkpoint appends them."""

    def effect(events: Sequence[StoredEvent], change: Callable[[Step], None]) -> None:
        with handling(events) as in_hand:
            unit = called(_unit_of, called(handler, in_hand), appender)

        def both(step: Step) -> None:
            outcome = appender.judged(unit, step.append(unit)) if unit else None
            if isinstance(outcome, EvstoreError):
                raise Failed(outcome)
            change(step)

        cursors.write(both)

    return effect


def _unit_of(found: Any, appender: Appender) -> Append | None:
    reaction = found if isinstance(found, Reaction) else Reaction(found or ())
    writes = [*reaction.writes]
    if not writes:
        return None
    return appender.unit(writes, unless=reaction.unless)
