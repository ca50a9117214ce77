"""Audits made of plain reads, for adapters that do not claim `has_audits`.

A fact that such reads do not show is not checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from evstore.errors import UnsupportedError
from evstore.model.conditions import Query
from evstore.model.digests import content_hash_of
from evstore.model.filters import Filter
from evstore.model.findings import AuditedEvent, AuditedName
from evstore.port import MOST_IN_PAGE, NamePage, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.model.events import StoredEvent
    from evstore.model.findings import Finding, What
    from evstore.port import Adapter, Audited, Audits

_ALL: Final = Filter()


def audits_of(adapter: Adapter) -> Audits:
    """The adapter's own audits, or audits made of its reads."""
    return cast("Audited", adapter).audits() if adapter.capabilities.has_audits else PlainAudits(adapter)


class PlainAudits:
    """`port.Audits` over the port."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        events = self._adapter.read_all(Page(limit, low=low, high=high), _ALL)
        by_id = {event.id: event.global_position for event in self._adapter.get([event.id for event in events])}
        by_version = self._by_version(events)
        return [
            AuditedEvent(
                **event._asdict(),
                category=event.category,
                stream_category=event.category,
                found_by_id=by_id.get(event.id),
                found_by_version=by_version.get((event.stream_id, event.version)),
                predecessor=by_version.get((event.stream_id, event.version - 1)),
                # Reads do not show which content it had.
                content_hash=content_hash_of(event) if event.redacted else None,
            )
            for event in events
        ]

    def _by_version(self, events: Sequence[StoredEvent]) -> dict[tuple[str, int], int]:
        """The positions of these events and of their predecessors, as their streams show them."""
        found = {}
        for stream_id in {event.stream_id for event in events}:
            versions = [event.version for event in events if event.stream_id == stream_id]
            low, high = min(versions) - 1, max(versions)
            for each in self._adapter.read_stream(stream_id, Page(high - low + 1, low=low, high=high), _ALL):
                found[stream_id, each.version] = each.global_position
        return found

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        page = NamePage(limit, None if after is None else str(after))
        if what == "stream":
            streams = self._adapter.streams(page, None)
            return [
                AuditedName(s.stream_id, s.stream_id, s.stream_id, s.version > 0, s.category, 1, None, s.stream_id)
                for s in streams
            ]
        if what == "category":
            categories = self._adapter.categories(page)
            return [AuditedName(c.category, c.category, c.category, c.events > 0) for c in categories]
        if what == "tag":
            return [AuditedName(t.tag, t.tag, t.tag, t.events > 0) for t in self._adapter.tags(page)]
        return [AuditedName(t.type, t.type, t.type, t.events > 0) for t in self._adapter.types(page, None)]

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        found = {}
        for tag in tags:
            page = Page(high - low + 1, low=low, high=high)
            events = self._adapter.read_all(page, Filter(query=Query(tags=[tag])))
            found[tag] = [event.global_position for event in events]
        return found

    def count_tags(self, high: int) -> int:
        return sum(self._adapter.count(1, high, Filter(query=Query(tags=[tag]))) for tag in self._tags())

    def _tags(self) -> Iterator[str]:
        after = None
        while page := self._adapter.tags(NamePage(MOST_IN_PAGE, after)):
            yield from (info.tag for info in page)
            after = page[-1].tag

    def schema(self) -> list[Finding]:
        return []

    def engine(self) -> list[Finding]:
        raise UnsupportedError("this store has no engine of its own")

    def correlation_hash(self, _correlation_id: str) -> None:
        return None
