"""The outcome of a call: an answer for each unit, or a failure and the doubt it leaves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.errors import Meaning, meaning
from evstore.errors import (
    AppendConditionError,
    EventNotFoundError,
    EvstoreError,
    PositionConflictError,
    UnavailableError,
)
from evstore.model.versions import STREAM_EXISTS, check_version
from evstore.port import AlreadyStored, Append, Outcome, Receipt, SourceTaken, error_of, outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

    from evstore.port import PreparedWrite


class Failed(NamedTuple):
    """A try without an answer for its units."""

    error: psycopg.Error
    meaning: Meaning
    may_still_run: bool
    """The connection is gone, and the server may go on with the try, or even begin it later. Where it is not, the
    server has finished."""
    called: bool = True
    """The procedure was called, so that something may be stored."""


class NotCalledError(Exception):
    """A try failed before its call: what was staged is not stored. The driver's error is the cause."""


def tried(connection: Connection, attempt: Callable[[Connection], list[Any]]) -> list[Any] | Failed:
    try:
        with heeding_standbys(connection):
            return attempt(connection)
    except NotCalledError as early:
        error = early.__cause__
        assert isinstance(error, psycopg.Error)
        kind = meaning(error)
        kind = Meaning.NOT_WRITTEN if kind == Meaning.UNKNOWN else kind
        return Failed(error, kind, may_still_run=False, called=False)
    except psycopg.Error as error:
        kind = meaning(error)
        # The server panicked, perhaps after its commit.
        if connection.closed and kind in (Meaning.FULL, Meaning.DAMAGED, Meaning.OTHER):
            kind = Meaning.UNKNOWN
        return Failed(error, kind, kind == Meaning.UNKNOWN and connection.closed)


def stored_nothing(connection: Connection, units: Sequence[Append], schema: str) -> bool:
    """True if a finished try certainly stored nothing; a unit is stored if its first event is."""
    first = [next(iter(write.events)).id for unit in units for write in [next(iter(unit.writes))]]
    try:
        return connection.execute(sql.in_schema(sql.HOLDS, schema), {"ids": first}).fetchone() == (False,)
    except psycopg.Error:
        return False


@contextmanager
def heeding_standbys(connection: Connection) -> Iterator[None]:
    """A block after which what it committed is durable.

    A commit whose wait for a standby was cancelled succeeds, with a warning: it is not known to be durable. There
    are other warnings, which mean nothing here; they all have the same SQLSTATE.
    """
    warned: list[str] = []

    def heed(notice: Any) -> None:
        if notice.source_function == "SyncRepWaitForLSN":
            warned.append(notice.message_primary)

    connection.add_notice_handler(heed)
    try:
        yield
    finally:
        connection.remove_notice_handler(heed)
    if warned:
        raise psycopg.OperationalError(warned[0])


class Doubt:
    """The doubt that earlier tries of a call left, and the meaning of an answer in that light."""

    def __init__(self, units: Sequence[Append], until_refused: bool) -> None:
        self._units = units
        self._until_refused = until_refused
        self.unknown = False
        """Some try may have stored what it could."""
        self._may_still_run = False

    def add(self, failed: Failed) -> None:
        self.unknown = self.unknown or failed.meaning == Meaning.UNKNOWN
        self._may_still_run = self._may_still_run or failed.may_still_run

    def outcomes(self, answers: Sequence[Any]) -> list[Outcome]:
        pairs = zip(self._units, answers, strict=False)
        return [self._outcome(n, unit, answer) for n, (unit, answer) in enumerate(pairs)]

    def _outcome(self, n: int, unit: Append, answer: dict[str, Any]) -> Outcome:
        match answer["status"]:
            case "stored":
                return Receipt(answer["position"], answer["size"], answer["versions"], answer["timestamp"])
            case "held":
                return AlreadyStored(answer["ids"], after_lost_answer=self.unknown)
            case "misplaced":
                wanted, actual = unit.first_position or 0, answer["actual"]
                return self._refusal(n, PositionConflictError(wanted, actual), may_pass=wanted > actual)
            case "taken":  # for ever, since positions only grow
                assert unit.source is not None
                return SourceTaken(unit.source.name, answer["actual"])
            case "absent":
                return EventNotFoundError(answer["id"])
            case "violated":
                found = [(unit.conditions[which], position) for which, position in answer["violations"]]
                first, *more = [(query, after, position) for (query, after), position in found]
                return AppendConditionError(*first, more)
            case "unmet":
                stream_id, expected = unit.requirements[answer["requirement"]]
                return self._version_refused(n, stream_id, expected, answer["actual"])
            case _:
                write, actual = _nth(unit, answer["write"]), answer["actual"]
                return self._version_refused(n, write.stream_id, write.expected_version, actual)

    def _version_refused(self, n: int, stream_id: str, expected: int, actual: int) -> EvstoreError:
        may_pass = expected == STREAM_EXISTS or expected > actual
        return self._refusal(n, _refused(stream_id, expected, actual), may_pass=may_pass)

    def _refusal(self, n: int, refusal: EvstoreError, *, may_pass: bool) -> EvstoreError:
        """A log only grows: what lies below its end stays refused. An expectation above it may be met later by a
        try that still runs, unless that try stops at the first unit, which it finds stored."""
        if not (may_pass and self._may_still_run) or (self._until_refused and n > 0):
            return refusal
        unknown = outcome_unknown(self._units if self._until_refused else [self._units[n]])
        unknown.__cause__ = refusal
        return unknown

    def remains(self, failed: EvstoreError) -> EvstoreError:
        """The error if no try got an answer and the last failed with `failed`."""
        if not self.unknown:
            return failed
        unknown = outcome_unknown(self._units, str(failed))
        unknown.__cause__ = failed
        return unknown


def told_of_each(units: Sequence[Append], size: int, error: EvstoreError) -> Iterator[EvstoreError]:
    """The error of each unit after a call of `size` units failed; later units were not tried."""
    for n, unit in enumerate(units):
        if n < size:
            yield error_of(unit, error)
        else:
            untried = UnavailableError(f"not tried: an earlier append failed: {error}")
            untried.__cause__ = error
            yield untried


def _nth(unit: Append, number: int) -> PreparedWrite:
    return next(write for n, write in enumerate(unit.writes, 1) if n == number)


def _refused(stream_id: str, expected: int, actual: int) -> EvstoreError:
    """The refusal that the reported version means, by the core's own rule."""
    try:
        check_version(stream_id, expected, actual)
    except EvstoreError as error:
        return error
    return EvstoreError(
        f'the server refused version {actual} of stream "{stream_id}" for the expected version {expected}, '
        "for an unknown reason"
    )
