"""Filters over the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evstore.model.events import StoredEvent


class Filter(NamedTuple):
    """A filter over the log. None admits every event; fields are ANDed, the members of a field are ORed."""

    categories: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    correlation_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    def matches(self, event: StoredEvent) -> bool:
        """True if the filter admits the event. Every adapter agrees with this method."""
        return (
            (self.categories is None or event.category in self.categories)
            and (self.types is None or event.type in self.types)
            and (self.correlation_id is None or event.metadata.correlation_id == self.correlation_id)
            and (self.since_us is None or event.timestamp_us >= self.since_us)
            and (self.until_us is None or event.timestamp_us < self.until_us)
        )
