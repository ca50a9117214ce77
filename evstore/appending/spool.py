"""A large append in little memory: checked once, iterated as often as needed."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from evstore.appending.distinct import Seen
from evstore.appending.preparing import prepared_again
from evstore.errors import InvalidInputError, StorageFullError
from evstore.model.columns import rows_of
from evstore.model.events import Write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.model.conditions import AppendCondition
    from evstore.model.events import Many
    from evstore.port import PreparedEvent, PreparedWrite

IN_MEMORY: Final = 1024 * 1024
"""Characters kept in memory as events; beyond that, they wait as a page of a temporary file without a name."""


class Spool:
    """Writes of one prepared event each, in order."""

    has_new_ids: bool = False
    """As in `Append`."""

    def __init__(self) -> None:
        self._writes: list[PreparedWrite] = []
        self._size = 0  # of their text
        self._length = 0
        self._ids = Seen()
        self._file: Any = None
        self._conditions: dict[int, Sequence[AppendCondition]] = {}

    def __len__(self) -> int:
        return self._length

    def add(
        self,
        write: PreparedWrite,
        *,
        given_id: bool,
        new_id: bool = False,
        conditions: Sequence[AppendCondition] = (),
    ) -> None:
        """Add a write of one event. `given_id`: its id comes from outside, so it may come twice; `new_id`: its id
        was made for this append alone."""
        (event,) = write.events
        if given_id:
            self._add_id(event.id)
        if new_id:
            self.has_new_ids = True
        if conditions:
            self._conditions[self._length] = conditions
        self._length += 1
        self._writes.append(write)
        self._size += len(event.data_json) + len(event.metadata_json) + len(write.stream_id)
        if self._size > IN_MEMORY:
            try:
                self._spill()
            except OSError as error:
                raise StorageFullError(f"the input cannot wait in a temporary file: {error.strerror}") from error

    @property
    def conditions(self) -> tuple[AppendCondition, ...]:
        """Those that the events brought, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(self._conditions.values())))

    def conditions_of(self, number: int) -> Sequence[AppendCondition]:
        """Those that the event at this place brought, from 0."""
        return self._conditions.get(number, ())

    def _add_id(self, event_id: str) -> None:
        if not self._ids.add(bytes.fromhex(event_id.replace("-", ""))):
            raise InvalidInputError(f"event id {event_id} comes twice in one append")

    def _spill(self) -> None:
        import tempfile

        import msgspec

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="evstore-")  # noqa: SIM115 - lives as long as the spool
        stream_ids, events, expected = zip(*self._writes, strict=True)
        text = msgspec.msgpack.encode((stream_ids, expected, [*zip(*(event for (event,) in events), strict=True)]))
        self._file.seek(0, os.SEEK_END)  # perhaps some pages were read
        self._file.write(len(text).to_bytes(4, "big"))
        self._file.write(text)
        self._writes, self._size = [], 0

    def __iter__(self) -> Iterator[PreparedWrite]:
        if self._file is not None:
            yield from chain.from_iterable(self._pages())
        yield from self._writes

    def count_streams(self) -> int:
        """The number of streams that the events go to."""
        from msgspec import Raw

        streams = Seen()
        try:
            if self._file is not None:
                for stream_ids, _, _ in self._decoded(tuple[list[str], Raw, Raw]):
                    streams.update(stream_ids)
            streams.update([write.stream_id for write in self._writes])
            return len(streams)
        finally:
            streams.close()

    def _pages(self) -> Iterator[Iterator[PreparedWrite]]:
        for stream_ids, expected, columns in self._decoded(
            tuple[list[str], list[int], list[list[str | bool | None]]]
        ):
            yield rows_of(Write, stream_ids, zip(prepared_again(columns), strict=True), expected)

    def _decoded(self, kind: Any) -> Iterator[tuple[Any, Any, Any]]:
        """The pages of the file as this kind of tuple."""
        import msgspec

        decode = msgspec.msgpack.Decoder(kind).decode
        self._file.seek(0)
        while head := self._file.read(4):
            yield decode(self._file.read(int.from_bytes(head, "big")))

    def close(self) -> None:
        """Free the files."""
        self._ids.close()
        if self._file is not None:
            with suppress(OSError):  # a file that refused bytes may refuse the rest at closing
                self._file.close()


class Events:
    """The events of writes that all go to one stream, as a view."""

    def __init__(self, writes: Many[PreparedWrite]) -> None:
        self._writes = writes

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[PreparedEvent]:
        for write in self._writes:
            yield from write.events
