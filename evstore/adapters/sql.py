"""Rules that both SQL adapters share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from evstore.errors import SchemaTooNewError, SchemaTooOldError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import blake2b

OLDEST_SCHEMA: Final = 1

ON_DISK: Final = "an append is on disk before it is acknowledged"


def check_admits(location: str, found: tuple[int, int, int], ours: int, *, to_write: bool) -> None:
    """Raise unless an evstore of our schema may use the store. `found`: the store's schema, and the oldest reader
    and writer that it admits."""
    number, reader, writer = found
    if number < OLDEST_SCHEMA:
        raise SchemaTooOldError(location, f"its schema is {number}, the oldest known is {OLDEST_SCHEMA}")
    if reader > ours or (to_write and writer > ours):
        what = "readers" if reader > ours else "writers"
        raise SchemaTooNewError(
            location, f"it admits {what} of schema {max(reader, writer)} and later, this evstore has schema {ours}"
        )


def not_tamper_evident(location: str) -> UnsupportedError:
    """The error of a store that is there already, and keeps no digests."""
    return UnsupportedError(
        f"the event store at {location} is not tamper-evident: that is chosen when a store is made; import its "
        "export into one that is"
    )


def id_to_blob(event_id: str) -> bytes:
    return bytes.fromhex(event_id.replace("-", ""))


def correlation_hash(correlation_id: str) -> int:
    """A signed 64-bit number for the index; two ids may share it."""
    return int.from_bytes(_blake2b()(correlation_id.encode(), digest_size=8).digest(), "big", signed=True)


@cache  # loaded where a hash is made, and not looked for each time
def _blake2b() -> Callable[..., blake2b]:
    from hashlib import blake2b

    return blake2b
