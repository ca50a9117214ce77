"""Facts about a store, its streams, categories and event types."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class StreamInfo(NamedTuple):
    """A stream: its category, its version, the times of its first and last event in microseconds since
    1970-01-01T00:00:00Z, and the type of the last."""

    stream_id: str
    category: str
    version: int
    created_us: int
    updated_us: int
    last_type: str
    missing: int = 0
    """The number of events up to `version` that are absent, as after a filtered export."""

    @property
    def events(self) -> int:
        """The number of events of the stream."""
        return self.version - self.missing


class Backup(NamedTuple):
    """A copy of a store, and how far it goes."""

    location: str
    head: int
    size_bytes: int


class CategoryInfo(NamedTuple):
    """A category: the numbers of its streams and events, the global positions of its first and last event, and the
    time of the last in microseconds since 1970-01-01T00:00:00Z."""

    category: str
    streams: int
    events: int
    first_position: int
    last_position: int
    last_us: int


class TypeInfo(NamedTuple):
    """An event type: the number of its events, and the global positions of the first and the last."""

    type: str
    events: int
    first_position: int
    last_position: int


class TagInfo(NamedTuple):
    """A tag: the number of events that have it, and the global positions of the first and the last."""

    tag: str
    events: int
    first_position: int
    last_position: int


class SourceInfo(NamedTuple):
    """An outside source, and how far appends have taken it."""

    source: str
    position: int
    """The source's own."""
    global_position: int
    """Of the last event that was stored with it."""


class StoreInfo(NamedTuple):
    """The kind, location and size of a store."""

    backend: str
    backend_version: str
    location: str
    """The resolved path, or the URL without its password."""
    schema_version: int
    streams: int
    categories: int
    head: int
    """The global position of the last event."""
    size_bytes: int
    durability: Mapping[str, str]
    warnings: tuple[str, ...]
    missing: int = 0
    """The number of events up to `head` that are absent, as after a filtered export."""
    durable: bool = False
    """With these settings an acknowledged append survives a power cut."""
    how_durable: str = ""
    """The same in a sentence."""
    tamper_evident: bool = False
    """Each event is stored with the digest of the log up to it."""
    digest: str | None = None
    """`POSITION:HASH` of the last event of a tamper-evident store."""
    protection: tuple[str, ...] = ()
    """The protection that an operator gives the store; sentences for whoever makes it."""

    @property
    def events(self) -> int:
        """The number of events of the store."""
        return self.head - self.missing


class Migration(NamedTuple):
    """A step that brings a store from one schema to the next, or that finishes such a step."""

    step: str
    """`0002_what`, or `0002_what.finish`."""
    schema: int
    """The schema that the step leads to, or that it finishes."""
    finishes: bool
    """It takes from older evstores what they need. So it waits until nobody uses the store with one of them."""
    applied_us: int | None
    """The time when it was applied, in microseconds since 1970-01-01T00:00:00Z; None while it is pending."""


class LockWait(NamedTuple):
    """A wait for another writer that goes on already. Its text is a clause for a person."""

    location: str
    holder: str
    """The other writer, as `process 17`."""
    timeout: float
    """The longest wait in seconds, from its begin."""

    def __str__(self) -> str:
        return (
            f"waiting for another writer of the event store at {self.location} ({self.holder}), "
            f"for {self.timeout:g} s at most"
        )
