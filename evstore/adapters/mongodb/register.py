"""Values that are replaced: each revision is a document of its own, and its insert is the compare-and-set.

Of the revisions of a thousand, the last one stays when the next thousand is complete, so that the last revision of
all is found among thousands and then within one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo.errors import DuplicateKeyError, PyMongoError

from evstore.adapters.mongodb.numbering import encoded, last_number, numbered

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from evstore.adapters.mongodb.session import Session

KEPT: Final = 1000


class LostRaceError(Exception):
    """Another one wrote this revision."""


class Entry(NamedTuple):
    """The last revision under a name, 0 if there is none."""

    value: dict[str, Any] | None
    revision: int


class Register:
    """The values of a collection, by name."""

    def __init__(self, session: Session, collection: str) -> None:
        self._session = session
        self._collection = collection
        self._last: dict[str, int] = {}
        """Revisions that are known to be there."""

    def get(self, name: str) -> Entry:
        """The last revision."""
        known = self._last.get(name, 0)
        base = known // KEPT
        if self._find(name, (base + 1) * KEPT) is not None:
            base = last_number(lambda number: self._find(name, number * KEPT) is not None, base + 1)
        begin = max(known, base * KEPT)
        revision = last_number(lambda number: self._find(name, number) is not None, begin)
        if revision > 0:
            self._last[name] = revision
        return Entry(self._find(name, revision) if revision else None, revision)

    def put(self, name: str, value: dict[str, Any], revision: int) -> None:
        """Write the value in the place of this revision. Raises LostRaceError."""
        following = revision + 1
        try:
            self._values().insert_one({"_id": numbered(encoded(name), following), **value})
        except DuplicateKeyError:
            raise LostRaceError from None
        self._last[name] = following
        if following % KEPT == 0 and following > KEPT:
            with suppress(PyMongoError):
                self._sweep(name, following - KEPT)

    def _sweep(self, name: str, end: int) -> None:
        """Remove what was replaced in the thousand before this revision."""
        for number in range(end - KEPT + 1, end):
            self._values().delete_one({"_id": numbered(encoded(name), number)})

    def _find(self, name: str, revision: int) -> dict[str, Any] | None:
        return self._values().find_one({"_id": numbered(encoded(name), revision)})

    def _values(self) -> Collection[dict[str, Any]]:
        return self._session.collection(self._collection)
