"""Pages and lists of events that are in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from evstore.model.events import StoredEvent
from evstore.model.facts import CategoryInfo, StoreInfo, StreamInfo
from evstore.model.names import category_of
from evstore.port import bounds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evstore.model.filters import Filter
    from evstore.port import NamePage, Page, PreparedEvent


def page_of(
    events: Sequence[StoredEvent], at: Callable[[StoredEvent], int], page: Page, where: Filter
) -> list[StoredEvent]:
    """The page of events that are in the order of their numbers, which `at` gives."""
    low, high = bounds_of(page)
    inside = range(bisect_left(events, low, key=at), bisect_right(events, high, key=at))
    in_order = reversed(inside) if page.backward else inside
    return list(islice((events[i] for i in in_order if where.matches(events[i])), page.limit))


def names_of(names: Iterable[str], page: NamePage) -> list[str]:
    """The page of these names."""
    inside = [n for n in names if n.startswith(page.prefix) and (page.after is None or n > page.after)]
    return sorted(inside)[: page.limit]


def stream_info(stream_id: str, events: Sequence[StoredEvent]) -> StreamInfo:
    """The facts of a stream with these events."""
    first, last = events[0], events[-1]
    return StreamInfo(
        stream_id,
        category_of(stream_id),
        last.version,
        first.timestamp_us,
        last.timestamp_us,
        last.type,
        missing=last.version - len(events),
    )


def categories_of(log: Sequence[StoredEvent], stream_ids: Iterable[str], page: NamePage) -> list[CategoryInfo]:
    """The page of the categories of a log with these streams."""
    streams = Counter(map(category_of, stream_ids))
    events: dict[str, list[StoredEvent]] = {name: [] for name in names_of(streams, page)}
    for event in log:
        if (its := events.get(event.category)) is not None:
            its.append(event)
    return [
        CategoryInfo(
            name, streams[name], len(its), its[0].global_position, its[-1].global_position, its[-1].timestamp_us
        )
        for name, its in events.items()
    ]


def counts_of(named: Iterable[tuple[int, Iterable[str]]], page: NamePage) -> list[tuple[str, int, int, int]]:
    """The page of names, each with the number of its events and the first and last of their positions."""
    positions: dict[str, list[int]] = {}
    for position, names in named:
        for name in names:
            positions.setdefault(name, []).append(position)
    found = [(name, positions[name]) for name in names_of(positions, page)]
    return [(name, len(its), its[0], its[-1]) for name, its in found]


def stored(event: PreparedEvent, stream_id: str, version: int, position: int, time_us: int) -> StoredEvent:
    """The event as it is stored there."""
    texts = (event.type, event.data_json, event.metadata_json)
    numbers = (version, position, time_us)
    return StoredEvent(event.id, stream_id, *texts, *numbers, event.joined_tags, event.redacted)


def without_data(event: StoredEvent, *, metadata: bool) -> StoredEvent:
    """The event after a redaction, of its `metadata` too if that is asked."""
    redacted = event._replace(data_json="null", redacted=True)
    return redacted._replace(metadata_json="{}") if metadata else redacted


def info_of(log: Sequence[StoredEvent], location: str, how_durable: str) -> StoreInfo:
    """The facts of a store with this log."""
    head = log[-1].global_position if log else 0
    return StoreInfo(
        backend="memory",
        backend_version="",
        location=location,
        schema_version=1,
        streams=len({e.stream_id for e in log}),
        categories=len({e.category for e in log}),
        head=head,
        size_bytes=sum(len(e.data_json) + len(e.metadata_json) for e in log),
        durability={},
        warnings=(),
        missing=head - len(log),
        how_durable=how_durable,
    )
