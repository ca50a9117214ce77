"""Ids as they are stored: the 16 bytes of a UUID."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ID_BYTES: Final = 16


def ids_to_blobs(event_ids: Iterable[str]) -> list[bytes]:
    together = bytes.fromhex("".join(event_ids).replace("-", ""))
    return [together[at : at + 16] for at in range(0, len(together), 16)]


def id_from_blob(blob: bytes) -> str:
    text = blob.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def ids_from_blobs(blobs: Sequence[bytes]) -> list[str]:
    """The ids of a page, spelled together: `id_from_blob` of each takes several times as long."""
    if {*map(len, blobs)} != {ID_BYTES}:  # there are none, or some are damaged
        return [*map(id_from_blob, blobs)]
    return _spelled(blobs).decode().split(" ")


def raw_ids_from_blobs(blobs: Sequence[bytes]) -> list[bytes]:
    """The same in ASCII, for blobs that all have 16 bytes."""
    return bytes(_spelled(blobs)).split(b" ")


def _spelled(blobs: Sequence[bytes]) -> bytearray:
    """Ids with a space between two, of blobs that all have 16 bytes; there is at least one."""
    text = bytearray(b"".join(blobs).hex("-", 2).encode())
    # An id has hyphens after its 2nd, 3rd, 4th and 5th group of four digits; the others go, the last first.
    del text[34::40]
    del text[29::39]
    del text[4::38]
    text[36::37] = b" " * (len(blobs) - 1)
    return text
