"""The index of the catalogue: by single keys, from an id to its unit, and from a stream or a source to its links.

A link is what one block adds to a name. Links are numbered, so that the last is found without an index of ranges.
Every document follows from the log, and is inserted once: several writers insert the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.adapters.mongodb.numbering import encoded, last_number, numbered
from evstore.errors import CorruptStoreError

if TYPE_CHECKING:
    from evstore.adapters.mongodb.session import Session

KEYS: Final = "keys"


class Chain(NamedTuple):
    """The links of a name up to some unit, and the last of them."""

    length: int
    last: dict[str, Any] | None


NO_CHAIN: Final = Chain(0, None)


def key_of_id(event_id: str) -> str:
    """The key of an event's id."""
    return f"i/{event_id}"


def key_of_stream(stream_id: str) -> str:
    """The key of a stream."""
    return f"s/{encoded(stream_id)}"


def key_of_source(name: str) -> str:
    """The key of an outside source."""
    return f"o/{encoded(name)}"


class Keys:
    """The index of a store."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def unit_of(self, event_id: str, upto: int) -> int | None:
        """The number of the unit that has the event, None if the index up to that unit does not have it."""
        found = self._find(key_of_id(event_id))
        return found["unit"] if found and found["unit"] <= upto else None

    def link(self, key: str, number: int) -> dict[str, Any] | None:
        """The link with this number."""
        return self._find(numbered(key, number))

    def get(self, key: str, number: int) -> dict[str, Any]:
        """A link that must be there. Raises CorruptStoreError."""
        found = self.link(key, number)
        if found is None:
            raise CorruptStoreError(f"{self._session.location.shown}: {numbered(key, number)} is not in the index")
        return found

    def chain(self, key: str, upto: int) -> Chain:
        """The links that the catalogue up to this unit has; later ones may lie there already."""
        length = last_number(lambda number: self.link(key, number) is not None)
        while length:
            last = self.link(key, length)
            if last is not None and last["upto"] <= upto:
                return Chain(length, last)
            length -= 1
        return NO_CHAIN

    def link_with(self, key: str, version: int, length: int) -> int:
        """The number of the link of a stream that has this version, among the first so many."""
        low, high = 1, length
        while low < high:
            middle = (low + high + 1) // 2
            link = self.link(key, middle)
            if link is not None and link["versions"][0] <= version:
                low = middle
            else:
                high = middle - 1
        return low

    def _find(self, key: str) -> dict[str, Any] | None:
        return self._session.collection(KEYS).find_one({"_id": key})
