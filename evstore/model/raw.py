"""Pages of the log as the bytes that go out: what is only passed on needs no events, and no text to be decoded.

A database holds UTF-8, and UTF-8 goes out. To make strings and events in between takes longer than all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.jsontext.quoting import quote
from evstore.model.events import rarer_members
from evstore.model.times import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Place(NamedTuple):
    """An event of a log, and where it stands."""

    id: str
    global_position: int


class RawPage(NamedTuple):
    """Events of the log in the wire form."""

    lines: bytes
    """The lines of `StoredEvent.to_json` in UTF-8, each with its line break."""
    events: int
    last: Place | None
    """The last of the events, None if there is none."""
    is_cut: bool
    """The page ends before its limit, as a Cut does."""


NOTHING = RawPage(b"", 0, None, is_cut=False)


def spelled(name: str) -> bytes:
    """A name as a JSON string in UTF-8."""
    return quote(name).encode()


def lines_of_rows(
    ids: Iterable[bytes],
    streams: Mapping[int, bytes],
    types: Mapping[int, bytes],
    rows: Sequence[tuple[Any, ...]],
) -> bytes:
    """The lines of rows that have the columns of StoredEvent, with keys in the place of names and bytes in that of
    texts. `ids`: theirs, in ASCII; `streams`, `types`: spelled names by key. Raises KeyError for other keys."""
    return b"".join(
        [
            b'{"id":"%b","streamId":%b,"type":%b,"data":%b,"metadata":%b,"version":%d,'
            b'"globalPosition":%d,"timestamp":"%b"%b}\n'
            % (
                event_id, streams[stream], types[kind], data, metadata, version, position,
                format_timestamp(time_us).encode(), _rarer(tags, redacted) if tags or redacted else b"",
            )
            for event_id, (_, stream, kind, data, metadata, version, position, time_us, tags, redacted) in zip(
                ids, rows, strict=True
            )
        ]
    )  # fmt: skip


def _rarer(joined: bytes | None, redacted: bool) -> bytes:
    return rarer_members(joined.decode() if joined else None, redacted=redacted).encode()
