"""The connection of a SQLite store that writes, and its transactions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evstore.adapters.sqlite.beside import check_writable
from evstore.adapters.sqlite.errors import commit
from evstore.adapters.sqlite.session import Session
from evstore.adapters.sqlite.writing import Ledger
from evstore.errors import StoreReplacedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.sqlite.lock import Held


class WritingSession(Session):
    """A session that may write."""

    _ledger: Ledger  # of the connection that writes

    @contextmanager
    def _committing(self) -> Iterator[tuple[Any, Ledger]]:
        with self._writing() as connection, self._committed(connection) as ledger:
            yield connection, ledger

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """The connection that writes, under the lock."""
        self._check_open()
        with self._translated:
            try:
                self._opened.check()
            except StoreReplacedError:
                self._check_open()  # a close by another thread has removed the log
                raise
            if self._writer is None:
                self._check_is_store()  # before the lock makes a file
                check_writable(self._path)
            while True:
                with self._lock.held() as held:
                    try:
                        self._check_open()
                        if self._has_writer(held):
                            yield self._writer
                            return
                    finally:
                        # A close waits for this, or has waited in vain.
                        if self._closed and self._writer is not None:
                            self._close_writer()

    def _has_writer(self, held: Held) -> bool:
        """False if another lock took the place of the one that is held before the database was open."""
        if self._writer is not None:
            return True
        try:
            self._writer = self._open_writer()
            self._ledger = Ledger(self._sqlite, self._writer, self._path)
            self._check_open()  # a close that found no writer has returned
        except BaseException:
            if self._writer is not None:
                self._close_writer()
            held.unmake()
            raise
        self._opened.check()
        if held.at_its_place():
            return True
        self._close_writer()
        return False

    @contextmanager
    def _committed(self, connection: Any) -> Iterator[Ledger]:
        """The ledger of the store, in a transaction that is durable after the block, or rolled back."""
        self._begin(connection)
        ledger = self._ledger
        try:
            ledger.look()
            yield ledger
            commit(connection, self._path)
        except BaseException:
            ledger.forget()
            if connection.in_transaction:  # a full disk has rolled back already
                connection.execute("ROLLBACK")
            raise
        self._opened.check(links=False)  # what lies in another file must not be acknowledged
