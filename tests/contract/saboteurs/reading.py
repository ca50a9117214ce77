"""Adapters that read too much, too little or in the wrong order."""

from __future__ import annotations

import time
from itertools import count
from typing import ClassVar

from evstore.errors import (
    StreamNotFoundError,
)
from evstore.model.filters import Filter
from evstore.port import Page
from evstore.testing.asking import ANYTHING, WHOLE, expected_page
from tests.contract.saboteurs.planting import Saboteur


class IncludesTheCursor(Saboteur):
    clause = "R1"

    def read_all(self, page, where):
        if page.after is not None:
            page = page._replace(after=page.after + (1 if page.backward else -1))
        return super().read_all(page, where)


class IgnoresBoundsBackward(Saboteur):
    clause = "R1"

    def read_stream(self, stream_id, page, where):
        if page.backward:
            page = Page(page.limit, page.after, backward=True)
        return super().read_stream(stream_id, page, where)


class ReturnsPagesOneShort(Saboteur):
    clause = "R2"

    def read_all(self, page, where):
        return super().read_all(page._replace(limit=max(1, page.limit - 1)), where)


class LimitsBeforeItFilters(Saboteur):
    clause = "R2"

    def read_all(self, page, where):
        return [event for event in super().read_all(page, ANYTHING) if where.matches(event)]


class ShowsLatePositionsFirst(Saboteur):
    """Every other append is slow to commit, and later ones do not wait for it."""

    clause = "R3"

    def __init__(self):
        super().__init__()
        self._numbers = count()
        self._uncommitted = set()

    def append(self, units, *, until_refused=False):
        with self._changed:
            outcomes = super().append(units, until_refused=until_refused)
            mine = {e.id for unit in units for e in self.get([*unit.ids()])}
            self._uncommitted |= mine
        if next(self._numbers) % 2:
            time.sleep(0.005)
        self._uncommitted -= mine
        return outcomes

    def read_all(self, page, where):
        with self._changed:
            found = super().read_all(WHOLE, where)
        committed = [event for event in found if event.id not in self._uncommitted]
        return expected_page(committed, page, where, lambda event: event.global_position)


class SleepsThroughAppends(Saboteur):
    clause = "R3"

    def head(self, beyond, timeout):
        found = super().head(beyond, 0)
        if found <= beyond:
            time.sleep(timeout)
        return super().head(beyond, 0)


class MissesMissingStreams(Saboteur):
    clause = "R4"

    def read_stream(self, stream_id, page, where):
        if stream_id not in self._streams:
            raise StreamNotFoundError(stream_id)
        return super().read_stream(stream_id, page, where)


class Reads(Saboteur):
    """Reads the log by another meaning of the filter."""

    Meaning: ClassVar[type[Filter]]

    def read_all(self, page, where):
        return super().read_all(page, self.Meaning(*where))


class TakesCategoriesForPrefixes(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(categories=None).matches(event)
            return rest and (self.categories is None or event.stream_id.startswith(self.categories))


class IgnoresTheCaseOfCategories(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(categories=None).matches(event)
            wanted = None if self.categories is None else {name.lower() for name in self.categories}
            return rest and (wanted is None or event.category.lower() in wanted)


class TrimsCorrelationIds(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(correlation_id=None).matches(event)
            found, wanted = event.metadata.correlation_id, self.correlation_id
            return rest and (wanted is None or (found or "").strip() == wanted)


class TakesAnyPairOfCustomMetadata(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(custom=None).matches(event)
            return rest and (self.custom is None or any(p in event.metadata.custom.items() for p in self.custom))


class CountsWithoutTheFilter(Saboteur):
    clause = "R5"

    def count(self, low, high, _where):
        return super().count(low, high, ANYTHING)


class IncludesUntil(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            until_us = None if self.until_us is None else self.until_us + 1
            return Filter(*self)._replace(until_us=until_us).matches(event)


class SpansOneTooFew(Saboteur):
    clause = "R5"

    def span(self, since_us, until_us):
        found = super().span(since_us, until_us)
        return found and (found[0], max(found[0], found[1] - 1))


class SpansByTime(Saboteur):
    """Takes the first and last by time for the first and last by position."""

    clause = "R5"

    def span(self, since_us, until_us):
        found = super().read_all(WHOLE, Filter(since_us=since_us, until_us=until_us))
        found.sort(key=lambda event: event.timestamp_us)
        return (found[0].global_position, found[-1].global_position) if found else None


class ReadsAQueryWithoutItsTypes(Reads):
    clause = "R5"

    class Meaning(Filter):
        def matches(self, event):
            rest = Filter(*self)._replace(query=None).matches(event)
            items = self.query.items if self.query else ()
            return rest and (not items or any(item._replace(types=()).matches(event) for item in items))
