"""Errors of the command line's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evstore.model.events import StoredEvent


class UsageError(Exception):
    """Flags or arguments that do not go together; `hint` is the next step."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class HandlerFailedError(Exception):
    """The command that handles the events of consumer `name` kept failing, at `events` in the end."""

    def __init__(self, name: str, failure: str, events: Sequence[StoredEvent]) -> None:
        super().__init__(name, failure, events)
        self.name = name
        self.failure = failure
        self.events = events

    def __str__(self) -> str:
        first = self.events[0]
        more = f" and {len(self.events) - 1} more" if len(self.events) > 1 else ""
        return (
            f"{self.failure}, at event {first.id} ({first.stream_id} version {first.version}, position "
            f'{first.global_position}){more}; consumer "{self.name}" stays before it'
        )

    def facts(self) -> dict[str, Any]:
        """The facts of the sentence, for a script."""
        first = self.events[0]
        return {
            "name": self.name,
            "event_id": first.id,
            "stream_id": first.stream_id,
            "global_position": first.global_position,
        }


class InputOutputError(Exception):
    """Standard output or a file could not be written, or an input not be read.

    `facts` are what is done all the same, for a script; `hint` is the next step.
    """

    def __init__(self, message: str, hint: str | None = None, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.facts = facts


class TimedOut(Exception):  # noqa: N818 - what happened, not what is wrong
    """`--within` passed without enough events."""
