"""A store on a server: who may use it, tries after a lost connection, and answers that are durable."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import psycopg

from evstore.adapters.living import check_open
from evstore.adapters.postgres import reading
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import is_standby, milliseconds, unharmed
from evstore.adapters.postgres.errors import Meaning, meaning, not_the_primary, renamed, translated
from evstore.adapters.postgres.flushing import wait_for_flush
from evstore.adapters.postgres.location import SCHEMA_NUMBER
from evstore.adapters.postgres.naming import Names
from evstore.adapters.postgres.retrying import pauses
from evstore.adapters.postgres.waiting import Hints
from evstore.adapters.postgres.writing import Calls
from evstore.adapters.sql import OLDEST_SCHEMA, check_admits, check_current, check_tables
from evstore.adapters.wholeness import Counted
from evstore.blocking import sleep
from evstore.errors import CorruptStoreError, EvstoreError, NotAStoreError, NotInitializedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg import Connection

    from evstore.adapters.postgres.access import Access
    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.consumers import PostgresConsumers
    from evstore.adapters.postgres.joining import Joining
    from evstore.adapters.postgres.location import Location
    from evstore.adapters.postgres.raw import RawPages
    from evstore.adapters.postgres.reading import Question
    from evstore.model.facts import LockWait
    from evstore.port import Consumers, Joined, Migrations, Snapshots

APPLICATION: Final = "EVST"
LAST_COLUMN: Final = -1
"""The index of the highest position in any row but those of events."""


class Session:
    """A store on a server, asked again after lost connections, whose answers are durable."""

    def __init__(self, location: Location, connections: Connections, timeout: float) -> None:
        self.location = location.shown
        self._location = location
        self._connections = connections
        self._timeout = timeout
        self._hints = Hints(location, connections)
        self._calls = Calls(connections, location, timeout, self._explained, self._again)
        self._flushed = [0]
        """The highest global position known to be durable. Another server gets another list: the knowledge of a
        thread about the former server does not apply to it."""
        self._counted = Counted()
        self._counted_tags = Counted()
        self._names = Names(location.schema, str)
        self._raw: RawPages | None = None
        self._admitted = False
        self._appends_to = location.schema
        """The schema that the store's procedures name: another, if the schema was renamed."""
        self._begins = False
        """True if a read begins a transaction: the role's isolation is unusable, or a pooler stands between."""
        self._started: object = None
        """The time at which the server was started that a pooler led to last."""
        self._moves = 0
        """The number of times that a pooler has led to another server than before."""
        self._consumers: PostgresConsumers | None = None
        self._joining: Joining | None = None
        self._closed = False
        self._pid = os.getpid()

    def close(self) -> None:
        was_open, self._closed = not self._closed, True  # first: whoever loses a hold sees why
        if was_open and self._pid == os.getpid():  # the connections belong to the process that opened them
            if self._consumers is not None:
                self._consumers.close()
            self._hints.close()
            self._connections.close()

    def consumers(self) -> Consumers:
        from evstore.adapters.postgres.consumers import PostgresConsumers

        self._check_open()
        if self._consumers is None:
            self._consumers = PostgresConsumers(self._access())
        return self._consumers

    def joined(self, connection: Any) -> AbstractContextManager[Joined]:
        from evstore.adapters.postgres.joining import Joining

        self._check_open()
        if self._joining is None:
            self._joining = Joining(self._access())
        return self._joining.joined(connection)

    def snapshots(self) -> Snapshots:
        from evstore.adapters.postgres.snapshots import PostgresSnapshots

        return PostgresSnapshots(self._access())

    def migrations(self) -> Migrations:
        from evstore.adapters.postgres.migrating import PostgresMigrations

        self._check_open()
        self._admitted = False  # what is applied may raise what the store asks of its readers and writers
        return PostgresMigrations(self._access(), self._asked, self._check_procedures)

    def _access(self) -> Access:
        from evstore.adapters.postgres.access import Access

        return Access(
            location=self._location,
            connections=self._connections,
            timeout=self._timeout,
            rows=self._rows,
            tried=self._tried,
            admit_writer=lambda: self._admit(to_write=True),
            explained=self._explained,
            again=self._again,
            hint=self._hints.send,
        )

    @property
    def moves(self) -> int:
        return self._connections.made + self._moves

    def _note_server(self, found: tuple[Any, ...] | None) -> None:
        """Note the server that a pooler has led to, by the time at which it was started."""
        started = found and found[0]
        if self._started not in (None, started):
            self._moves += 1
        self._started = started

    def lags(self) -> bool:
        return bool(self._tried(is_standby))

    @property
    def on_wait(self) -> Callable[[LockWait], None] | None:
        return self._connections.patience.on_wait

    @on_wait.setter
    def on_wait(self, on_wait: Callable[[LockWait], None] | None) -> None:
        self._connections.patience.on_wait = on_wait

    def _admission(self, connection: Connection) -> tuple[int, int, int] | None:
        """The store's schema number, the oldest reader and the oldest writer it admits; None if it is no store."""
        given = {"schema": self._location.schema}
        try:
            with unharmed(connection):
                strange = connection.execute(sql.STRANGE_TABLES, given).fetchall()
                if any(name == "store" for name, _ in strange):
                    return None
                check_tables(self._location.shown, strange)
                rows = connection.execute(sql.in_schema(sql.ADMITS, self._location.schema)).fetchall()
        except psycopg.Error as error:
            if meaning(error) != Meaning.SCHEMA:
                raise
            return None
        if len(rows) != 1 or rows[0][0] != APPLICATION:
            return None
        self._appends_to = rows[0][5] or self._location.schema
        # A pooler reports a number of its own. Through it, only a transaction stays on one server. Otherwise
        # a page could come from one server, and the answer about its durability from a server that lost it.
        if rows[0][4] != connection.info.backend_pid and not self._begins:
            with connection.transaction():  # a pooler that accepts no transactions reports that here
                self._begins = True
        return rows[0][1], rows[0][2], rows[0][3]

    def _usable(self, connection: Connection) -> tuple[int, int, int] | None:
        """The same. Raises if this evstore may not use the store, or would have to migrate it first."""
        found = self._admission(connection)
        if found is not None:
            self._check_admits(found)
            check_current(self._location.shown, found[0], SCHEMA_NUMBER)
        return found

    def _admit(self, *, to_write: bool = False) -> None:
        """Raise unless this evstore may use the store; asked once."""
        self._check_open()
        if not self._admitted:
            self._oldest = self._tried(self._asked)
            self._admitted = True
        self._check_admits(self._oldest, to_write=to_write)
        if to_write:
            self._check_procedures()

    def _check_admits(self, found: tuple[int, int, int], *, to_write: bool = False) -> None:
        check_admits(self._location.shown, found, SCHEMA_NUMBER, to_write=to_write, oldest=OLDEST_SCHEMA)

    def _check_procedures(self) -> None:
        """Raise if the schema was renamed: its procedures and functions would go to another store."""
        if self._appends_to != self._location.schema:
            raise renamed(self._location, self._appends_to)

    def _asked(self, connection: Connection) -> tuple[int, int, int]:
        from evstore.adapters.postgres.making import is_made

        found = self._admission(connection)
        if found is not None:
            return found
        if is_made(connection, self._location, self._admission):
            raise NotAStoreError(self._location.shown, "evstore did not make it")
        raise NotInitializedError(self._location.shown)

    def _check_open(self) -> None:
        check_open(self._closed, self._pid)

    def _again(self) -> None:
        """Prepare another try after a lost connection. Events and streams of one server may be missing on the
        server that took its place."""
        self._check_open()
        self._flushed = [0]
        self._counted = Counted()
        self._counted_tags = Counted()
        self._connections.renew()

    def _tried(self, ask: Callable[[Connection], Any]) -> Any:
        """Run a question that may be asked twice; ask again, a bounded number of times, after a lost connection or
        a conflict. A first connection that cannot be made is reported at once."""
        waits = pauses(self._location, self._timeout)
        lost = self._admitted and self._location.has_several_hosts
        while True:
            try:
                with self._connections.connection() as connection:
                    if not self._begins:
                        return ask(connection)
                    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                    with connection.transaction():
                        given = {"wait_ms": milliseconds(self._timeout)}
                        self._note_server(connection.execute(sql.SETTLE_TRANSACTION, given).fetchone())
                        return ask(connection)
            except psycopg.errors.FeatureNotSupported as error:  # a role's serializable default, on a standby
                if self._begins:
                    raise translated(error, self._location, self._timeout) from error
                self._begins = True
                continue
            except UnavailableError as error:  # with a cause if there is no connection
                pause = next(waits, None) if lost and error.__cause__ is not None else None
                if pause is None:
                    raise
            except psycopg.Error as error:
                self._check_open()
                again = meaning(error) in (Meaning.NOT_WRITTEN, Meaning.UNKNOWN)
                pause = next(waits, None) if again else None
                if pause is None:
                    raise self._explained(error) from error
                lost = True
            sleep(pause)
            self._again()

    def _explained(self, error: psycopg.Error) -> EvstoreError:
        """The error that a failure means. If a part of the schema is missing, the location is examined."""
        failed = translated(error, self._location, self._timeout)
        try:
            # A standby answers so to a role that is serializable by default.
            if isinstance(error, psycopg.errors.FeatureNotSupported) and self._tried(is_standby):
                return not_the_primary(self._location)
            if meaning(error) != Meaning.SCHEMA:
                return failed
            with self._connections.connection() as connection:
                found_now = self._asked(connection)
            # A migration may have been finished since this evstore was admitted.
            self._check_admits(found_now, to_write=True)
        except EvstoreError as found:
            return found
        except psycopg.Error:
            return failed
        return CorruptStoreError(
            f"the event store at {self._location.shown} is damaged: {error.diag.message_primary}"
        )

    def _rows(
        self, question: Question, position: int = LAST_COLUMN, fetch: Callable[..., list[Any]] = reading.fetched
    ) -> list[tuple[Any, ...]]:
        """The rows, once all events they rest on are durable. Column `position` of a row holds the highest global
        position it rests on."""
        self._admit()
        if not reading.is_askable(question):
            return []
        statement = sql.in_schema(question.statement, self._location.schema)
        flushed = self._flushed

        def ask(connection: Connection) -> tuple[list[tuple[Any, ...]], int]:
            rows = fetch(connection, statement, question.given)
            seen = max((row[position] or 0 for row in rows), default=0)
            if seen > self._flushed[0]:
                wait_for_flush(connection, self._location, seen, self._timeout)
            return rows, seen

        found: list[tuple[Any, ...]]
        found, seen = self._tried(ask)
        flushed[0] = max(flushed[0], seen)  # not before: what flushes is the end of the transaction
        return found
