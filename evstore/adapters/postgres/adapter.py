"""The PostgreSQL adapter: a server, shared by many.

What keeps the promises is in `schema.sql`: an append is one call of a procedure there, which judges, inserts and
commits under one lock, lets the next writer go on, and then waits for the disk. So a reader can see events that
are not durable yet, and everybody who shows events here waits until they are.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import psycopg

from evstore.adapters.living import check_open
from evstore.adapters.postgres import reading
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.connections import (
    is_standby,
    milliseconds,
    unharmed,
)
from evstore.adapters.postgres.errors import Meaning, meaning, not_the_primary, translated
from evstore.adapters.postgres.events import EventReads
from evstore.adapters.postgres.flushing import wait_for_flush
from evstore.adapters.postgres.waiting import LONGEST_PAUSE, SHORTEST_PAUSE, Hints
from evstore.adapters.postgres.writing import PAUSES, Calls
from evstore.adapters.sql import ON_DISK, check_admits
from evstore.errors import (
    CorruptStoreError,
    EvstoreError,
    NotAStoreError,
    NotInitializedError,
    UnavailableError,
)
from evstore.model.facts import CategoryInfo, StoreInfo, StreamInfo, TypeInfo
from evstore.model.filters import Filter
from evstore.port import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Place
    from evstore.adapters.postgres.reading import Question
    from evstore.model.events import StoredEvent
    from evstore.port import Append, Audits, NamePage, Outcome, Page

SCHEMA_NUMBER: Final = 1
"""The number of the schema that this evstore makes, reads and writes."""
APPLICATION: Final = "EVST"
CAPABILITIES: Final = Capabilities(
    name="PostgreSQL", durable=True, how_durable=ON_DISK, multi_process=True, audits=True
)
LAST_COLUMN: Final = -1
"""Where other rows have the highest that they rest on."""


class PostgresAdapter:
    capabilities = CAPABILITIES

    def __init__(self, place: Place, connections: Connections, timeout: float) -> None:
        self.location = place.shown
        self._place = place
        self._connections = connections
        self._timeout = timeout
        self._hints = Hints(place, connections)
        self._calls = Calls(connections, place, timeout, self._explained, self._again)
        self._reads = EventReads(self._rows, place.shown)
        self._flushed = [0]
        """The highest global position known to be durable. Another list for another server: what a thread has
        learned of the one before is not said of it."""
        self._admitted = False
        self._begins = False
        """Whether a read begins a transaction: the role's isolation cannot be had, or a pooler stands between."""
        self._closed = False
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"PostgresAdapter({self._place.shown})"

    # --- living ---

    def initialize(self) -> None:
        from evstore.adapters.postgres.making import initialize

        self._check_open()
        self._tried(lambda connection: initialize(connection, self._place, self._admission))
        self._admit()

    def _admission(self, connection: Connection) -> tuple[int, int, int] | None:
        """The store's schema number, the oldest reader and the oldest writer it admits; None if it is no store."""
        try:
            with unharmed(connection):
                rows = connection.execute(sql.in_schema(sql.ADMITS, self._place.schema)).fetchall()
        except psycopg.Error as error:
            if meaning(error) != Meaning.SCHEMA:
                raise
            return None
        if len(rows) != 1 or rows[0][0] != APPLICATION:
            return None
        # A pooler tells a number of its own. Behind it only a transaction keeps to one server, so that what a page
        # shows, and whether that is on disk, is not asked of one that crashed and one that came back without it.
        if rows[0][4] != connection.info.backend_pid and not self._begins:
            with connection.transaction():  # a pooler that takes no transactions says so
                self._begins = True
        return rows[0][1], rows[0][2], rows[0][3]

    def _admit(self, *, to_write: bool = False) -> None:
        """Raise unless this evstore may use the store; asked once."""
        self._check_open()
        if not self._admitted:
            self._oldest = self._tried(self._asked)
            self._admitted = True
        check_admits(self._place.shown, self._oldest, SCHEMA_NUMBER, to_write=to_write)

    def _asked(self, connection: Connection) -> tuple[int, int, int]:
        from evstore.adapters.postgres.making import is_made

        found = self._admission(connection)
        if found is not None:
            return found
        if is_made(connection, self._place, self._admission):
            raise NotAStoreError(self._place.shown, "what made it was no evstore")
        raise NotInitializedError(self._place.shown)

    def close(self) -> None:
        if not self._closed and self._pid == os.getpid():  # the connections belong to who opened them
            self._hints.close()
            self._connections.close()
        self._closed = True

    def _check_open(self) -> None:
        check_open(self._closed, self._pid)

    # --- asking ---

    def _again(self) -> None:
        """Before what a lost connection broke off is tried again. What was durable on a server may be missing on
        the one that took its place."""
        self._check_open()
        self._flushed = [0]
        self._connections.renew()

    def _tried(self, ask: Callable[[Connection], Any]) -> Any:
        """Do what may be done twice, again after a lost connection or a conflict, a bounded number of times. Where
        there was a connection there will be another; a first one that cannot be made is told at once."""
        pauses = iter(PAUSES)
        lost = False
        while True:
            try:
                with self._connections.connection() as connection:
                    if not self._begins:
                        return ask(connection)
                    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                    with connection.transaction():
                        connection.execute(sql.LIMIT_WAITS, {"wait_ms": milliseconds(self._timeout)})
                        return ask(connection)
            except psycopg.errors.FeatureNotSupported as error:  # a role's serializable default, on a standby
                if self._begins:
                    raise translated(error, self._place, self._timeout) from error
                self._begins = True
                continue
            except UnavailableError:
                pause = next(pauses, None) if lost else None
                if pause is None:
                    raise
            except psycopg.Error as error:
                self._check_open()
                again = meaning(error) in (Meaning.NOT_WRITTEN, Meaning.UNKNOWN)
                pause = next(pauses, None) if again else None
                if pause is None:
                    raise self._explained(error) from error
                lost = True
            time.sleep(pause)
            self._again()

    def _explained(self, error: psycopg.Error) -> EvstoreError:
        """What a failure means. Where something of the schema is missing, look what is there."""
        failed = translated(error, self._place, self._timeout)
        try:
            # So a standby says to a role that is serializable by default, before anything else.
            if isinstance(error, psycopg.errors.FeatureNotSupported) and self._tried(is_standby):
                return not_the_primary(self._place)
            if meaning(error) != Meaning.SCHEMA:
                return failed
            with self._connections.connection() as connection:
                self._asked(connection)
        except EvstoreError as found:
            return found
        except psycopg.Error:
            return failed
        return CorruptStoreError(
            f"the event store at {self._place.shown} is damaged: {error.diag.message_primary}"
        )

    def _rows(
        self, question: Question, position: int = LAST_COLUMN, fetch: Callable[..., list[Any]] = reading.fetched
    ) -> list[tuple[Any, ...]]:
        """The answer, once all that it rests on is durable: the highest global position that each row tells at
        `position`, or rests on, stands there."""
        self._admit()
        if not reading.is_askable(question):
            return []
        statement = sql.in_schema(question.statement, self._place.schema)
        flushed = self._flushed

        def ask(connection: Connection) -> tuple[list[tuple[Any, ...]], int]:
            rows = fetch(connection, statement, question.given)
            seen = max((row[position] or 0 for row in rows), default=0)
            if seen > self._flushed[0]:
                wait_for_flush(connection, self._place.schema)
            return rows, seen

        found: list[tuple[Any, ...]]
        found, seen = self._tried(ask)
        flushed[0] = max(flushed[0], seen)  # not before: what flushes is the end of the transaction
        return found

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        self._admit(to_write=True)
        outcomes = self._calls.append(units, until_refused)
        self._hints.send()
        return outcomes

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        return self._reads.stream(stream_id, page, where)

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        return self._reads.log(page, where)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        return self._reads.by_ids(ids)

    def stream(self, stream_id: str) -> StreamInfo | None:
        question = reading.Question(sql.FIND_STREAM, {"stream_id": stream_id})
        rows = self._rows(question)
        if not rows:
            self._reads.check_names(Filter(), stream_id)
            rows = self._rows(question)
        return StreamInfo(*rows[0][:-1]) if rows else None

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        return [StreamInfo(*row[:-1]) for row in self._rows(reading.of_streams(page, category))]

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        return [CategoryInfo(*row[:-1]) for row in self._rows(reading.of_categories(page))]

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        return [TypeInfo(*row[:-1]) for row in self._rows(reading.of_types(page, category)) if row[1]]

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        rows = self._rows(reading.of_span(since_us, until_us))
        return next(((first, last) for first, last, _ in rows if first is not None), None)

    def head(self, beyond: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        pause = SHORTEST_PAUSE
        try:
            while True:
                head = self._reads.head()
                left = deadline - time.monotonic()
                if head > beyond or left <= 0:
                    return head
                self._hints.wait(min(pause, left))
                self._check_open()
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            self._hints.rest()

    def info(self) -> StoreInfo:
        from evstore.adapters.postgres.info import info

        (facts,) = self._rows(reading.Question(sql.INFO, {"schema": self._place.schema}))
        return info(self._place.shown, facts)

    # --- keeping ---

    def audits(self) -> Audits:
        from evstore.adapters.postgres.audit import PostgresAudits

        return PostgresAudits(self._tried, self._place.schema)

    def backup(self, path: str, _force: bool) -> NoReturn:
        """It is the server's own tools that do it, so only to say so."""
        from evstore.adapters.postgres.tools import no_backup

        raise no_backup(self._place, path)
