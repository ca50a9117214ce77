"""A SQLite store and its connections.

One connection writes, under a lock on a side file (see `lock`); others read, each opened read-only, so that
reading can never checkpoint. On the SQLite versions with the WAL-reset bug (https://sqlite.org/wal.html) a
checkpoint that overlaps a commit can lose it; here both happen only under the side lock: the automatic one
inside COMMIT, and the one of the last close. That holds on every version, so none is treated apart.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from evstore.adapters.living import check_open
from evstore.adapters.patience import Patience
from evstore.adapters.sql import OLDEST_SCHEMA, check_tables
from evstore.adapters.sqlite import statements as sql
from evstore.adapters.sqlite.admitting import check_store
from evstore.adapters.sqlite.beside import READ, READ_FROZEN, Frozen, may, reading_mode, share
from evstore.adapters.sqlite.errors import Translated, is_busy
from evstore.adapters.sqlite.identity import OpenedFiles
from evstore.adapters.sqlite.location import check_is_store, exclusive, lock_of, uri_of
from evstore.adapters.sqlite.lock import SideLock
from evstore.adapters.sqlite.module import check_usable
from evstore.adapters.wholeness import Counted
from evstore.atomic import SIDE_FILES
from evstore.errors import (
    DeniedError,
    EvstoreError,
    StoreBusyError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from evstore.adapters.sqlite.rows import Names
    from evstore.model.facts import LockWait
    from evstore.port import Joined


class Session:
    """The connections to one store, and who may use it."""

    _oldest_schema = OLDEST_SCHEMA

    def __init__(self, sqlite: ModuleType, path: str, timeout: float, named: str = "") -> None:
        """`path`: the file itself. `named`: the same, by the symbolic links that lead to it."""
        self.location = path
        self.files = (path, *(f"{path}{each}" for each in SIDE_FILES))
        self._sqlite = sqlite
        self._usable = False  # not looked at yet
        self._path, self._named = path, named
        self._timeout = timeout
        self._opened = OpenedFiles(path, named or path)
        self._translated = Translated(sqlite, path, timeout, self._opened.check_database)
        self._patience = Patience(path, timeout)
        self._lock = SideLock(lock_of(path), path, self._patience, self._alone)
        self._counted = Counted()
        self._counted_tags = Counted()
        self._writer: Any = None
        self._readers: list[Any] = []  # idle connections; a connection serves one call at a time
        self._names: dict[Any, Names] = {}  # of each connection that has read the log
        self._frozen: Frozen | None = None  # the files as they were, if the readers take no lock
        self._has_read = False
        self._notes: dict[str, None] = {}
        self._closed = False
        self._pid = os.getpid()

    @property
    def on_wait(self) -> Callable[[LockWait], None] | None:
        return self._patience.on_wait

    @on_wait.setter
    def on_wait(self, on_wait: Callable[[LockWait], None] | None) -> None:
        self._patience.on_wait = on_wait

    def close(self) -> None:
        self._closed = True
        if self._pid != os.getpid():
            return  # the connections belong to the process that opened them
        self._close_readers()
        if self._writer is None:  # an append that opens it meanwhile sees that the session is closed
            if self._has_read:
                self._clear()
            return
        # Where an append takes longer than the timeout, its thread closes.
        with suppress(StoreBusyError), self._lock.in_process(self._timeout):
            self._end_writing()

    def _end_writing(self) -> None:
        """Close the connection that writes. The caller keeps the other threads out."""
        if self._writer is None:
            return
        if not self._opened.in_place():  # and SQLite checkpoints no file that was moved
            self._close_writer()
            return
        try:
            with self._lock.on_file():
                self._close_writer()
        except (UnavailableError, DeniedError):
            # Another process writes, so this close must not checkpoint; an open reader keeps it from that.
            guard = self._connect(self._path, "ro")
            guard.execute(sql.HEAD).fetchall()
            self._close_writer()
            guard.close()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        writer.close()

    def _clear(self) -> None:
        """Remove the empty log that reading made and leaves, as closing a connection that may write does, unless
        somebody else has the store open. Where the log holds anything, that would be a checkpoint."""
        with suppress(OSError, EvstoreError, UnicodeDecodeError, self._sqlite.Error):  # nothing depends on it
            if os.stat(f"{self._path}-wal").st_size or reading_mode(self._path) != READ:
                return
            with self._lock.in_process(0), self._lock.on_file() as held:
                with closing(self._connect(self._path, "rw")) as last:
                    last.execute("PRAGMA schema_version").fetchall()
                held.unmake()

    def _check_open(self) -> None:
        check_open(self._closed, self._pid)
        if not self._usable:
            check_usable(self._sqlite)
            self._usable = True

    def _connect(self, path: str, mode: str) -> Any:
        connection = self._sqlite.connect(
            uri_of(path, mode),
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,  # handed from thread to thread, never used by two at once
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    def _check_is_store(self) -> None:
        """Raise unless a store lies there. Only a program that is not evstore keeps others from that."""
        self._patiently(lambda seconds: check_is_store(self._sqlite, self._path, seconds))

    def _patiently(self, ask: Callable[[float], Any]) -> None:
        """Let `ask` wait for another program, as often as SQLite reports the store as busy within the timeout."""
        failed: list[Exception] = []

        def asked(seconds: float) -> bool:
            try:
                ask(seconds)
            except self._sqlite.OperationalError as error:
                if not is_busy(error):
                    raise
                failed.append(error)
                return False
            return True

        if not self._patience.until(asked, self._timeout, lambda: "not evstore, but another program"):
            raise failed[-1]

    def _begin(self, connection: Any) -> None:
        """Begin a transaction that writes.

        IMMEDIATE, because a transaction that reads first and then wants to write fails at once when somebody wrote
        in between, without waiting.
        """

        def begin(seconds: float) -> None:
            if seconds != self._timeout:
                connection.execute(f"PRAGMA busy_timeout = {max(1, round(seconds * 1000))}")
            connection.execute("BEGIN IMMEDIATE")

        self._patiently(begin)

    def _open(self, *, to_write: bool) -> Any:
        self._opened.check_database()
        self._check_is_store()
        found = self._opened.look()
        connection = self._connect(self._path, "rw" if to_write else self._reading_mode())
        try:
            check_tables(self._path, connection.execute(sql.STRANGE_TABLES).fetchall())
            check_store(
                self._path, connection.execute(sql.ADMITS).fetchall(), self._oldest_schema, to_write=to_write
            )
            self._opened.opened(found)
            share(self._path, os.stat(self._path))
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_writer(self) -> Any:
        connection = self._open(to_write=True)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -4096")  # KiB; a large append writes its pages fewer times
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if sys.platform == "darwin":  # there fsync alone does not reach the disk
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # killed between its making and this
            connection.execute("PRAGMA journal_mode = WAL")
        return connection

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """A time in which nobody else has the database open, else False."""
        self._close_readers()
        if self._writer is not None or not may(self._path, os.W_OK):
            yield False
            return
        self._opened.forget_log()
        with exclusive(self._connect, self._path) as alone:
            yield alone is not None

    @contextmanager
    def _reading(self, *, to_follow: bool = False) -> Iterator[Any]:
        self._check_open()
        with self._translated:
            connection = self._reader()
            frozen = self._frozen  # where nothing can be made beside the database, it is read as it lies
            try:
                if to_follow and frozen:
                    raise DeniedError(f"cannot follow the event store at {self._path}: {frozen.reason}")
                yield connection
            except Exception as error:
                if frozen and not frozen.lasts():  # whatever was found then
                    raise frozen.changed() from error
                raise
            else:
                if frozen and not frozen.lasts():
                    raise frozen.changed()
            finally:
                if frozen is not self._frozen:
                    self._close_reader(connection)
                else:
                    self._readers.append(connection)
                if self._closed:  # also by another thread, just now
                    self._close_readers()

    def _reader(self) -> Any:
        if self._frozen and not self._frozen.lasts():
            self._close_readers()
            self._frozen = None
        try:
            return self._readers.pop()
        except IndexError:
            return self._open(to_write=False)

    def _reading_mode(self) -> str:
        mode = reading_mode(self._path)
        self._has_read = mode == READ
        if mode == READ_FROZEN:
            self._frozen = Frozen.of(self._path)
            self._notes[f"{self._path} is read as it lies (immutable): {self._frozen.reason}"] = None
        return mode

    @contextmanager
    def joined(self, connection: Any) -> Iterator[Joined]:
        """The store in a transaction of the application, as `port.Joins` has it."""
        from evstore.adapters.sqlite.joining import Host, joined

        with self._reading():  # which opens the store, and checks that this evstore may use it
            pass
        host = Host(
            self._sqlite,
            self._path,
            self._timeout,
            self._lock,
            self._connect,
            self._patiently,
            admit=partial(check_store, self._path, oldest=self._oldest_schema, to_write=True),
            check_files=self._opened.check,
        )
        with self._translated, joined(host, connection) as found:
            yield found

    def _close_readers(self) -> None:
        with suppress(IndexError):  # also if another thread takes the last one
            while True:
                self._close_reader(self._readers.pop())

    def _close_reader(self, connection: Any) -> None:
        self._names.pop(connection, None)
        connection.close()
