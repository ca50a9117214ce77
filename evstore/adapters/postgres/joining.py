"""Appends in a transaction that is not over yet: of a step, or of the application on its own connection.

The order lock is held to the end of that transaction, so that the order of positions stays the order of commits.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.string import TextLoader

from evstore.adapters.paging import event_of
from evstore.adapters.postgres import joining_statements as sql
from evstore.adapters.postgres.batches import Batch, guards_of, stage
from evstore.adapters.postgres.connections import milliseconds
from evstore.adapters.postgres.flushing import wait_for_flush
from evstore.adapters.postgres.outcomes import Doubt
from evstore.adapters.postgres.reading import WIDTH
from evstore.adapters.postgres.statements import GET_EVENTS, STAGE, SWEEP_STAGED, in_schema
from evstore.adapters.wholeness import check_named
from evstore.errors import InvalidInputError
from evstore.model.ids import new_id
from evstore.port import MOST_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.access import Access
    from evstore.adapters.postgres.location import Location
    from evstore.errors import EvstoreError
    from evstore.model.events import StoredEvent
    from evstore.port import Append, Outcome

ON_DISK: Final = ("on", "remote_apply")
"""The values of `synchronous_commit` with which a COMMIT returns after it is on disk, also of a standby."""


class PostgresJoined:
    """`port.Joined`, within a transaction. `explained` translates the driver's errors."""

    def __init__(
        self, connection: Connection, location: Location, explained: Callable[[Any], EvstoreError]
    ) -> None:
        self._connection = connection
        self._location = location
        self._schema = location.schema
        self._explained = explained

    def append(self, unit: Append) -> Outcome:
        batch = Batch()
        answer = self._appended(batch, unit) if batch.takes(unit) else self._staged(unit)
        (outcome,) = Doubt([unit], until_refused=False).outcomes([answer])
        return outcome

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        rows = self._rows(GET_EVENTS, {"ids": [*ids]})
        check_named(rows, self._location.shown)
        return [event_of(row[:WIDTH]) for row in rows]

    def _appended(self, batch: Batch, unit: Append) -> Any:
        batch.add(unit)
        redacted = batch.given["redacted"]
        given = {
            **batch.given,
            "redacted": redacted if any(redacted) else None,
            "wanted_position": unit.first_position,
            "guards": guards_of(unit),
        }
        ((answer,),) = self._execute(sql.APPEND_UNIT, given)
        return json.loads(answer)

    def _staged(self, unit: Append) -> Any:
        staged_as = new_id()
        try:
            with psycopg.Cursor(self._connection).copy(in_schema(STAGE, self._schema)) as copy:
                size = stage(copy, staged_as, unit)
        except psycopg.Error as error:
            raise self._explained(error) from error
        given = {"staged_as": staged_as, "size": size, "most_versions": MOST_VERSIONS}
        given |= {"wanted_position": unit.first_position, "guards": guards_of(unit)}
        ((answer,),) = self._execute(sql.APPEND_STAGED_UNIT, given)
        self._execute(SWEEP_STAGED, given)
        return json.loads(answer)

    def _rows(self, statement: str, given: dict[str, Any]) -> list[Any]:
        """The rows of a statement, with the settings of evstore."""
        return self._execute(statement, given)

    def _execute(self, statement: str, given: dict[str, Any]) -> list[Any]:
        try:
            cursor = psycopg.Cursor(self._connection, row_factory=tuple_row)
            for name in ("json", "uuid"):
                cursor.adapters.register_loader(name, TextLoader)
            cursor.execute(in_schema(statement, self._schema), given)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise self._explained(error) from error


class JoinedTransaction(PostgresJoined):
    """A transaction of the application, in which nobody is waited for longer than `timeout` seconds."""

    def __init__(self, connection: Connection, access: Access) -> None:
        super().__init__(connection, access.location, access.explained)
        self._timeout = access.timeout

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        found = super().get(ids)
        if found:  # by somebody who has committed them, but perhaps not to the disk
            seen = max(event.global_position for event in found)
            wait_for_flush(self._connection, self._location, seen, self._timeout)
        return found

    def identity(self) -> tuple[Any, ...]:
        ((*found,),) = self._execute(sql.IDENTITY, {})
        return tuple(found)

    def pin(self) -> dict[str, str]:
        """Give the transaction the settings of evstore, and return those that it had."""
        (found,) = self._execute(sql.PIN, {"wait_ms": milliseconds(self._timeout)})
        return dict(zip(sql.SETTINGS, found, strict=False))

    def unpin(self, settings: dict[str, str]) -> None:
        """Give it its settings back; but it is durable to its end."""
        commit = settings["synchronous_commit"]
        self._execute(sql.UNPIN, {**settings, "synchronous_commit": commit if commit in ON_DISK else "on"})

    def run(self, statement: str) -> None:
        self._execute(statement, {})


