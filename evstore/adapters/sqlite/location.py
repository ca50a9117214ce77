"""From a URL to the file of a store, and what lies there."""

from __future__ import annotations

import os
import stat
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from evstore.adapters.sqlite.beside import LOCK, LOGS, READ_FROZEN, Frozen, log_with_events, may, reading_mode
from evstore.adapters.sqlite.errors import CORRUPT, NOTADB, is_busy, primary_code
from evstore.errors import DeniedError, InvalidTargetError, InvalidUrlError, NotAStoreError, NotInitializedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

APPLICATION_ID: Final = 0x45565354
"""EVST, in the header of every store."""
SCHEMA: Final = 1
"""The number of the schema that this evstore makes, reads and writes."""
_TABLES: Final = ("store", "categories", "types", "streams", "events")
_COUNT_TABLES: Final = (
    "SELECT count(*) FROM sqlite_schema "
    "WHERE type = 'table' AND name IN ('store', 'categories', 'types', 'streams', 'events')"
)


def path_of(url: str) -> str:
    """The file that a URL means: `sqlite:///rel.db`, `sqlite:////abs.db` (as SQLAlchemy has it), `sqlite:rel.db`.

    The path is taken literally: nothing in it is a parameter, a fragment or an escape.
    """
    rest = url.partition(":")[2]
    if not rest.startswith("//"):
        path = rest
    elif rest.startswith("///"):
        path = rest[3:]
    else:
        from evstore.urls import redacted

        raise InvalidUrlError(
            f'"{redacted(url)}" names a host; a SQLite path follows three slashes, or four if absolute'
        )
    if not path:
        raise InvalidUrlError(f'"{url}" has no path')
    if "\0" in path:
        raise InvalidUrlError("the path of the store holds U+0000")
    if rest.startswith("///") and not path.startswith("/"):
        _check_slashes(url, path)
    return path


def _check_slashes(url: str, path: str) -> None:
    """Three slashes are relative here and absolute elsewhere; ask where only the other reading makes sense."""
    top = path.partition("/")[0]
    if top != path and not os.path.isdir(top) and os.path.isdir("/" + top):
        raise InvalidUrlError(
            f'"{url}" is relative and there is no folder "{top}" here; did you mean "sqlite:////{path}"?'
        )


def uri_of(path: str, mode: str) -> str:
    """SQLite's URI for an absolute path, nothing of which can be taken for a parameter."""
    return f"file://{quote(os.fsencode(path))}?mode={mode}"


def check_is_store(sqlite: ModuleType, path: str, timeout: float) -> None:
    """Raise unless the file is a store, without changing it or anything beside it.

    The file is never read around SQLite: closing it would drop the locks of whoever has it open in this process.
    """
    if is_empty(path):
        raise NotInitializedError(path, lost_log(path) or left_lock(path))
    try:
        found = _header(sqlite, path, timeout)
    except sqlite.DatabaseError as error:
        if not may(path, os.R_OK):
            raise DeniedError(f"cannot read {path}: permission denied") from error
        if primary_code(error) == NOTADB:
            raise NotAStoreError(path, "it is not a SQLite database") from error
        raise
    if found.application_id == APPLICATION_ID:
        return
    if found.tables < len(_TABLES):
        raise NotAStoreError(path, "it is another program's database")
    refused = NotAStoreError(path, "it has the tables of one, but lost its marks, as in a restored .dump")
    refused.add_note(f"{marking(path)} makes it one again")
    raise refused


def marking(path: str) -> str:
    """The command that gives a store its marks again, which a copy by .dump has lost."""
    from shlex import quote as word

    return f'sqlite3 {word(path)} "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}"'


class _Header(NamedTuple):
    """The mark by which SQLite databases are told apart, and how many of the store's tables are there without."""

    application_id: int
    tables: int


def _header(sqlite: ModuleType, path: str, timeout: float) -> _Header:
    """A file that no writer of evstore has touched is opened as immutable: SQLite then takes no lock and
    makes no file, so that another program's database stays as it is, its log unmerged. So is a store that nobody
    uses, for a refused command leaves no file; one that is in use cannot be read that way, because a checkpoint
    may be writing the very page."""
    touched = os.path.exists(lock_of(path))
    if not touched or not os.path.exists(f"{path}-wal"):
        before = Frozen.of(path)
        try:
            found = _ask(sqlite, uri_of(path, READ_FROZEN), timeout)
        except sqlite.DatabaseError as error:
            if primary_code(error) != CORRUPT:
                raise
        else:
            if not touched or before.lasts():
                return found
    return _ask(sqlite, uri_of(path, reading_mode(path)), timeout)


