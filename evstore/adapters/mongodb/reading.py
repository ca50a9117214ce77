"""Pages of events, unit by unit. Blocks of the catalogue that have nothing wanted are passed over."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from evstore.adapters.mongodb.keys import key_of_stream
from evstore.model.filters import Filter
from evstore.port import PAGE_CHARACTERS, Cut, bounds_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.adapters.mongodb.documents import Unit
    from evstore.adapters.mongodb.index import Index, Run
    from evstore.adapters.mongodb.units import Units
    from evstore.model.events import StoredEvent
    from evstore.port import Page

_ALL: Final = Filter()


class Reading:
    """The reads of an adapter. `guard` is held around the index."""

    def __init__(self, units: Units, index: Index, guard: threading.RLock) -> None:
        self._units = units
        self._index = index
        self._guard = guard

    # --- the log ---

    def read_all(self, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of the log by global position."""
        low, high = bounds_of(page)
        low = max(low, 1)
        if page.limit <= 0 or high < low or _admits_nothing(where):
            return []
        return _taken(self.events(low, high, where, backward=page.backward), page.limit)

    def count(self, low: int, high: int, where: Filter) -> int:
        """The number of events that the filter admits."""
        low, high = max(low, 1), min(high, self._units.head())
        if _admits_nothing(where) or high < low:
            return 0
        if where == _ALL:
            return high - low + 1
        return sum(1 for _ in self.events(low, high, where, backward=False))

    def span(self, since_us: int | None, until_us: int | None) -> tuple[int, int] | None:
        """First and last position in the time."""
        head = self._units.head()
        where = Filter(since_us=since_us, until_us=until_us)
        if where == _ALL or not head:
            return (1, head) if head else None
        ends = [next(self.events(1, head, where, backward=backward), None) for backward in (False, True)]
        first, last = (each.global_position if each else 0 for each in ends)
        return (first, last) if first else None

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        """The events with these ids."""
        with self._guard:
            self._index.catch_up()
        wanted = {*ids}
        found: dict[str, StoredEvent] = {}
        for each in ids:
            if each not in found:
                with self._guard:
                    number = self._index.unit_of(each)
                if number is not None:
                    unit = self._units.get(number)
                    found.update((event.id, event) for event in self._units.events(unit) if event.id in wanted)
        return [*found.values()]

    def events(self, low: int, high: int, where: Filter, *, backward: bool) -> Iterator[StoredEvent]:
        """The events at positions in [low, high] that the filter admits."""
        for unit in self._units_of(low, high, where, backward=backward):
            for event in self._units.between(unit, low, high, backward=backward):
                if where.matches(event):
                    self._units.note(event.global_position + 1, unit.number + (event.global_position == unit.last))
                    yield event

    def _units_of(self, low: int, high: int, where: Filter, *, backward: bool) -> Iterator[Unit]:
        if backward or _narrows(where):
            yield from map(self._units.get, self._numbers(low, high, where, backward=backward))
            return
        for unit in self._units.from_(self._units.at(low)):
            if unit.first > high:
                return
            yield unit

    def _numbers(self, low: int, high: int, where: Filter, *, backward: bool) -> Iterator[int]:
        """The numbers of the units that may have events which are wanted."""
        if not _narrows(where):
            high = min(high, self._units.head())
            if low <= high:
                yield from range(self._units.at(high), self._units.at(low) - 1, -1)
            return
        with self._guard:
            self._index.catch_up()
            end, high = self._index.end, min(high, self._index.head)
        if low <= high:
            first, last = self._units.at(low), self._units.at(high)
            for numbers in self._index.blocks.having(first, last, end, where, backward):
                yield from numbers

    # --- a stream ---

    def read_stream(self, stream_id: str, page: Page, where: Filter) -> list[StoredEvent]:
        """Events of one stream by version."""
        low, high = bounds_of(page)
        if page.limit <= 0 or high < low or _admits_nothing(where):
            return []
        with self._guard:
            self._index.catch_up()
            low, high = max(low, 1), min(high, self._index.version(stream_id))
            length = self._index.chain(stream_id).length
            tail = [*self._index.tail.runs.get(stream_id, ())]
        if high < low:
            return []
        numbers = self._backward(stream_id, high, length, tail) if page.backward else self._forward(
            stream_id, low, length, tail
        )  # fmt: skip
        return _taken(self._of_stream(stream_id, numbers, low, high, where, page.backward), page.limit)

    def _of_stream(
        self, stream_id: str, numbers: Iterable[int], low: int, high: int, where: Filter, backward: bool
    ) -> Iterator[StoredEvent]:
        for number in numbers:
            unit = self._units.get(number)
            for event in self._units.between(unit, unit.first, unit.last, backward=backward):
                if event.stream_id == stream_id and where.matches(event):
                    if (event.version < low) if backward else (event.version > high):
                        return
                    if low <= event.version <= high:
                        yield event

    def _forward(self, stream_id: str, low: int, length: int, tail: Sequence[Run]) -> Iterator[int]:
        """The units with events of the stream, from the one with this version on."""
        if length and not (tail and tail[0].version <= low):
            key = key_of_stream(stream_id)
            for number in range(self._index.keys.link_with(key, low, length), length + 1):
                link = self._index.keys.get(key, number)
                yield from _from(low, link["versions"], link["units"])
        yield from _from(low, [run.version for run in tail], [run.unit for run in tail])

    def _backward(self, stream_id: str, high: int, length: int, tail: Sequence[Run]) -> Iterator[int]:
        """The units with events of the stream, from the one with this version back."""
        yield from (run.unit for run in reversed(tail) if run.version <= high)
        if not length:
            return
        key = key_of_stream(stream_id)
        for number in range(self._index.keys.link_with(key, high, length), 0, -1):
            link = self._index.keys.get(key, number)
            pairs = zip(reversed(link["versions"]), reversed(link["units"]), strict=True)
            yield from (unit for version, unit in pairs if version <= high)


def _from(low: int, versions: Sequence[int], units: Sequence[int]) -> Iterator[int]:
    """The units whose events reach this version: a unit goes up to where the next one begins."""
    for at, unit in zip(count(1), units):
        if at == len(versions) or versions[at] > low:
            yield unit


def _taken(events: Iterable[StoredEvent], limit: int) -> list[StoredEvent]:
    """The first of the events, until they are enough for a page."""
    taken: list[StoredEvent] = []
    characters = 0
    for event in events:
        if characters > PAGE_CHARACTERS:
            return Cut(taken)
        taken.append(event)
        characters += len(event.data_json)
        if len(taken) == limit:
            break
    return taken


def _admits_nothing(where: Filter) -> bool:
    return () in (where.categories, where.types)


def _narrows(where: Filter) -> bool:
    """True if facts of blocks show where nothing matches."""
    names = (where.categories, where.types, where.query and where.query.items)
    return any(names) or where.since_us is not None or where.until_us is not None
