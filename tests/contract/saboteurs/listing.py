"""Adapters that list streams, tags and sources wrongly."""

from __future__ import annotations

import re

from evstore.testing.asking import ALL_NAMES
from tests.contract.saboteurs.planting import Saboteur


class CountsATagOnceAStream(Saboteur):
    clause = "L1"

    def tags(self, page):
        return [each._replace(events=1) for each in super().tags(page)]


class ListsSourcesAsTheyCame(Saboteur):
    clause = "L1"

    def sources(self, page):
        names = [each for each in self._sources._taken if each.startswith(page.prefix)]
        return [self._sources.last(n) for n in names if page.after is None or n > page.after][: page.limit]


class _Lists(Saboteur):
    """Lists streams in another order."""

    def streams(self, page, category):
        after = None if page.after is None else self._key(page.after)
        found = super().streams(ALL_NAMES._replace(prefix=page.prefix), category)
        found.sort(key=lambda info: self._key(info.stream_id))
        return [info for info in found if after is None or self._key(info.stream_id) > after][: page.limit]


class ListsWithoutRegardToCase(_Lists):
    clause = "L1"

    def _key(self, name):
        return name.casefold()


class ListsInTheOrderOfUtf16(_Lists):
    clause = "L1"

    def _key(self, name):
        return name.encode("utf-16-be")


class TakesPrefixesForPatterns(Saboteur):
    clause = "L1"

    def types(self, page, category):
        pattern = re.compile(re.escape(page.prefix).replace("%", ".*").replace("_", "."))
        found = super().types(ALL_NAMES._replace(after=page.after), category)
        return [info for info in found if pattern.match(info.type)][: page.limit]


class DatesStreamsByTheirTimes(Saboteur):
    """An imported event may be older than the one before it."""

    clause = "L1"

    def streams(self, page, category):
        return [self._dated(info) for info in super().streams(page, category)]

    def _dated(self, info):
        times = [event.timestamp_us for event in self._streams[info.stream_id]]
        return info._replace(created_us=min(times), updated_us=max(times))