def _ask(sqlite: ModuleType, uri: str, timeout: float) -> _Header:
    connection = sqlite.connect(uri, uri=True, timeout=timeout)
    try:
        application_id = _application_id(connection)
        if application_id == APPLICATION_ID:
            return _Header(application_id, 0)
        (tables,) = connection.execute(_COUNT_TABLES).fetchone()
    finally:
        connection.close()
    return _Header(application_id, tables)


def _application_id(connection: Any) -> int:
    connection.execute("PRAGMA writable_schema = ON")  # or the header of a truncated file could not be read
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    return int(found)


def is_store(connect: Callable[[str, str], Any], path: str) -> bool:
    """True for the database file of a store. Asked through SQLite, because this process may have it open."""
    try:
        with closing(connect(path, READ_FROZEN)) as connection:
            return _application_id(connection) == APPLICATION_ID
    except Exception as error:
        code = primary_code(error)
        if code == NOTADB:
            return False
        if code:
            raise _cannot_read(path, error) from error
        raise


@contextmanager
def exclusive(connect: Callable[[str, str], Any], path: str) -> Iterator[Any]:
    """A connection while no other, of this process or of another, uses the database, else None.

    SQLite shows no idle connection to a database without a `-wal`: it holds no lock.
    """
    with closing(connect(path, "rw")) as connection:
        alone = connection
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("BEGIN EXCLUSIVE")
        except Exception as error:
            if not is_busy(error):
                raise
            alone = None
        try:
            yield alone
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.interrupt()  # or closing would merge the log of a writer that was killed


def check_is_backup(connect: Callable[[str, str], Any], path: str) -> None:
    """Raise InvalidTargetError if a store lies there, unless it is a backup that nobody uses and that has no log.

    A backup has no `-wal` until it is appended to; a store has one from its making on.
    """
    log = log_with_events(path)
    if log is None or log.endswith("-wal"):  # a `-journal` would be played back
        try:
            with exclusive(connect, path) as alone:
                if alone is None:
                    raise InvalidTargetError(path, "it is an event store that is in use; choose another file")
                mode = alone.execute("PRAGMA journal_mode").fetchone()
        except Exception as error:
            if primary_code(error):
                raise _cannot_read(path, error) from error
            raise
        if mode != ("wal",) and log is None:
            return
    holds = f", and {log} holds events of it" if log else ""
    raise InvalidTargetError(path, f"it is an event store and no backup{holds}; choose another file")


def _cannot_read(path: str, error: Exception) -> InvalidTargetError:
    return InvalidTargetError(path, f"it is there and cannot be read: {error}")


def lock_of(path: str) -> str:
    """The file beside the store on which its writers queue."""
    return f"{path}{LOCK}"


def is_empty(path: str) -> bool:
    """True if there is no file or an empty file, so that a store may be made there."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise DeniedError(f"cannot open the event store at {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise NotAStoreError(path, "it is a folder" if stat.S_ISDIR(found.st_mode) else "it is not a file")
    return found.st_size == 0


def lost_log(path: str) -> str:
    """A clause on the log of a database that is gone, or nothing. The log holds events of that database."""
    log = log_with_events(path)
    return f"{log} is there, the log of a database that was moved or removed" if log else ""


def left_lock(path: str) -> str:
    """A clause on the lock of a database that is gone, or nothing."""
    lock = lock_of(path)
    return f"{lock} is there, so one was here and was moved or removed" if os.path.exists(lock) else ""


def make(path: str, fill: Callable[[str], None]) -> None:
    """Let `fill` make a store under another name, then rename it: no process ever sees half a store.

    The caller holds the side lock. What SQLite left beside a store that was removed would be taken for a part of
    the new one, so it goes first: where it holds events, NotInitializedError.
    """
    from evstore.atomic import cannot_write, new_file

    if lost := lost_log(path):
        raise NotInitializedError(path, lost)
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.evstore-init")  # removed below, so no foreign file may have the name
    for each in ("", *LOGS):
        with suppress(FileNotFoundError):
            os.unlink(f"{new}{each}")
    try:
        with new_file(path, force=True, part=new, leftovers=LOGS):
            fill(new)
    except OSError as error:
        raise cannot_write(path, error) from error
