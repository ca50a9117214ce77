"""The table of exit codes, and the hint for each error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.cli import settings

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "Exit codes: 0 done, 1 findings, 2 usage, 3 not found, 4 conflict, 5 bad input, 6 no usable store there, "
    "7 unavailable (try again), 8 handler failed, 9 held, 10 damaged, 70 a bug, 74 input/output, 77 denied, "
    "124 timed out."
)


def _word(text: str) -> str:
    from shlex import quote

    return quote(text)


def hint_for(error: EvstoreError) -> str | None:
    """The next step for an error, None if there is none."""
    notes: list[str] = getattr(error, "__notes__", [])
    if notes:  # added where more was known
        return notes[0]
    hint = _HINTS.get(type(error).__name__)
    return hint(error) if callable(hint) else hint


def _again(words: str) -> str:
    return settings.again(words)


def _init(error: Any) -> str:
    if not error.detail:
        return _again("init")
    if error.detail.startswith(f"{error.location}-lock "):
        return f"move the database back to {error.location}; {_again('init')} makes a new, empty store"
    return f"move the database back to {error.location}, beside its log (or move the log away and lose its events)"


def _conflict(error: Any) -> str:
    if error.actual == 0:
        return f"evstore append {_word(error.stream_id)} --expect no-stream starts it"
    after = f" --after {error.expected}" if 0 < error.expected < error.actual else ""
    return _again(f"read {_word(error.stream_id)}{after}")


def _matching(error: Any) -> str:
    """The command that shows the events which violate the conditions."""
    from evstore.cli.input.conditions import words_of
    from evstore.errors import MOST_NAMED

    violations = error.violations[:MOST_NAMED]
    items = dict.fromkeys(item for query, _, _ in violations for item in query.items)
    words = [words_of(item) for item in items]
    if not all(words):  # a type that no QUERY can name
        return _again(f"replay --all --from {error.position} --limit 1")
    if not all(query.items for query, _, _ in violations):
        words = []  # every event matches
    matches = "".join(f" --match {_word(each)}" for each in words if each)
    return _again(f"replay{matches} --after {min(after for _, after, _ in violations)} --all")


def _other_event(error: Any) -> str:
    if "other events of this append" in error.reason:
        return "--skip-stored appends the events that are not stored yet"
    return "an id belongs to one event for ever; without an id a new event is appended"


def _quotes(error: Any) -> str | None:
    inline = error.source == "--data" and "not valid JSON" in str(error)
    return """the shell eats quotes; put JSON in single ones: -d '{"total": 99.9}'""" if inline else None


def _busy(error: Any) -> str:
    if not error.detail:
        return "try again"
    return "close that program: other SQLite libraries keep a file locked while they have it open"


def _scheme(error: Any) -> str | None:
    from evstore.did_you_mean import nearest

    meant = nearest(error.scheme, error.known)
    return f'did you mean "{meant}:"?' if meant else None


def _all_ids(error: Any) -> str | None:
    from evstore.errors import MOST_NAMED

    many = len(error.ids) > MOST_NAMED
    return "--errors json prints every id; with --key a second run makes the same ids" if many else None


_HINTS: Final[dict[str, Callable[[Any], str | None] | str]] = {
    "NotInitializedError": _init,
    "ConsumerFilterError": "--refilter keeps the new filter; the checkpoint stays where it is",
    "ConsumerHeldError": "end that process first",
    "ConsumerNotFoundError": lambda _: _again("consumers"),
    "LogDivergedError": lambda error: error.name and _again(f"consumers reset {_word(error.name)} --to P"),
    "SchemaTooOldError": lambda _: _again("migrate"),
    "MigrationError": lambda _: _again("migrate --status"),
    "SchemaTooNewError": "install a newer evstore",
    "ConcurrencyError": _conflict,
    "AppendConditionError": _matching,
    "EventIdConflictError": _other_event,
    "AppendOutcomeUnknownError": _all_ids,
    "EventNotFoundError": lambda error: error.consumer and _again(f"consumers show {_word(error.consumer)}"),
    "StreamNotFoundError": lambda _: _again("streams"),
    "TargetExistsError": "--force replaces it",
    "StoreBusyError": _busy,
    "UnknownAdapterError": _scheme,
    "InvalidPayloadError": _quotes,
}
