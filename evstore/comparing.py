"""The differences of two stores. Both digest parts of their logs; events are read only where digests differ.

Events differ in what readers see now. A digest that a tamper-evident store keeps is of what was appended: a
redaction leaves it as it is.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.jsontext.quoting import quote, shortened
from evstore.model.filters import Filter
from evstore.model.times import format_timestamp
from evstore.port import Page
from evstore.reading.pages import BY_POSITION, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.events import StoredEvent
    from evstore.port import Adapter

    Pair = tuple[int, StoredEvent | None, StoredEvent | None]
    """A position, and the events that two logs have there."""

BLOCK: Final = 256
"""Positions that are read where digests differ."""
MOST_AT_ONCE: Final = 256 * BLOCK
"""Positions of which two stores give their digests at once, at most."""
MOMENT: Final = 0.1
"""Seconds after which whoever watches is to see progress."""
ALL: Final = Filter()
_NAMES: Final = {
    "id": "id",
    "stream_id": "streamId",
    "type": "type",
    "data_json": "data",
    "metadata_json": "metadata",
    "version": "version",
    "timestamp_us": "timestamp",
    "joined_tags": "tags",
    "redacted": "redacted",
}
"""The name on the wire of each field of a stored event that two logs may have otherwise at a position."""


class Difference(NamedTuple):
    """A difference of two logs, the one here and the one there."""

    kind: str
    """`differs`, `missing-here` or `missing-there`."""
    message: str
    position: int
    """The position of the event, or the first of several."""
    stream_id: str | None = None
    fields: tuple[str, ...] = ()
    """The fields of the event that differ, by their names on the wire."""
    last_position: int | None = None
    """The last position of those that a log lacks at its end."""


class Comparison:
    """A comparison of two stores as of their heads at its start. Iterate it once for the differences.

    All differences of the first part that differs are reported, and a log that ends earlier than the other.
    """

    equal_to: int = 0
    """The position up to which the logs are equal."""
    head: int = 0
    """The position up to which they were compared: the lower of the two heads."""

    differences: int = 0
    """The number of differences so far."""

    def __init__(
        self, here: Adapter, there: Adapter, on_progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._here = here
        self._there = there
        self._on_progress = on_progress or (lambda _done, _total: None)

    def __iter__(self) -> Iterator[Difference]:
        for found in self._found():
            self.differences += 1
            yield found

    def _found(self) -> Iterator[Difference]:
        there, here = self._there.head(-1, 0), self._here.head(-1, 0)
        self.equal_to = self.head = min(here, there)
        for low, high in differing_parts(self._here, self._there, self.head, self._on_progress):
            found = [*filter(None, (difference_of(*pair) for pair in pairs(self._here, self._there, low, high)))]
            if found:  # otherwise an event was redacted between two digests
                self.equal_to = found[0].position - 1
                yield from found
                break
        if here != there:
            yield _end(here, there)


def differing_parts(
    here: Adapter, there: Adapter, head: int, on_progress: Callable[[int, int], None]
) -> Iterator[tuple[int, int]]:
    """The blocks of the log up to this head, [low, high], whose digests differ, in order.

    Digests are compared for as many blocks at once as take a moment: each takes a message to a server and back.
    """
    low, size = 1, BLOCK
    while low <= head:
        began = monotonic()
        yield from _narrowed(here, there, low, size, head)
        is_fast = monotonic() - began < MOMENT
        low += size
        on_progress(min(low - 1, head), head)
        size = min(2 * size, MOST_AT_ONCE) if is_fast else max(size // 2, BLOCK)


def _narrowed(here: Adapter, there: Adapter, low: int, size: int, head: int) -> Iterator[tuple[int, int]]:
    high = min(low + size - 1, head)
    if low > high or there.digest(low, high) == here.digest(low, high):
        return
    if size == BLOCK:
        yield low, high
        return
    for start in (low, low + size // 2):
        yield from _narrowed(here, there, start, size // 2, head)


def pairs(here: Adapter, there: Adapter, low: int, high: int) -> Iterator[Pair]:
    """The events of both logs at each position in [low, high] at which one of them has an event."""
    ones, others = _events(here, low, high), _events(there, low, high)
    one, other = next(ones, None), next(others, None)
    while one or other:
        position = min(each.global_position for each in (one, other) if each)
        mine = one if one and one.global_position == position else None
        its = other if other and other.global_position == position else None
        yield position, mine, its
        one = next(ones, None) if mine else one
        other = next(others, None) if its else other


def _events(adapter: Adapter, low: int, high: int) -> Iterator[StoredEvent]:
    for page in pages_of(lambda p: adapter.read_all(p, ALL), Page(0, low=low, high=high), None, BY_POSITION):
        yield from page


def difference_of(position: int, here: StoredEvent | None, there: StoredEvent | None) -> Difference | None:
    """The difference of the events that two logs have at a position, None if they are equal."""
    if here == there:
        return None
    if here is None or there is None:
        found = here or there
        assert found is not None
        lacks, has = ("here", "there") if here is None else ("there", "here")
        return Difference(f"missing-{lacks}", f"event {found.id} is {has} alone", position, found.stream_id)
    fields = [field for field in _NAMES if getattr(here, field) != getattr(there, field)]
    message = "; ".join(_said(field, here, there) for field in fields)
    return Difference("differs", message, position, here.stream_id, tuple(_NAMES[field] for field in fields))


def _said(field: str, here: StoredEvent, there: StoredEvent) -> str:
    """The difference of a field of two events."""
    if field == "redacted":
        return f"it is redacted {'here' if here.redacted else 'there'} alone"
    if field in ("data_json", "metadata_json"):
        return f"{_NAMES[field]} differs"
    one, other = (_shown(field, each) for each in (here, there))
    return f"{_NAMES[field]} is {one} here and {other} there"


def _shown(field: str, event: StoredEvent) -> str:
    if field == "timestamp_us":
        return format_timestamp(event.timestamp_us)
    if field == "joined_tags":
        return shortened(event.joined_tags) if event.joined_tags else "empty"
    value = getattr(event, field)
    return quote(value) if field in ("stream_id", "type") else str(value)


def _end(here: int, there: int) -> Difference:
    """The difference of two logs of which one goes on where the other ends."""
    lacks, has = ("here", "there") if here < there else ("there", "here")
    low, high = min(here, there), max(here, there)
    message = f"the log ends at position {low} {lacks}, and at position {high} {has}"
    return Difference(f"missing-{lacks}", message, low + 1, last_position=high)
