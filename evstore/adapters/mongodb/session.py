"""An open store: its client, its collections, and the mark by which it is known."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from pymongo import MongoClient, ReadPreference
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from evstore.adapters.mongodb.layout import check
from evstore.blocking import Event
from evstore.errors import StoreBusyError, StoreClosedError

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

    from evstore.adapters.mongodb.location import Location

_DURABLY: Final = WriteConcern(w="majority", j=True)
_COMMITTED: Final = ReadConcern("majority")
_MOST_AT_ONCE: Final = 1000


class Session:
    """The ground of reading and writing."""

    def __init__(self, location: Location, timeout: float) -> None:
        self.location = location
        self.timeout = timeout
        self.ended = Event()
        """Set when the adapter is closed: whoever waits stops."""
        self._making = threading.Lock()
        self._client: MongoClient[dict[str, Any]] | None = None
        self._is_checked = False

    # --- life ---

    def open(self) -> None:
        """Make sure that the place holds a store. Raises a SchemaError."""
        if not self._is_checked:
            check(self.database, self.location.shown)
            self._is_checked = True

    def close(self) -> None:
        """End the client, and all that waits."""
        self.ended.set()
        with self._making:
            if self._client is not None:
                self._client.close()

    def pause(self, seconds: float) -> None:
        """Let that many seconds pass. Raises StoreClosedError."""
        if self.ended.wait(seconds):
            raise StoreClosedError

    def busy(self) -> StoreBusyError:
        """The error for whoever waited until the timeout."""
        return StoreBusyError(self.location.shown, self.timeout)

    # --- the server ---

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """The client, made when it is first needed, for the driver then begins to look for servers."""
        with self._making:
            if self.ended.is_set():
                raise StoreClosedError
            if self._client is None:
                limit = max(int(self.timeout * 1000), 1)
                self._client = MongoClient(
                    self.location.url,
                    serverSelectionTimeoutMS=limit,
                    connectTimeoutMS=limit,
                    socketTimeoutMS=limit,
                    appname="evstore",
                    tz_aware=True,
                )
            return self._client

    @property
    def database(self) -> Database[dict[str, Any]]:
        """The database of the store. Reads see what a majority has, as the primary knows it."""
        return self.client.get_database(
            self.location.name,
            read_preference=ReadPreference.PRIMARY,
            write_concern=_DURABLY,
            read_concern=_COMMITTED,
        )

    def collection(self, name: str) -> Collection[dict[str, Any]]:
        """A collection of the store."""
        return self.database[name]

    def now_us(self) -> int:
        """The time of the servers."""
        return int(self.client.admin.command("hello")["localTime"].timestamp() * 1_000_000)

    def insert_derived(self, name: str, documents: list[dict[str, Any]]) -> None:
        """Insert documents that follow from the log: whoever came first has inserted the same."""
        collection = self.collection(name)
        for at in range(0, len(documents), _MOST_AT_ONCE):
            insert_missing(collection, documents[at : at + _MOST_AT_ONCE])


def insert_missing(collection: Collection[dict[str, Any]], documents: list[dict[str, Any]]) -> None:
    """Insert those of the documents whose `_id` is not there."""
    from pymongo.errors import BulkWriteError

    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if not error.details.get("writeErrors") or error.details.get("writeConcernErrors"):
            raise
        for each in documents:  # which of them are not there, and why, no error says reliably
            if collection.find_one({"_id": each["_id"]}, {"_id": 1}) is None:
                try:
                    collection.insert_one(each)
                except DuplicateKeyError:
                    continue
