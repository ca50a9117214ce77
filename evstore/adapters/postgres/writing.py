"""Calls of the server's append procedures, and their outcomes."""

from __future__ import annotations

import json
import time
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import psycopg

from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import milliseconds
from evstore.adapters.postgres.errors import Meaning, meaning
from evstore.adapters.postgres.outcomes import Doubt, Failed, NotCalledError, stored_nothing, told_of_each, tried
from evstore.adapters.sql import correlation_hash, id_to_blob
from evstore.errors import EventNotFoundError, EvstoreError, StoreClosedError
from evstore.model.ids import new_id
from evstore.model.names import category_of
from evstore.port import MOST_VERSIONS, Append, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection, Copy

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Location
    from evstore.port import PreparedEvent

PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries, so that a server may restart meanwhile. Tries are bounded, whatever happens."""
AGAIN: Final = {Meaning.NOT_WRITTEN, Meaning.UNKNOWN, Meaning.STAGED_IS_GONE, Meaning.CANCELLED}
MOST_ENDED: Final = 2
"""Tries that the server may end: an operator ends one, a limit of time ends the next as well."""
MOST_EVENTS: Final = 1000
MOST_CHARACTERS: Final = 1024 * 1024
"""The limits of one call. A unit beyond them is staged; several units become several calls."""
MOST_IN_UNIT: Final = 200
"""A unit with more events is staged as well: making lists of them costs more than the round trips of a COPY."""
STAGED: Final = (
    "bytea", "int4", "text", "text", "int8", "bytea", "text", "int8", "text", "bool", "text", "text", "int8",
)  # fmt: skip
"""The types by which a staged row is sent. In the binary format a UUID is its bytes, and JSON is its text."""


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
        self._wait_ms = milliseconds(timeout)
        self._again = again
        self._left: deque[str] = deque()
        """The ids under which tries staged what nobody has swept yet."""
        self._repeats = False
        """True after the first append of one event. Preparing costs a round trip, and saves parsing."""

    def append(self, units: Sequence[Append], until_refused: bool) -> list[Outcome]:
        """Append the units call by call. Raises only if the first call fails: stored units must be reported."""
        outcomes: list[Outcome] = []
        for call in _calls(units):
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
        ((stream_id, (event,), _),) = unit.writes
        given = {
            "redacted_ids": [*ids], "with_metadata": metadata,
            "stream_id": stream_id, "category": category_of(stream_id), "id": event.id, "type": event.type,
            "hash": _hash(event), "metadata": event.metadata_json, "data": event.data_json,
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

        Once the outcome is unknown, a failure to try again leaves it unknown.
        """
        failed: EvstoreError | None = None
        ended = 0
        for pause in (*PAUSES, None):
            try:
                with self._connections.connection() as connection:
                    came = tried(connection, attempt)
                    self._sweep(connection)
            except EvstoreError as error:  # no connection, so nothing was sent
                if not doubt.unknown:
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
                time.sleep(pause)
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


class Batch:
    """Units of one call, as the lists that `append_v1` takes."""

    def __init__(self) -> None:
        self.units: list[Append] = []
        self._characters = 0
        self.given: dict[str, list[Any]] = {
            name: []
            for name in (
                "unit_writes", "unit_events", "unit_positions",
                "stream_ids", "categories", "expected", "sizes",
                "writes", "ids", "types", "hashes", "metadatas", "datas", "times", "tags", "redacted", "guards",
            )
        }  # fmt: skip

    def takes(self, unit: Append) -> bool:
        """True if the batch has room for the unit, which is then counted."""
        room, characters = min(MOST_IN_UNIT, MOST_EVENTS - len(self.given["ids"])), self._characters
        for write in unit.writes:  # of a large unit no more is read than the batch could take
            room -= len(write.events)
            if room < 0:
                return False
            for event in write.events:
                characters += _characters(event)
                if characters > MOST_CHARACTERS:
                    return False
        self._characters = characters
        return True

    def add(self, unit: Append) -> None:
        given = self.given
        self.units.append(unit)
        events = 0
        for number, (stream_id, its_events, expected) in enumerate(unit.writes, 1):
            given["stream_ids"].append(stream_id)
            given["categories"].append(category_of(stream_id))
            given["expected"].append(expected)
            given["sizes"].append(len(its_events))
            for event in its_events:
                given["writes"].append(number)
                given["ids"].append(event.id)
                given["types"].append(event.type)
                given["hashes"].append(_hash(event))
                given["metadatas"].append(event.metadata_json)
                given["datas"].append(event.data_json)
                given["tags"].append(event.joined_tags)
                given["redacted"].append(event.redacted)
                events += 1
        given["unit_writes"].append(len(unit.writes))
        given["unit_events"].append(events)
        given["unit_positions"].append(unit.first_position)
        given["guards"].append(guards_of(unit))
        given["times"] += unit.times_us or [None] * events


def _calls(units: Sequence[Append]) -> Iterator[Batch | Append]:
    """The units in as few calls as fit; a unit too large for a shared call gets its own."""
    batch = Batch()
    for unit in units:
        if not batch.takes(unit):
            if batch.units:
                yield batch
            batch = Batch()
            if not batch.takes(unit):
                yield unit
                continue
        batch.add(unit)
    if batch.units:
        yield batch


def stage(copy: Copy, staged_as: str, unit: Append) -> int:
    """Copy the unit's events, and return their number. The first event of a write has its expected version."""
    copy.set_types(STAGED)
    append_id = id_to_blob(staged_as)
    times = repeat(None) if unit.times_us is None else iter(unit.times_us)
    number = 0
    for stream_id, events, expected in unit.writes:
        category = category_of(stream_id)
        expectation: int | None = expected
        for event in events:
            number += 1
            copy.write_row((
                append_id, number, stream_id, category, expectation, id_to_blob(event.id), event.type,
                _hash(event), event.joined_tags, event.redacted, event.metadata_json, event.data_json, next(times),
            ))  # fmt: skip
            expectation = None
    return number


def guards_of(unit: Append) -> str | None:
    """The requirements and conditions of a unit as `guarded_v1` takes them, None if there are none."""
    if not unit.conditions and not unit.requirements:
        return None
    conditions = [{"query": query.members(), "after": after} for query, after in unit.conditions]
    return json.dumps({"requirements": unit.requirements, "conditions": conditions})


def _characters(event: PreparedEvent) -> int:
    return len(event.data_json) + len(event.metadata_json)


def _hash(event: PreparedEvent) -> int | None:
    return correlation_hash(event.correlation_id) if event.correlation_id else None


def _answers(row: Any) -> list[Any]:
    answers: list[Any] = json.loads(row[0])
    return answers
