"""Errors of the command line's own."""

from __future__ import annotations


class UsageError(Exception):
    """Flags or arguments that do not go together; `hint` is the next step."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InputOutputError(Exception):
    """Standard output or a file could not be written, or an input not be read."""


class TimedOut(Exception):  # noqa: N818 - what happened, not what is wrong
    """`--within` passed without enough events."""
