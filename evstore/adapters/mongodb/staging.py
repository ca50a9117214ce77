"""Units that no document can hold: their events wait in chunks, which the document of the unit names.

A chunk is a part of a text in which each event is a line. It says nothing of the place of its unit in the log, so
that a unit that loses a race for its place is staged once all the same.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final

from bson.binary import Binary

from evstore.adapters.mongodb.documents import event_document, events_of, numbered_events
from evstore.adapters.mongodb.numbering import numbered
from evstore.errors import CorruptStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.adapters.mongodb.documents import Unit
    from evstore.adapters.mongodb.session import Session
    from evstore.model.events import StoredEvent
    from evstore.port import Append

STAGED: Final = "staged"
MOST_INLINE: Final = 12 * 1024 * 1024
"""About so many bytes of events lie in the document of their unit: a server takes 16 MiB."""
CHUNK_BYTES: Final = 1024 * 1024
LEFT_AFTER_US: Final = 24 * 60 * 60 * 1_000_000
"""Chunks that are older belong to no append that is still at work."""
_BESIDE: Final = 400
"""The bytes of an event beside its texts, about."""
_SLICE_BYTES: Final = 4 * CHUNK_BYTES
"""A line that is longer lies in several chunks."""


def is_large(unit: Append) -> bool:
    """True if the events of the unit may not fit into one document."""
    size = 0
    for write in unit.writes:
        for event in write.events:
            texts = (event.data_json, event.metadata_json, event.joined_tags or "", write.stream_id)
            size += _BESIDE + sum(len(text) if text.isascii() else _bytes(text) for text in texts)
            if size > MOST_INLINE:
                return True
    return False


def _bytes(text: str) -> int:
    return len(text.encode())


class Staging:
    """The chunks of a store."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_swept = False
        self._last: tuple[str, int, list[dict[str, Any]]] = ("", 0, [])
        """The events that were decoded last, by append and chunk: the next page mostly begins among them."""

    def stage(self, append: str, unit: Append) -> list[int]:
        """Store the events of the unit, and return the number of the first event in each chunk."""
        collection = self._session.collection(STAGED)
        starts: list[int] = []
        for number, (start, part) in enumerate(_parts(unit), 1):
            document = {"_id": numbered(append, number), "time": time.time_ns() // 1000, "lines": Binary(part)}
            collection.insert_one(document)
            starts.append(start)
        return starts

    def events(self, unit: Unit, number: int) -> Iterator[StoredEvent]:
        """The events of a unit in chunks, from this number within the unit on."""
        while number < unit.size:
            chunk = bisect_right(unit.starts, number) - 1
            first = unit.starts[chunk]
            documents = self._decoded(unit, bisect_left(unit.starts, first), chunk + 1)
            yield from events_of(documents[number - first :], unit, number)
            number = first + len(documents)

    def _decoded(self, unit: Unit, begin: int, end: int) -> list[dict[str, Any]]:
        append, last, documents = self._last
        if (append, last) == (unit.append, begin):
            return documents
        lines = b"".join(self._lines(unit, chunk) for chunk in range(begin, end))
        documents = [json.loads(line) for line in lines.split(b"\n")[:-1]]
        if not documents:
            raise CorruptStoreError(f"the chunks of unit {unit.number} end before its events")
        self._last = (unit.append, begin, documents)
        return documents

    def _lines(self, unit: Unit, chunk: int) -> bytes:
        found = self._session.collection(STAGED).find_one({"_id": numbered(unit.append, chunk + 1)})
        if found is None:
            raise CorruptStoreError(f"chunk {chunk + 1} of unit {unit.number} is missing")
        lines: bytes = found["lines"]
        return lines

    def sweep(self, named: Callable[[], set[str]], now_us: int | None = None) -> int:
        """Remove the chunks that an append left a day ago, once for each adapter. `named`: the appends that units
        have."""
        if self._is_swept:
            return 0
        self._is_swept = True
        collection = self._session.collection(STAGED)
        before_us = (now_us or time.time_ns() // 1000) - LEFT_AFTER_US
        old = [each["_id"] for each in collection.find({}, {"time": 1}) if each["time"] < before_us]
        if not old:
            return 0
        kept = named()
        left = [each for each in old if each.partition("/")[0] not in kept]
        for each in left:
            collection.delete_one({"_id": each})
        return len(left)


def _parts(unit: Append) -> Iterator[tuple[int, bytes]]:
    """The parts of the lines of the events, each with the number of its first event. A line that is longer than a
    part has parts of its own."""
    lines: list[bytes] = []
    size = start = number = 0
    for number, numbered_event in enumerate(numbered_events(unit, {})):
        line = json.dumps(event_document(numbered_event), ensure_ascii=False, separators=(",", ":")).encode()
        if lines and size + len(line) > CHUNK_BYTES:
            yield from _cut(start, b"".join(lines))
            lines, size, start = [], 0, number
        lines += (line, b"\n")
        size += len(line) + 1
    yield from _cut(start, b"".join(lines))


def _cut(start: int, text: bytes) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(text), _SLICE_BYTES):
        yield start, text[at : at + _SLICE_BYTES]
