"""From a URL to the file of a store, and what lies there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from evstore.errors import DeniedError, InvalidUrlError, NotAStoreError, NotInitializedError
from evstore.urls import redacted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

APPLICATION_ID: Final = 0x45565354
"""EVST, in the header of every store."""
LOGS: Final = ("-journal", "-wal", "-shm")
"""The files that SQLite keeps beside a database, and would take for the log of a new one."""
WITH_EVENTS: Final = ("-wal", "-journal")
"""The logs without which a database may lack acknowledged events."""
SQLITE_CORRUPT: Final = 11
SQLITE_NOTADB: Final = 26


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
        raise NotInitializedError(path, lost_log(path))
    try:
        found = _application_id(sqlite, path, timeout)
    except sqlite.DatabaseError as error:
        if not os.access(path, os.R_OK):
            raise DeniedError(f"cannot read {path}: permission denied") from error
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) == SQLITE_NOTADB:
            raise NotAStoreError(path, "it is not a SQLite database") from error
        raise
    if found != APPLICATION_ID:
        raise NotAStoreError(path, "it is another program's database")


def _application_id(sqlite: ModuleType, path: str, timeout: float) -> int:
    """A file that no writer of evstore has touched is opened as immutable: SQLite then takes no lock and
    makes no file, so that another program's database stays as it is, its log unmerged. A store that is in use
    cannot be read that way, because a checkpoint may be writing the very page."""
    if not os.path.exists(lock_of(path)):
        try:
            return _ask(sqlite, uri_of(path, "ro&immutable=1"), timeout)
        except sqlite.DatabaseError as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) != SQLITE_CORRUPT:
                raise
    return _ask(sqlite, uri_of(path, "ro"), timeout)


def _ask(sqlite: ModuleType, uri: str, timeout: float) -> int:
    connection = sqlite.connect(uri, uri=True, timeout=timeout)
    try:
        connection.execute(
            "PRAGMA writable_schema = ON"
        )  # otherwise the header of a truncated file cannot be read
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    finally:
        connection.close()
    return int(application_id)


def is_store(connect: Callable[[str, str], Any], path: str) -> bool:
    """True for the database file of a store. Asked through SQLite, because this process may have it open."""
    connection = connect(path, "ro&immutable=1")
    try:
        (found,) = connection.execute("PRAGMA application_id").fetchone()
    except Exception as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) == SQLITE_NOTADB:
            return False
        raise
    finally:
        connection.close()
    return bool(found == APPLICATION_ID)


def lock_of(path: str) -> str:
    """The file beside the store on which its writers queue."""
    return f"{path}-lock"


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
    for each in WITH_EVENTS:
        with suppress(OSError):
            if os.stat(f"{path}{each}").st_size:
                return f"{path}{each} is there, the log of a database that was moved or removed"
    return ""


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
