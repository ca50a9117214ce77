"""Errors of the command line's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class UsageError(Exception):
    """Flags or arguments that do not go together; `hint` is the next step."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


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
