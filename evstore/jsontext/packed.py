"""Compressed input: JSON is read wherever it is compressed with gzip, too."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from evstore.errors import InvalidPayloadError
from evstore.jsontext.faults import GZIP

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_BYTES: Final = 1 << 18


def is_packed(first: bytes) -> bool:
    """True if the input begins as gzip does. A pipe may give a single byte at first, with which no JSON begins."""
    return first[:1] == GZIP[:1]


def unpacked(raw: BinaryIO) -> Iterator[bytes]:
    """The bytes that were compressed, a piece at a time. Raises InvalidPayloadError at damage."""
    import gzip

    with _damage_named(), gzip.open(raw, "rb") as file:
        yield from chunks(file)


def check_whole(raw: BinaryIO) -> None:
    """Read to the end, where the checksum stands, and go back. Raises InvalidPayloadError at damage."""
    begin = raw.tell()
    for _ in unpacked(raw):
        continue
    raw.seek(begin)


def chunks(file: Any) -> Iterator[bytes]:
    """The bytes of a file as they come: each chunk is the result of one read."""
    while chunk := file.read1(READ_BYTES):
        yield chunk


@contextmanager
def _damage_named() -> Iterator[None]:
    import gzip
    import zlib

    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidPayloadError(f"the compressed input is damaged or ends too early: {error}") from error
