"""Filters over the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evstore.model.conditions import Query
    from evstore.model.events import StoredEvent


class Filter(NamedTuple):
    """A filter over the log. None admits every event; fields are ANDed, the members of a field are ORed.

    But the members of `custom`, pairs of a key and its value, are ANDed.
    """

    categories: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    correlation_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    custom: tuple[tuple[str, str], ...] | None = None
    query: Query | None = None

    def matches(self, event: StoredEvent) -> bool:
        """True if the filter admits the event. Every adapter agrees with this method."""
        return (
            (self.categories is None or event.category in self.categories)
            and (self.types is None or event.type in self.types)
            and (self.correlation_id is None or event.metadata.correlation_id == self.correlation_id)
            and (self.since_us is None or event.timestamp_us >= self.since_us)
            and (self.until_us is None or event.timestamp_us < self.until_us)
            and (self.user_id is None or event.metadata.user_id == self.user_id)
            and (self.tenant_id is None or event.metadata.tenant_id == self.tenant_id)
            and (self.custom is None or {*self.custom} <= event.metadata.custom.items())
            and (self.query is None or self.query.matches(event))
        )
