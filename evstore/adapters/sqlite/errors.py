"""The meanings of SQLite's failures, distinguished by result code, never by message.

One exception: metadata that is no JSON. Where a statement looks into it, SQLite calls that an error of the
statement, as it calls a table that is missing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from evstore.adapters.sqlite.beside import closed_to_us
from evstore.errors import (
    CorruptStoreError,
    DeniedError,
    EvstoreError,
    NotAStoreError,
    StorageFullError,
    StoreBusyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# Primary result codes, https://sqlite.org/rescode.html
BUSY: Final = (5, 6)
"""Another connection has locked what the statement needs."""
CORRUPT: Final = 11
NOTADB: Final = 26
_DENIED: Final = {3: "no permission", 8: "it is read-only", 14: "cannot be opened", 23: "no authorization"}
_FOREIGN: Final = "another program than evstore keeps the file locked"
FULL: Final = {10: "the disk failed", 13: "the disk is full"}
_NOT_UTF8: Final = "it holds text that is not UTF-8"
_NO_JSON: Final = "malformed JSON"
_NO_METADATA: Final = "the metadata of an event is not JSON; evstore verify reports which"
_CORRUPT: Final = {1: "its schema is not evstore's", CORRUPT: "it is malformed", 19: "its own rules are broken"}


def is_busy(error: Exception) -> bool:
    """True if another connection holds what the statement needs."""
    return primary_code(error) in BUSY


def primary_code(error: BaseException) -> int:
    """SQLite's primary result code of its error, 0 for an error that is not SQLite's."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


@contextmanager
def translated(sqlite: ModuleType, path: str, timeout: float) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:  # in SQLite's own message, of a schema that is damaged
        raise CorruptStoreError(f"the event store at {path} is damaged: {_NOT_UTF8}") from error
    except sqlite.OperationalError as error:
        # Not SQLite's, but of the module that could not decode its answer.
        if getattr(error, "sqlite_errorcode", None) is None:
            raise CorruptStoreError(f"the event store at {path} is damaged: {_NOT_UTF8} ({error})") from error
        raise _translate(error, path, timeout) from error
    except sqlite.Error as error:
        raise _translate(error, path, timeout) from error


def _translate(error: Exception, path: str, timeout: float) -> EvstoreError:
    primary = primary_code(error)
    if primary in BUSY:
        return StoreBusyError(path, timeout, _FOREIGN)  # evstore's own writers queue on the lock beside it
    if primary == NOTADB:
        return NotAStoreError(path, "it is not a SQLite database")
    if primary in _DENIED:
        return DeniedError(f"the event store at {path}: {closed_to_us(path) or _DENIED[primary]} ({error})")
    if primary in FULL:
        return StorageFullError(f"the event store at {path}: {FULL[primary]} ({error}); nothing was stored")
    if str(error) == _NO_JSON:
        return CorruptStoreError(f"the event store at {path} is damaged: {_NO_METADATA}")
    if primary in _CORRUPT:
        return CorruptStoreError(f"the event store at {path} is damaged: {_CORRUPT[primary]} ({error})")
    return EvstoreError(f"SQLite failed at {path}: {error}")
