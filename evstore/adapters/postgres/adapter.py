"""The PostgreSQL adapter: a server with many clients.

The promises rest on `schema.sql`: an append is one call of a procedure, which judges, inserts and commits under
one lock, lets the next writer go on, and then waits for the disk. A reader can therefore see events that are not
durable yet, and waits for the disk before it returns them.
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
from evstore.adapters.postgres.flushing import wait_for_flush
from evstore.adapters.postgres.waiting import LONGEST_PAUSE, SHORTEST_PAUSE, Hints
from evstore.adapters.postgres.writing import PAUSES, Calls
from evstore.adapters.sql import ON_DISK, check_admits
from evstore.adapters.wholeness import check_agreed, check_category, check_log, check_named, check_stream, numbered
from evstore.errors import (
    CorruptStoreError,
    EvstoreError,
    NotAStoreError,
    NotInitializedError,
    UnavailableError,
)
from evstore.model.events import StoredEvent
from evstore.model.facts import CategoryInfo, StoreInfo, StreamInfo, TypeInfo
from evstore.model.filters import Filter
from evstore.port import Capabilities, Cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Place
    from evstore.adapters.postgres.reading import Question
    from evstore.port import Append, Audits, NamePage, Outcome, Page

SCHEMA_NUMBER: Final = 1
"""The number of the schema that this evstore makes, reads and writes."""
APPLICATION: Final = "EVST"
CAPABILITIES: Final = Capabilities(
    name="PostgreSQL", durable=True, how_durable=ON_DISK, multi_process=True, audits=True
)
POSITION: Final = StoredEvent._fields.index("global_position")
"""The index of the global position in a row of an event."""
LAST_COLUMN: Final = -1
"""The index of the highest position in any other row."""


class PostgresAdapter:
    capabilities = CAPABILITIES
    files: Sequence[str] = ()

    def __init__(self, place: Place, connections: Connections, timeout: float) -> None:
        self.location = place.shown
        self._place = place
        self._connections = connections
        self._timeout = timeout
        self._hints = Hints(place, connections)
        self._calls = Calls(connections, place, timeout, self._explained, self._again)
        self._flushed = [0]
        """The highest global position known to be durable. Another server gets another list: the knowledge of a
        thread about the former server does not apply to it."""
        self._admitted = False
        self._begins = False
        """True if a read begins a transaction: the role's isolation is unusable, or a pooler stands between."""
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
        # A pooler reports a number of its own. Through it, only a transaction stays on one server. Otherwise
        # a page could come from one server, and the answer about its durability from a server that lost it.
        if rows[0][4] != connection.info.backend_pid and not self._begins:
            with connection.transaction():  # a pooler that accepts no transactions reports that here
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
            raise NotAStoreError(self._place.shown, "evstore did not make it")
        raise NotInitializedError(self._place.shown)

    def close(self) -> None:
        if not self._closed and self._pid == os.getpid():  # the connections belong to the process that opened them
            self._hints.close()
            self._connections.close()
        self._closed = True

    def _check_open(self) -> None:
        check_open(self._closed, self._pid)

    # --- asking ---

    def _again(self) -> None:
        """Prepare another try after a lost connection. Events durable on one server may be missing on the server
        that took its place."""
        self._check_open()
        self._flushed = [0]
        self._connections.renew()

    def _tried(self, ask: Callable[[Connection], Any]) -> Any:
        """Run a question that may be asked twice; ask again, a bounded number of times, after a lost connection or
        a conflict. A first connection that cannot be made is reported at once."""
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
        """The error that a failure means. If a part of the schema is missing, the location is examined."""
        failed = translated(error, self._place, self._timeout)
        try:
            # A standby answers so to a role that is serializable by default.
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
        """The rows, once all events they rest on are durable. Column `position` of a row holds the highest global
        position it rests on."""
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
        question = reading.of_stream(stream_id, page, where)
        found = self._events(question)
        if not found:  # in a store whose tables agree, that the stream is not found means that it is not there
            self._check_names(where, stream_id)
            found = self._events(question)
        check_stream(found, page, where, self.location)
        return found

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        if where.categories is not None or where.types is not None:
            self._check_names(where)
        found = self._events(reading.of_log(page, where))
        check_log(found, page, where, self.location)
        given = numbered(found, page, where)
        if given is not None:
            ((*numbers, _),) = self._rows(reading.Question(sql.CATEGORY_NUMBERS, given))
            check_category(found, numbers, given, self.location)
        return found

    def _check_names(self, where: Filter, stream_id: str | None = None) -> None:
        """Raise IncompleteLogError if a name is not found in a store whose tables disagree."""
        for missing, head in self._rows(reading.of_names(where, stream_id)):
            check_agreed(self.location, head, missing)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        rows = self._rows(reading.Question(sql.GET_EVENTS, {"ids": [*ids]}), POSITION)
        return [*map(self._event, rows)]

    def _event(self, row: tuple[Any, ...]) -> StoredEvent:
        check_named(row, self.location)
        return StoredEvent._make(row)

    def _events(self, question: Question) -> list[StoredEvent]:
        rows = self._rows(question, POSITION, reading.paged)
        events = map(self._event, rows)
        return Cut(events) if isinstance(rows, Cut) else list(events)

    def stream(self, stream_id: str) -> StreamInfo | None:
        question = reading.Question(sql.FIND_STREAM, {"stream_id": stream_id})
        rows = self._rows(question)
        if not rows:
            self._check_names(Filter(), stream_id)
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
                ((missing, head),) = self._rows(reading.Question(sql.HEAD, {}))
                check_agreed(self.location, head, missing)
                left = deadline - time.monotonic()
                if head > beyond or left <= 0:
                    return int(head)
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
        """Raise UnsupportedError: the server's own tools make backups."""
        from evstore.adapters.postgres.tools import no_backup

        raise no_backup(self._place, path)
