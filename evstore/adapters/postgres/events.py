"""Reads of events, none of which leaves out an event: IncompleteLogError where a name or an event is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.postgres import reading
from evstore.adapters.postgres import statements as sql
from evstore.adapters.wholeness import check_agreed, check_category, check_log, check_named, check_stream, numbered
from evstore.model.events import StoredEvent
from evstore.port import Cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.adapters.postgres.reading import Question
    from evstore.model.filters import Filter
    from evstore.port import Page

POSITION: Final = StoredEvent._fields.index("global_position")
"""The column of a row of an event that holds its global position."""


class EventReads:
    """The reads of events of one store. `rows`: asks a question, and waits until the answer is durable."""

    def __init__(self, rows: Callable[..., list[tuple[Any, ...]]], place: str) -> None:
        self._rows = rows
        self._place = place

    def stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        question = reading.of_stream(stream_id, page, where)
        found = self._events(question)
        if not found:  # in a store whose tables agree, that the stream is not found means that it is not there
            self.check_names(where, stream_id)
            found = self._events(question)
        check_stream(found, page, where, self._place)
        return found

    def log(self, page: Page, where: Filter) -> list[StoredEvent]:
        if where.categories is not None or where.types is not None:
            self.check_names(where)
        found = self._events(reading.of_log(page, where))
        check_log(found, page, where, self._place)
        given = numbered(found, page, where)
        if given is not None:
            ((*numbers, _),) = self._rows(reading.Question(sql.CATEGORY_NUMBERS, given))
            check_category(found, numbers, given, self._place)
        return found

    def by_ids(self, ids: Sequence[str]) -> list[StoredEvent]:
        rows = self._rows(reading.Question(sql.GET_EVENTS, {"ids": [*ids]}), POSITION)
        return [*map(self._event, rows)]

    def check_names(self, where: Filter, stream_id: str | None = None) -> None:
        """Raise IncompleteLogError if a name is not found in a store whose tables disagree."""
        for missing, head in self._rows(reading.of_names(where, stream_id)):
            check_agreed(self._place, head, missing)

    def head(self) -> int:
        ((missing, head),) = self._rows(reading.Question(sql.HEAD, {}))
        check_agreed(self._place, head, missing)
        return int(head)

    def _events(self, question: Question) -> list[StoredEvent]:
        rows = self._rows(question, POSITION, reading.paged)
        events = map(self._event, rows)
        return Cut(events) if isinstance(rows, Cut) else list(events)

    def _event(self, row: tuple[Any, ...]) -> StoredEvent:
        check_named(row, self._place)
        return StoredEvent._make(row)
