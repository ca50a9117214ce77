"""Appends in a transaction of the application, on its own connection to the file of the store.

SQLite's write lock orders them among all writers until the COMMIT, which evstore does not see, and which runs
without the side lock. A checkpoint in it could overlap with one of evstore, which `session` explains. So the
connection makes none before the log is so long that no writer of evstore is at work: it would have merged it.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.adapters.sqlite import joining_statements as sql
from evstore.adapters.sqlite.errors import is_busy
from evstore.adapters.sqlite.writing import Ledger
from evstore.errors import InvalidInputError, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from evstore.adapters.sqlite.lock import SideLock
    from evstore.model.events import StoredEvent
    from evstore.port import Append, Outcome

FULL: Final = 2
"""The `synchronous` from which on a commit is on disk when it returns."""
LATE_PAGES: Final = 16_384
"""The pages of the log, of mostly 4 KiB, after which the COMMIT of an application merges it into the database."""
READ_BEFORE: Final = "a transaction that has read cannot wait for a writer: roll back, and execute BEGIN IMMEDIATE"


class SqliteJoined:
    """`port.Joined`, within a transaction."""

    def __init__(self, connection: Any, ledger: Ledger, path: str) -> None:
        self.connection = connection
        self._ledger = ledger
        self._path = path

    def append(self, unit: Append) -> Outcome:
        return self._ledger.append(unit)

    def get(self, ids: Sequence[str]) -> list[StoredEvent]:
        from evstore.adapters.sqlite.reading import get

        return get(self.connection, self._path, ids)


class Host(NamedTuple):
    """The store that a connection of the application is taken into."""

    sqlite: ModuleType
    path: str
    timeout: float
    lock: SideLock
    connect: Callable[[str, str], Any]
    patiently: Callable[[Callable[[float], Any]], None]
    admit: Callable[[Sequence[tuple[Any, ...]]], None]
    """Raises unless this evstore may write to the store, whose row it is."""
    check_files: Callable[[], None]
    """Raises unless what lies at the path is what the store was opened as."""


@contextmanager
def joined(host: Host, connection: Any) -> Iterator[SqliteJoined]:
    """The store in the transaction of the connection, which is as it was if the block raises."""
    _check_kind(host, connection)
    with _plain(connection):
        _check_usable(host, connection)
        with _patient(host, connection), _begun(host, connection), _undone(connection):
            yield _within(host, connection)


def _within(host: Host, connection: Any) -> SqliteJoined:
    _take_write_lock(host, connection)
    if connection.execute(sql.SHADOWS).fetchone():
        raise InvalidInputError("connection: it has a temporary table with the name of a table of the store")
    host.check_files()
    _check_same_file(host)
    host.admit(connection.execute(sql.ADMITS).fetchall())
    ledger = Ledger(host.sqlite, connection, host.path)
    ledger.look()
    return SqliteJoined(connection, ledger, host.path)


def _check_kind(host: Host, connection: Any) -> None:
    if not isinstance(connection, host.sqlite.Connection):
        kind, taken = type(connection), f"{host.sqlite.__name__}.Connection"
        raise InvalidInputError(
            f"connection: the store at {host.path} takes a {taken}, not a {kind.__module__}.{kind.__qualname__}"
        )


def _check_usable(host: Host, connection: Any) -> None:
    """Raise InvalidInputError for a connection whose append would not go to the store, or not be durable."""
    try:
        files = {name: file for _, name, file in connection.execute("PRAGMA database_list")}
        found = {each: connection.execute(f"PRAGMA {each}").fetchone()[0] for each in sql.SETTINGS}
    except host.sqlite.ProgrammingError as error:  # it is closed, or belongs to another thread
        raise InvalidInputError(f"connection: it cannot be used: {error}") from error
    if not _is_same(files.get("main"), host.path):
        raise InvalidInputError(
            f"connection: its database is {files.get('main') or 'in memory'}; an append to {host.path} needs a "
            f"connection to that file, as {host.sqlite.__name__}.connect({host.path!r})"
        )
    if found["query_only"]:
        raise InvalidInputError("connection: it only reads: execute PRAGMA query_only = OFF")
    if found["synchronous"] < FULL:
        raise InvalidInputError(
            "connection: its COMMIT does not wait for the disk: execute PRAGMA synchronous = FULL before the "
            "transaction begins"
        )
    if found["journal_mode"] != "wal":
        raise InvalidInputError(
            "connection: the log of the database is not in WAL mode: execute PRAGMA journal_mode = WAL before the "
            "transaction begins"
        )
    if not connection.in_transaction and _commits_by_itself(connection):
        raise InvalidInputError(
            "connection: it is in autocommit mode, and in no transaction: execute BEGIN IMMEDIATE before the "
            "append, and COMMIT after it"
        )


def _is_same(file: str | None, path: str) -> bool:
    try:
        return bool(file) and os.path.samefile(str(file), path)
    except OSError:
        return False


def _commits_by_itself(connection: Any) -> bool:
    """True if the module begins no transaction for an INSERT. Python 3.12 has a second attribute for that."""
    return connection.isolation_level is None or getattr(connection, "autocommit", False) is True


@contextmanager
def _plain(connection: Any) -> Iterator[None]:
    """The connection with rows as evstore reads them."""
    rows, texts = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, str
    try:
        yield
    finally:
        connection.row_factory, connection.text_factory = rows, texts


@contextmanager
def _patient(host: Host, connection: Any) -> Iterator[None]:
    """The connection with the patience of the store; for good, with late checkpoints, and as durable as ours."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    (pages,) = connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    if 0 < pages < LATE_PAGES:
        connection.execute(f"PRAGMA wal_autocheckpoint = {LATE_PAGES}")
    if sys.platform == "darwin":
        connection.execute("PRAGMA fullfsync = ON")
    connection.execute(_waiting(host.timeout))
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def _waiting(seconds: float) -> str:
    return f"PRAGMA busy_timeout = {max(1, round(seconds * 1000))}"


@contextmanager
def _begun(host: Host, connection: Any) -> Iterator[None]:
    """The transaction that the connection is in, or one that stays open unless the block raises."""
    if connection.in_transaction:
        yield
        return

    def begin(seconds: float) -> None:
        connection.execute(_waiting(seconds))
        connection.execute("BEGIN IMMEDIATE")

    with host.lock.held():  # with nothing in hand that another writer waits for
        host.patiently(begin)
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _undone(connection: Any) -> Iterator[None]:
    """A savepoint, to which the transaction returns if the block raises. A full disk has rolled back all of it."""
    connection.execute("SAVEPOINT evstore")
    try:
        yield
        connection.execute("RELEASE evstore")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO evstore")
            connection.execute("RELEASE evstore")
        raise


def _take_write_lock(host: Host, connection: Any) -> None:
    try:
        connection.execute(sql.WRITE_NOTHING)
    except host.sqlite.OperationalError as error:
        if not is_busy(error):
            raise
        busy = StoreBusyError(host.path, host.timeout, "another writer has the store")
        busy.add_note(READ_BEFORE)
        raise busy from error


def _check_same_file(host: Host) -> None:
    """Raise InvalidInputError unless the write lock, which the connection has, is that of the file at the path."""
    with closing(host.connect(host.path, "rw")) as another:
        another.execute("PRAGMA busy_timeout = 0")
        try:
            another.execute("BEGIN IMMEDIATE")
        except host.sqlite.OperationalError as error:
            if is_busy(error):
                return
            raise
        another.execute("ROLLBACK")
    raise InvalidInputError(
        f"connection: since it was opened, another file was put at {host.path}: connect anew, the store as well"
    )
