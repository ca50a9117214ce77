"""A large append on its way: checked once, iterated as often as needed, in little memory."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from evstore.errors import InvalidInputError, StorageFullError
from evstore.events import EventData, Metadata, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes of text kept in memory; beyond, everything waits in a temporary file that has no name."""


class Spool:
    """Writes of one checked event each, in order."""

    ids_are_new: bool = False
    """As in `Append`."""

    def __init__(self) -> None:
        self._writes: list[Write] = []
        self._size = 0  # of the text in memory
        self._length = 0
        self._ids: set[int] = set()
        self._file: Any = None

    def __len__(self) -> int:
        return self._length

    def add(self, write: Write, *, given_id: bool, new_id: bool = False) -> None:
        """Take a write whose one event is checked. `given_id`: its id was not made here, so it may come twice;
        `new_id`: it was made for this append alone."""
        (event,) = write.events
        assert event.id is not None
        if given_id:
            number = int(event.id.replace("-", ""), 16)
            if number in self._ids:
                raise InvalidInputError(f"event id {event.id} comes twice in one append")
            self._ids.add(number)
        self.ids_are_new = self.ids_are_new or new_id
        self._length += 1
        self._writes.append(write)
        self._size += len(event.data_json) + len(event.metadata.to_json()) + len(write.stream_id) + 100
        if self._size > IN_MEMORY:
            try:
                self._spill()
            except OSError as error:
                raise StorageFullError(f"the input cannot wait in a temporary file: {error.strerror}") from error

    def _spill(self) -> None:
        import tempfile  # noqa: PLC0415 - few appends are so large

        import msgspec  # noqa: PLC0415

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="evstore-")  # noqa: SIM115 - lives as long as the spool
        encode = msgspec.msgpack.Encoder().encode
        for stream_id, (event,), expected in self._writes:
            row = (stream_id, expected, event.type, event.data_json, event.metadata.to_json(), event.id)
            text = encode(row)
            self._file.write(len(text).to_bytes(4, "big") + text)
        self._writes, self._size = [], 0

    def __iter__(self) -> Iterator[Write]:
        if self._file is not None:
            yield from self._from_file()
        yield from self._writes

    def _from_file(self) -> Iterator[Write]:
        import msgspec  # noqa: PLC0415

        decode = msgspec.msgpack.Decoder(tuple[str, int, str, str, str, str]).decode
        metadata_text, metadata = "{}", Metadata()
        self._file.seek(0)
        while head := self._file.read(4):
            row = decode(self._file.read(int.from_bytes(head, "big")))
            stream_id, expected, type_name, data, text, event_id = row
            if text != metadata_text:  # neighbours share theirs
                metadata_text, metadata = text, Metadata.from_json(text)
            event = EventData.from_json(type_name, data, metadata, event_id, checked=True)
            yield Write(stream_id, (event,), expected)
        self._file.seek(0, 2)

    def close(self) -> None:
        """Free the file."""
        if self._file is not None:
            with suppress(OSError):  # what it could not take before, it cannot take now
                self._file.close()

    def events(self) -> Events:
        """The events alone, of a spool whose writes are all to one stream."""
        return Events(self)


class Events:
    """A view on a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def __len__(self) -> int:
        return len(self._spool)

    def __iter__(self) -> Iterator[EventData]:
        for write in self._spool:
            yield from write.events
