"""A unit as a document: its events with their texts, or the name of the chunks in which they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.adapters.mongodb.numbering import unit_id
from evstore.errors import CorruptStoreError
from evstore.model.events import StoredEvent
from evstore.model.names import tags_of
from evstore.model.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evstore.port import Append, PreparedEvent


class Unit(NamedTuple):
    """A stored unit. Positions of its events follow from the first."""

    number: int
    append: str
    """The call that stored it."""
    first: int
    """The global position of its first event."""
    size: int
    time_us: int
    source: Source | None
    events: Sequence[StoredEvent]
    """Empty where they are staged."""
    starts: Sequence[int] = ()
    """For each chunk the number within the unit, from 0, of the first event in it."""
    bases: Mapping[str, int] = {}
    """The versions before the unit of streams that were there; versions in chunks count from them."""

    @property
    def last(self) -> int:
        """The global position of its last event."""
        return self.first + self.size - 1


class Numbered(NamedTuple):
    """An event of a unit on its way in, with its numbers."""

    event: PreparedEvent
    stream_id: str
    version: int
    time_us: int | None
    """Its own, None for that of the unit."""


def numbered_events(unit: Append, bases: Mapping[str, int]) -> Iterator[Numbered]:
    """The events of a unit whose streams have these versions before it, or none."""
    versions = {**bases}
    times = iter(unit.times_us or ())
    for stream_id, events, _ in unit.writes:
        for event in events:
            versions[stream_id] = version = versions.get(stream_id, 0) + 1
            yield Numbered(event, stream_id, version, next(times, None))


def event_document(numbered: Numbered) -> dict[str, Any]:
    """An event as it lies in the document of its unit, or in a chunk."""
    event = numbered.event
    document: dict[str, Any] = {
        "id": event.id,
        "stream": numbered.stream_id,
        "version": numbered.version,
        "type": event.type,
        "data": str(event.data_json),
        "metadata": event.metadata_json,
    }
    if event.joined_tags:
        document["tags"] = [*tags_of(event.joined_tags)]
    if numbered.time_us is not None:
        document["time"] = numbered.time_us
    if event.redacted:
        document["redacted"] = True
    return document


def unit_document(append: str, time_us: int, source: Source | None, content: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a unit without its numbers. `content` has its events, or names its chunks."""
    document: dict[str, Any] = {"append": append, "time": time_us}
    if source is not None:
        document["source"] = {"name": source.name, "position": source.position}
    return {**document, **content}


def placed(document: Mapping[str, Any], number: int, first: int, size: int) -> dict[str, Any]:
    """The document at its place in the log."""
    return {"_id": unit_id(number), "first": first, "size": size, **document}


def unit_of(document: Mapping[str, Any]) -> Unit:
    """The unit of a document. Raises CorruptStoreError."""
    try:
        source = document.get("source")
        unit = Unit(
            int(document["_id"]),
            document["append"],
            document["first"],
            document["size"],
            document["time"],
            Source(source["name"], source["position"]) if source else None,
            (),
            document.get("chunks", ()),
            {each["stream"]: each["version"] for each in document.get("bases", ())},
        )
        if unit.starts:
            return unit
        return unit._replace(events=[*events_of(document["events"], unit, 0)])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptStoreError(f"the unit {document.get('_id')!r} is none of evstore: {error!r}") from error


def events_of(documents: Sequence[Mapping[str, Any]], unit: Unit, number: int) -> Iterator[StoredEvent]:
    """The events of these documents, which begin with the one of this number within the unit."""
    for position, each in enumerate(documents, unit.first + number):
        tags = each.get("tags")
        yield StoredEvent(
            each["id"],
            each["stream"],
            each["type"],
            each["data"],
            each["metadata"],
            each["version"] + unit.bases.get(each["stream"], 0),
            position,
            each.get("time", unit.time_us),
            " ".join(tags) if tags else None,
            each.get("redacted", False),
        )


def bare(event: StoredEvent) -> StoredEvent:
    """The event without its texts."""
    return event._replace(data_json="", metadata_json="")