class Joining:
    """Takes transactions of the application into the store."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._identity: tuple[Any, ...] | None = None

    @contextmanager
    def joined(self, connection: Any) -> Iterator[PostgresJoined]:
        """The store in the transaction of the connection, which is as it was if the block raises."""
        check_usable(connection, self._access.location)
        self._access.admit_writer()
        with _plain(connection), self._undone(connection) as joined:
            settings = joined.pin()
            self._check_isolation(settings["transaction_isolation"])
            self._check_database(joined)
            yield joined
            joined.unpin(settings)

    @contextmanager
    def _undone(self, connection: Connection) -> Iterator[JoinedTransaction]:
        """A savepoint, to which the transaction returns if the block raises; one that begins here then ends."""
        joined = JoinedTransaction(connection, self._access)
        begins = connection.info.transaction_status == TransactionStatus.IDLE
        try:
            joined.run("SAVEPOINT evstore_append")
            yield joined
            joined.run("RELEASE SAVEPOINT evstore_append")
        except BaseException:
            with suppress(psycopg.Error):  # the connection is gone, and the transaction with it
                if begins:
                    connection.rollback()
                else:
                    connection.execute("ROLLBACK TO SAVEPOINT evstore_append")
                    connection.execute("RELEASE SAVEPOINT evstore_append")
            raise

    def _check_isolation(self, isolation: str) -> None:
        if isolation != "read committed":
            raise InvalidInputError(
                f"connection: its transaction is {isolation}, and an append needs READ COMMITTED, to see what was "
                "stored before it: set connection.isolation_level before the transaction begins"
            )

    def _check_database(self, joined: JoinedTransaction) -> None:
        """Raise InvalidInputError unless the connection leads to the tables of the store, on the same server."""
        found = joined.identity()
        if found == self._identity:
            return
        self._identity = self._access.tried(self._asked)  # perhaps of another server, which took over
        if found != self._identity:
            raise InvalidInputError(
                f"connection: it does not lead to the event store at {self._access.location.shown}: connect to "
                "the server and the database of the store"
            )

    def _asked(self, connection: Connection) -> tuple[Any, ...]:
        return JoinedTransaction(connection, self._access).identity()


def check_usable(connection: Any, location: Location) -> None:
    """Raise InvalidInputError for a connection that is in no state to append."""
    if not isinstance(connection, psycopg.Connection):
        kind = type(connection)
        raise InvalidInputError(
            f"connection: the store at {location.shown} takes a psycopg.Connection, not a "
            f"{kind.__module__}.{kind.__qualname__}"
        )
    info = connection.info
    if connection.closed:
        fault = "it is closed"
    elif info.transaction_status == TransactionStatus.INERROR:
        fault = "a statement has failed in its transaction: roll it back, or back to a savepoint"
    elif info.transaction_status == TransactionStatus.ACTIVE:
        fault = "another statement of it is not finished"
    elif info.pipeline_status != PipelineStatus.OFF:
        fault = "it is in pipeline mode: append after the pipeline"
    elif info.encoding != "utf-8":
        fault = "its client_encoding does not hold every text: execute SET client_encoding TO 'UTF8'"
    elif connection.autocommit and info.transaction_status == TransactionStatus.IDLE:
        fault = "it is in autocommit mode, and in no transaction: append within connection.transaction()"
    else:
        return
    raise InvalidInputError(f"connection: {fault}")


@contextmanager
def _plain(connection: Connection) -> Iterator[None]:
    """The connection with rows and cursors as psycopg makes them."""
    before = connection.row_factory, connection.cursor_factory
    connection.row_factory, connection.cursor_factory = tuple_row, psycopg.Cursor
    try:
        yield
    finally:
        connection.row_factory, connection.cursor_factory = before
