"""From an error to an exit code and a next step. One table for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evstore.errors import EvstoreError

CODES: Final = {
    "findings": 1,
    "usage": 2,
    "not_found": 3,
    "conflict": 4,
    "bad_input": 5,
    "schema": 6,
    "unavailable": 7,
    "handler_failed": 8,
    "held": 9,
    "damaged": 10,
    "internal": 70,
    "io": 74,
    "denied": 77,
    "timed_out": 124,
}

HELP: Final = (
    "Exit codes: 0 done, 2 usage, 3 not found, 4 conflict, 5 bad input, 6 no usable store there, "
    "7 unavailable (try again), 10 damaged, 70 a bug, 74 input/output, 77 denied."
)


class UsageError(Exception):
    """Flags or arguments that do not go together; `hint` is the next step."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class OutputError(Exception):
    """Standard output could not be written."""


def hint_for(error: EvstoreError, db: str | None) -> str | None:
    """What to do next, where there is something to do. `db`: the `--db` that was given, if any."""
    from evstore import errors  # noqa: PLC0415

    if isinstance(error, errors.NotInitializedError):
        return f"evstore init --db {db}" if db else "evstore init"
    if isinstance(error, errors.SchemaTooOldError):
        return "evstore migrate"
    if isinstance(error, errors.SchemaTooNewError):
        return "install a newer evstore"
    if isinstance(error, errors.ConcurrencyError):
        if error.actual == 0:
            return f"evstore append {_word(error.stream_id)} --expect no-stream starts it"
        after = f" --after {error.expected}" if 0 < error.expected < error.actual else ""
        return f"evstore read {_word(error.stream_id)}{after}"
    if isinstance(error, errors.EventIdConflictError):
        return "an id belongs to one event for ever; leave it out to append a new one"
    if isinstance(error, errors.StreamNotFoundError):
        return "evstore categories"
    if isinstance(error, errors.StoreBusyError):
        return "try again"
    if isinstance(error, errors.InvalidPayloadError) and error.place == "--data":
        return """the shell eats quotes; put JSON in single ones: -d '{"total": 99.9}'"""
    return None


def _word(text: str) -> str:
    from shlex import quote  # noqa: PLC0415

    return quote(text)
