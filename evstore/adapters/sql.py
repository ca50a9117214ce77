"""Rules that both SQL adapters share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from evstore.errors import CorruptStoreError, SchemaTooNewError, SchemaTooOldError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from hashlib import blake2b

OLDEST_SCHEMA: Final = 1
"""The oldest schema that this evstore reads and writes as it is. An older one is migrated first."""
FIRST_SCHEMA: Final = 1
"""The oldest schema that the steps of `migrate` begin with."""

ON_DISK: Final = "an append is on disk before it is acknowledged"


def check_tables(location: str, strange: Sequence[tuple[str, str]]) -> None:
    """Raise CorruptStoreError if a name of a table, the first of each pair, is that of something else: to read it
    may be to run what somebody else wrote."""
    if strange:
        what = " and ".join(f'"{name}" is a {kind}' for name, kind in strange)
        raise CorruptStoreError(f"the event store at {location} is damaged: {what}, where evstore makes a table")


def check_admits(location: str, found: tuple[int, int, int], ours: int, *, to_write: bool, oldest: int) -> None:
    """Raise unless an evstore of our schema may use the store. `found`: the store's schema, and the oldest reader
    and writer that it admits. `oldest`: the oldest schema that the caller can use."""
    number, reader, writer = found
    if number < oldest:
        raise SchemaTooOldError(location, f"its schema is {number}, the oldest known is {oldest}")
    if reader > ours or (to_write and writer > ours):
        what = "readers" if reader > ours else "writers"
        raise SchemaTooNewError(
            location, f"it admits {what} of schema {max(reader, writer)} and later, this evstore has schema {ours}"
        )


def check_current(location: str, number: int, ours: int) -> None:
    """Raise if the store waits for steps that `initialize` would take for done."""
    if number < ours:
        raise SchemaTooOldError(location, f"its schema is {number}, this evstore makes {ours}")


def not_compared(number: int, ours: int) -> UnsupportedError:
    """The error where a store is sound, but of a schema whose tables and functions this evstore does not know."""
    then = "evstore migrate brings it up" if number < ours else "a newer evstore migrated it"
    return UnsupportedError(f"the store has schema {number}, this evstore makes {ours}; {then}")


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
