"""Calls of the server's append procedures, and their outcomes."""

from __future__ import annotations

import json
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import psycopg

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.batches import Batch, calls_of, guards_of, hash_of, stage
from evstore.adapters.postgres.connections import milliseconds
from evstore.adapters.postgres.errors import Meaning, meaning
from evstore.adapters.postgres.outcomes import Doubt, Failed, NotCalledError, stored_nothing, told_of_each, tried
from evstore.adapters.postgres.retrying import pauses
from evstore.blocking import sleep
from evstore.errors import EventNotFoundError, EvstoreError, StoreClosedError, UnavailableError
from evstore.model.ids import new_id
from evstore.model.names import category_of
from evstore.port import MOST_VERSIONS, Append, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Location

AGAIN: Final = {Meaning.NOT_WRITTEN, Meaning.UNKNOWN, Meaning.STAGED_IS_GONE, Meaning.CANCELLED}
MOST_ENDED: Final = 2
"""Tries that the server may end: an operator ends one, a limit of time ends the next as well."""


class Calls:
    """Appends through the procedures, tried again with the same ids where the outcome is unknown."""

    def __init__(
        self,
        connections: Connections,
        location: Location,
        timeout: float,
        explained: Callable[[psycopg.Error], EvstoreError],
        again: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._location = location
        self._explained = explained
        self._timeout = timeout
        self._wait_ms = milliseconds(timeout)
        self._again = again
        self._left: deque[str] = deque()
        """The ids under which tries staged what nobody has swept yet."""
        self._repeats = False
        """True after the first append of one event. Preparing costs a round trip, and saves parsing."""

    def append(self, units: Sequence[Append], until_refused: bool) -> list[Outcome]:
        """Append the units call by call. Raises only if the first call fails: stored units must be reported."""
        outcomes: list[Outcome] = []
        for call in calls_of(units):
            if isinstance(call, Batch):
                called, attempt = call.units, self._calling(call, until_refused)
            else:
                called, attempt = [call], self._staging(call)
            try:
                outcomes += self._settled(Doubt(called, until_refused), called, attempt)
            except EvstoreError as error:
                if not outcomes:
                    raise
                if until_refused:
                    return [*outcomes, error]
                return [*outcomes, *told_of_each(units[len(outcomes) :], len(called), error)]
            if until_refused and not isinstance(outcomes[-1], Receipt):
                break
        return outcomes

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        """Redact the events, and append the unit of one event. Raises EventNotFoundError if one is absent."""
        ((stream_id, (event,), expected),) = unit.writes
        given = {
            "redacted_ids": [*ids], "with_metadata": metadata,
            "stream_id": stream_id, "category": category_of(stream_id), "id": event.id, "type": event.type,
            "hash": hash_of(event), "metadata": event.metadata_json, "data": event.data_json,
            "tags": event.joined_tags, "expected": expected,
            "stored_at": unit.times_us[0] if unit.times_us else None, "wanted_position": unit.first_position,
            "redacted": event.redacted,
        }  # fmt: skip
        statement = sql.in_schema(sql.REDACT, self._location.schema)

        def attempt(connection: Connection) -> list[Any]:
            with connection.transaction():
                connection.execute(sql.REDACTING)
                connection.execute(sql.SETTLE_REDACTION, {"wait_ms": self._wait_ms})
                row = connection.execute(statement, given).fetchone()
            assert row is not None
            return [json.loads(row[0])]

        (outcome,) = self._settled(Doubt([unit], until_refused=False), [unit], attempt)
        if isinstance(outcome, EventNotFoundError):
            raise outcome
        return outcome

    def _settled(
        self, doubt: Doubt, units: Sequence[Append], attempt: Callable[[Connection], list[Any]]
    ) -> list[Outcome]:
        """Try until the outcome is known. A retry finds the ids that an earlier try has stored.

        Once the outcome is unknown, a failure to try again leaves it unknown. Without a connection nothing is
        sent; of several hosts, another one may be about to take over.
        """
        failed: EvstoreError | None = None
        ended = 0
        for pause in chain(pauses(self._location, self._timeout), [None]):
            try:
                with self._connections.connection() as connection:
                    came = tried(connection, attempt)
                    self._sweep(connection)
            except EvstoreError as error:
                fails_over = self._location.has_several_hosts and isinstance(error, UnavailableError)
                if not (doubt.unknown or fails_over):
                    raise
                failed = error
            else:
                if not isinstance(came, Failed):
                    return doubt.outcomes(came)
                ended += came.meaning == Meaning.CANCELLED
                came = self._looked_up(units, came)
                doubt.add(came)
                failed = self._explained(came.error)
                if came.meaning not in AGAIN and not doubt.unknown:
                    raise failed from came.error
                if ended == MOST_ENDED:
                    break
            if pause is not None:
                sleep(pause)
                try:
                    self._again()
                except StoreClosedError as error:
                    failed = error
                    break
        assert failed is not None
        raise doubt.remains(failed)

    def _looked_up(self, units: Sequence[Append], failed: Failed) -> Failed:
        """The failure; of unknown outcome if the server ended the call, unless nothing of it is stored."""
        if failed.meaning != Meaning.CANCELLED or not failed.called:
            return failed
        try:  # perhaps on another connection: the session may have ended with the try
            with self._connections.connection() as connection:
                nothing = stored_nothing(connection, units, self._location.schema)
                self._sweep(connection)
                if nothing:
                    return failed
        except EvstoreError:
            pass
        return failed._replace(meaning=Meaning.UNKNOWN)

    def _sweep(self, connection: Connection) -> None:
        """Delete what earlier tries have staged. What cannot be deleted now is deleted on a later connection."""
        for _ in range(len(self._left)):
            try:
                staged_as = self._left.popleft()
            except IndexError:
                return  # to another thread
            given = {"staged_as": staged_as}
            try:
                row = connection.execute(sql.in_schema(sql.SWEEP_STAGED, self._location.schema), given).fetchone()
                swept = row != (False,)
            except psycopg.Error as error:
                swept = meaning(error) == Meaning.DENIED
            if not swept:
                self._left.append(staged_as)

    def _calling(self, batch: Batch, until_refused: bool) -> Callable[[Connection], list[Any]]:
        whole, given, prepare = sql.APPEND, dict[str, Any](batch.given), False
        if not any(given["redacted"]):  # as nearly always
            given["redacted"] = None
        if all(values is None or len(values) == 1 for values in given.values()):
            whole, given = sql.APPEND_ONE, {name: values and values[0] for name, values in given.items()}
            prepare, self._repeats = self._repeats, True
        statement = sql.in_schema(whole, self._location.schema)
        given |= {"until_refused": until_refused, "wait_ms": self._wait_ms}

        def attempt(connection: Connection) -> list[Any]:
            return _answers(connection.execute(statement, given, prepare=prepare).fetchone())

        return attempt

    def _staging(self, unit: Append) -> Callable[[Connection], list[Any]]:
        schema = self._location.schema

        def attempt(connection: Connection) -> list[Any]:
            given: dict[str, Any] = {"staged_as": new_id(), "wanted_position": unit.first_position}
            try:
                try:
                    with connection.cursor().copy(sql.in_schema(sql.STAGE, schema)) as copy:
                        size = stage(copy, given["staged_as"], unit)
                except psycopg.Error as error:
                    raise NotCalledError from error
                given |= {"size": size, "most_versions": MOST_VERSIONS, "wait_ms": self._wait_ms}
                given["guards"] = guards_of(unit)
                return _answers(connection.execute(sql.in_schema(sql.APPEND_STAGED, schema), given).fetchone())
            finally:
                self._left.append(given["staged_as"])
                self._sweep(connection)

        return attempt


def _answers(row: Any) -> list[Any]:
    answers: list[Any] = json.loads(row[0])
    return answers
