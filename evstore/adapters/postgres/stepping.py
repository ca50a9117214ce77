"""Steps of a consumer: one transaction for its checkpoint, for events, and for tables of the application."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.json import JsonLoader
from psycopg.types.uuid import UUIDLoader

from evstore.adapters.postgres import consumer_statements as sql
from evstore.adapters.postgres.connections import is_ours, milliseconds, settle
from evstore.adapters.postgres.errors import filled
from evstore.adapters.postgres.joining import PostgresJoined
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError, LogDivergedError, UnsupportedError
from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.holding import PostgresHold
    from evstore.adapters.postgres.location import Location
    from evstore.errors import EvstoreError
    from evstore.model.consumers import Parked
    from evstore.port import Append, Outcome, Tables


@contextmanager
def settled(connection: Connection, timeout: float, *, lasts: bool = False) -> Iterator[None]:
    """A durable transaction in which a statement means what it says, whatever the defaults of the role are.

    If it `lasts`, as a step does, its end makes it durable, and a session that is ours alone is settled already.
    """
    if connection.info.transaction_status == TransactionStatus.IDLE:  # else it has begun with this isolation
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    with connection.transaction():
        if not (lasts and is_ours(connection)):
            connection.execute(sql.SETTLE_STEP, {"wait_ms": milliseconds(timeout)})
        yield


class PostgresStep(PostgresJoined):
    """`port.Step`, within a transaction that `settled` has begun. `explained` translates the driver's errors."""

    def __init__(
        self,
        connection: Connection,
        location: Location,
        hold: PostgresHold,
        explained: Callable[[Any], EvstoreError],
    ) -> None:
        super().__init__(connection, location, explained)
        self._hold = hold
        self._given = hold.given()
        self._begun: tuple[Any, ...] = ()
        self._is_removed = False
        self.is_handed_out = False
        """The handler has the connection, with its own settings."""
        self.has_appended = False

    def begin(self) -> None:
        """Raise ConsumerHeldError, ConsumerNotFoundError or DeniedError before anybody takes trouble."""
        ((session, began, name, held, subscription),) = self._rows(sql.BEGINS, self._given)
        if subscription is not None:
            raise filled(self._location, subscription)
        if name is None:
            raise ConsumerNotFoundError(self._hold.name)
        self._begun = session, began
        self._check_held(json.loads(held or "[]"))

    def end(self) -> None:
        """Raise unless this is still the transaction that began, and the slots are still held.

        Nobody takes them before the transaction has ended.
        """
        self._check_usable()
        found = self._rows(sql.ENDS, self._given)
        if any(row[:2] != self._begun for row in found):
            raise self._was_ended()
        self._check_held(row[2:5] for row in found)
        if self._is_removed:
            self._rows(sql.REMOVE_HOLDS, self._given)

    def _check_held(self, found: Iterable[Sequence[Any]]) -> None:
        """Raise ConsumerHeldError unless all slots have the tokens of the hold."""
        there = {slot: (token, holder) for slot, token, holder in found}
        for slot, ours in zip(self._given["slots"], self._given["tokens"], strict=True):
            token, holder = there.get(slot, (None, ""))
            if token != ours:
                raise ConsumerHeldError(self._hold.name, holder)

    @property
    def connection(self) -> Connection:
        """The connection as psycopg makes it, and with the settings that the role has."""
        self._check_usable()
        if not self.is_handed_out:
            self._rows(sql.HAND_OUT, {})
            self._connection.adapters.register_loader("json", JsonLoader)
            self._connection.adapters.register_loader("uuid", UUIDLoader)
            self.is_handed_out = True
        return self._connection

    @property
    def tables(self) -> Tables:
        from evstore.adapters.postgres.tables import PostgresTables

        return PostgresTables(self.connection, self._rows, self._explained, self._schema)

    def move(self, positions: Mapping[int, int]) -> None:
        given = {"slots": [*positions], "positions": [*positions.values()]}
        for position, head in self._changed(sql.MOVE, **given):
            raise LogDivergedError(self._hold.name, position, head)

    def reset(self, position: int) -> None:
        ((event_id, head),) = self._changed(sql.FIND_EVENT, position=position)
        if position and event_id is None:
            raise LogDivergedError(self._hold.name, position, head)
        self._changed(sql.RESET, position=position, event_id=event_id)
        self._changed(sql.UNPARK_ALL)

    def park(self, event: Parked) -> None:
        _, position, _, reason, parked_at, state = event
        self._changed(sql.PARK, position=position, reason=reason, parked_at=parked_at, state=state)

    def unpark(self, stream_id: str) -> None:
        self._changed(sql.UNPARK, stream_id=stream_id)

    def refilter(self, filter_json: str) -> None:
        self._changed(sql.REFILTER, filter=filter_json)

    def divide(self) -> None:
        self._changed(sql.DIVIDE)

    def remove(self) -> None:
        for statement in (sql.REMOVE, sql.UNPARK_ALL, sql.REMOVE_CHECKPOINTS):
            self._changed(statement)
        self._is_removed = True

    def append(self, unit: Append) -> Outcome:
        self._check_usable()
        outcome = super().append(unit)
        self.has_appended = self.has_appended or isinstance(outcome, Receipt)
        return outcome

    def _changed(self, statement: str, **given: Any) -> list[Any]:
        """The rows of a statement about this consumer."""
        self._check_usable()
        return self._rows(statement, {"key": self._hold.key, **given})

    def _rows(self, statement: str, given: dict[str, Any]) -> list[Any]:
        """The rows of a statement, with the settings of evstore, and then those of the handler again."""
        if not self.is_handed_out:
            return self._execute(statement, given)
        ((search_path, row_security, *_),) = self._execute(sql.PIN, {})
        found = self._execute(statement, given)
        self._execute(sql.UNPIN, {"search_path": search_path, "row_security": row_security})
        return found

    def _check_usable(self) -> None:
        """Raise UnsupportedError if the handler has ended the transaction, or goes on after it failed."""
        closed = self._connection.closed and not self._connection.broken
        status = self._connection.info.transaction_status
        if closed or status == TransactionStatus.IDLE:
            raise self._was_ended()
        if status == TransactionStatus.INERROR:
            raise UnsupportedError(
                f'a statement failed in a step of consumer "{self._hold.name}", and its handler went on: nothing '
                "of the step is stored; what may fail needs a block of connection.transaction()"
            )

    def _was_ended(self) -> UnsupportedError:
        return UnsupportedError(
            f'the handler of consumer "{self._hold.name}" ended the transaction of its step, which evstore '
            "commits together with the checkpoint; the checkpoint has not moved"
        )


def taken_back(connection: Connection, timeout: float) -> None:
    """Settle a connection anew that a handler had, whatever it has set for the session."""
    connection.row_factory = tuple_row
    try:
        if is_ours(connection):
            connection.execute(sql.RESET_SESSION)
        settle(connection, timeout)
    except psycopg.Error:
        connection.close()
