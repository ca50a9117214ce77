"""The PostgreSQL adapter: a server with many clients.

The promises rest on `schema.sql`: an append is one call of a procedure, which judges, inserts and commits under
one lock, lets the next writer go on, and waits until it is durable. A reader waits for that before it returns.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

from evstore.adapters.paging import event_of
from evstore.adapters.postgres import reading
from evstore.adapters.postgres import statements as sql
from evstore.adapters.postgres.errors import hides_rows
from evstore.adapters.postgres.reading import BEFORE, NUMBER, POSITION, WIDTH
from evstore.adapters.postgres.session import Session
from evstore.adapters.postgres.waiting import LONGEST_PAUSE, SHORTEST_PAUSE
from evstore.adapters.sql import ON_DISK, not_tamper_evident
from evstore.adapters.wholeness import (
    CATEGORY_PARTS,
    STREAM_PARTS,
    TAG_PARTS,
    TYPE_PARTS,
    check_agreed,
    check_category,
    check_count,
    check_listed,
    check_log,
    check_named,
    check_stream,
    is_whole_list,
    names_wanted,
    numbered,
)
from evstore.errors import DeniedError
from evstore.model.facts import CategoryInfo, SourceInfo, StoreInfo, StreamInfo, TagInfo, TypeInfo
from evstore.model.filters import Filter
from evstore.port import PLAIN, Capabilities, Cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import Connection

    from evstore.adapters.postgres.reading import Question
    from evstore.model.events import StoredEvent
    from evstore.model.raw import RawPage
    from evstore.port import Append, Audits, Initialization, NamePage, Outcome, Page

CAPABILITIES: Final = Capabilities(
    name="PostgreSQL",
    durable=True,
    how_durable=ON_DISK,
    multi_process=True,
    has_audits=True,
    has_consumers=True,
    steps_append=True,
    has_transactions=True,
    has_snapshots=True,
    has_migrations=True,
    can_join=True,
    tamper_evident=True,
    can_redact=True,
    can_grant=True,
    native_asyncio=True,
    reads_raw=True,
    fails_over=True,
)


class PostgresAdapter(Session):
    capabilities = CAPABILITIES
    files: Sequence[str] = ()
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"PostgresAdapter({self._location.shown})"

    def initialize(self, wanted: Initialization = PLAIN) -> None:
        from evstore.adapters.postgres.making import initialize

        self._check_open()
        self._tried(lambda connection: initialize(connection, self._location, self._usable, wanted))
        self._admit()
        if wanted.tamper_evident and not self.info().tamper_evident:
            raise not_tamper_evident(self.location)

    # --- writing ---

    def append(self, units: Sequence[Append], *, until_refused: bool = False) -> list[Outcome]:
        self._admit(to_write=True)
        outcomes = self._calls.append(units, until_refused)
        self._hints.send()
        return outcomes

    def redact(self, ids: Sequence[str], unit: Append, *, metadata: bool) -> Outcome:
        self._admit(to_write=True)
        outcome = self._calls.redact(ids, unit, metadata=metadata)
        self._hints.send()
        return outcome

    # --- reading ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        question = reading.of_stream(stream_id, page, where)
        found = self._events(self._rows(question, POSITION, reading.paged))
        if not found:  # in a store whose tables agree, that the stream is not found means that it is not there
            self._check_names(where, stream_id)
            found = self._events(self._rows(question, POSITION, reading.paged))
        check_stream(found, page, where, self.location)
        return found

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        if reading.asks_query(where):
            return self._matches(page, where)
        wanted = names_wanted(where)
        if wanted > 1:
            self._check_names(where)
        found = self._log(page, where)
        if wanted == 1 and not found:
            self._check_names(where)
            found = self._log(page, where)
        return found

    def read_raw(self, page: Page) -> RawPage | None:
        from evstore.adapters.postgres.raw import RawPages

        if self._raw is None:
            self._raw = RawPages(self._rows, self._location.schema, lambda: self.moves)
        return self._raw.read(page)

    def _matches(self, page: Page, where: Filter) -> list[StoredEvent]:
        """A page of what a query matches. Other filters may leave nothing of what one statement finds."""
        self._check_names(where)
        self._check_procedures()
        found: list[StoredEvent] = []
        while True:
            rows = self._rows(reading.of_matches(page, where), POSITION, reading.paged)
            found += self._events([row[:-1] for row in rows if row[-1]])
            is_cut = isinstance(rows, Cut)
            if len(found) >= page.limit or (not is_cut and len(rows) < page.limit):
                return found[: page.limit]
            if is_cut and found:
                return Cut(found)
            page = page._replace(after=rows[-1][POSITION])

    def _log(self, page: Page, where: Filter) -> list[StoredEvent]:
        question = reading.of_log(page, where)
        rows = self._rows(question, POSITION, self._named if question.has_keys else reading.paged)
        found = self._events(rows)
        check_log(found, page, where, self.location)
        given = numbered(found, page, where)
        if given is not None:
            oldest, newest = (rows[-1], rows[0]) if page.backward else (rows[0], rows[-1])
            check_category(found, (oldest[BEFORE], newest[NUMBER]), given, self.location)
        return found

    def _named(self, connection: Connection, statement: bytes, given: dict[str, Any]) -> list[Any]:
        """The rows of a page of events that has keys, with names in their place."""
        return self._names.put_into(reading.paged(connection, statement, given), connection, self.moves)

    def _check_names(self, where: Filter, stream_id: str | None = None) -> None:
        """Raise IncompleteLogError if a name is not found in a store whose tables disagree."""
        self._check_tables(
            reading.of_names(where, stream_id), of_streams=stream_id is not None, of_tags=reading.asks_query(where)
        )

    def _check_list(self, found: Sequence[Any], page: NamePage, *, of_streams: bool = False) -> None:
        """Raise IncompleteLogError if a list of all names ends in a store that lost one."""
        if is_whole_list(found, page):
            self._check_tables(reading.of_names(Filter(), every=True), of_streams=of_streams)

    def _check_tables(self, question: Question, *, of_streams: bool, of_tags: bool = False) -> None:
        # Another server, which another try may meet, has other streams.
        counts = [(sql.COUNT_STREAMS, self._counted)] if of_streams else []
        counts += [(sql.COUNT_TAGS, self._counted_tags)] if of_tags else []
        for missing, head, _ in self._rows(question):
            check_agreed(self.location, head, missing)
            for statement, counted in counts if missing is None else ():
                count = reading.Question(statement, {"whole": counted.whole})
                ((missed, last_key, head_then, _),) = self._rows(count)
                counted.check(self.location, head_then, missed, last_key)

    def count(self, low: int, high: int, where: Filter) -> int:
        if names_wanted(where) or reading.asks_query(where):
            self._check_names(where)
        if reading.asks_query(where):
            self._check_procedures()
        found = self._rows(reading.of_count(low, high, where))
        if not found:  # the server cannot be asked for what it cannot hold
            return 0
        ((events, first, last),) = found
        check_count(events, first, last, where, self.location)
        return int(events)

    def digest(self, low: int, high: int) -> bytes:
        return reading.digest_of(self._rows(reading.of_digest(low, high)), low, self.location)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        return self._events(self._rows(reading.Question(sql.GET_EVENTS, {"ids": [*ids]}), POSITION))

    def _events(self, rows: list[tuple[Any, ...]]) -> list[StoredEvent]:
        check_named(rows, self.location)
        events = [event_of(row[:WIDTH]) for row in rows]
        return Cut(events) if isinstance(rows, Cut) else events

    def stream(self, stream_id: str) -> StreamInfo | None:
        question = reading.Question(sql.FIND_STREAM, {"stream_id": stream_id})
        rows = self._rows(question)
        if not rows:
            self._check_names(Filter(), stream_id)
            rows = self._rows(question)
        return StreamInfo(*self._listed(rows, STREAM_PARTS)[0]) if rows else None

    def streams(self, page: NamePage, category: str | None) -> list[StreamInfo]:
        found = self._listed(self._rows(reading.of_streams(page, category)), STREAM_PARTS)
        if category is None:
            self._check_list(found, page, of_streams=True)
        elif not found:
            self._check_names(Filter(categories=(category,)))
        return [StreamInfo(*row) for row in found]

    def categories(self, page: NamePage) -> list[CategoryInfo]:
        found = self._listed(self._rows(reading.of_categories(page)), CATEGORY_PARTS)
        self._check_list(found, page)
        return [CategoryInfo(*row) for row in found]

    def types(self, page: NamePage, category: str | None) -> list[TypeInfo]:
        found = self._listed(self._rows(reading.of_types(page, category)), TYPE_PARTS)
        if category is None:
            self._check_list(found, page)
        elif not found:
            self._check_names(Filter(categories=(category,)))
        return [TypeInfo(*row) for row in found]

    def tags(self, page: NamePage) -> list[TagInfo]:
        found = self._listed(self._rows(reading.of_tags(page)), TAG_PARTS)
        self._check_list(found, page)
        return [TagInfo(*row) for row in found]

    def sources(self, page: NamePage) -> list[SourceInfo]:
        return [SourceInfo(*row[:-1]) for row in self._rows(reading.of_sources(page))]

    def _listed(self, rows: list[tuple[Any, ...]], parts: Mapping[int, str]) -> list[tuple[Any, ...]]:
        """The rows of a list without the position they rest on. Raises IncompleteLogError if a part is missing."""
        for row in rows:
            check_listed(row, parts, self.location)
        return [row[:-1] for row in rows]

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        rows = self._rows(reading.of_span(since_us, until_us))
        return next(((first, last) for first, last, _ in rows if first is not None), None)

    def head(self, beyond: int, timeout: float) -> int:
        deadline, pause = time.monotonic() + timeout, SHORTEST_PAUSE
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

        question = reading.Question(sql.INFO, {"schema": self._location.schema})
        try:
            rows = self._rows(question)
        except DeniedError as error:
            if not hides_rows(error.__cause__):
                raise
            statement = sql.in_schema(question.statement, self._location.schema)
            rows = self._tried(lambda connection: reading.filtered(connection, statement, question.given))
            if not rows:
                raise
        return info(self._location.shown, rows[0])

    # --- keeping ---

    def audits(self) -> Audits:
        from evstore.adapters.postgres.audit import PostgresAudits

        def tried(ask: Callable[[Connection], Any]) -> Any:
            self._admit()
            return self._tried(ask)

        return PostgresAudits(tried, self._location.schema, lambda: self._appends_to)

    def backup(self, path: str, _force: bool) -> NoReturn:
        from evstore.adapters.postgres.tools import no_backup

        raise no_backup(self._location, path)
