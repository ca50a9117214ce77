"""The meanings of SQLite's failures, distinguished by result code, never by message.

One exception: metadata that is no JSON. Where a statement looks into it, SQLite calls that an error of the
statement, as it calls a table that is missing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.sqlite.beside import closed_to_us
from evstore.errors import (
    CorruptStoreError,
    DeniedError,
    EvstoreError,
    NotAStoreError,
    StorageFullError,
    StoreBusyError,
    UnavailableError,
)
from evstore.port import outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType, TracebackType

    from evstore.port import Append

# Primary result codes, https://sqlite.org/rescode.html
BUSY: Final = (5, 6)
"""Another connection has locked what the statement needs."""
CORRUPT: Final = 11
NOTADB: Final = 26
_DENIED: Final = {3: "no permission", 8: "it is read-only", 14: "cannot be opened", 23: "no authorization"}
_FOREIGN: Final = "another program than evstore, or a transaction of an application, keeps the file locked"
_IOERR: Final = 10
_IOERR_WRITE: Final = _IOERR | 3 << 8
FULL: Final = {_IOERR: "the disk failed", 13: "the disk is full"}
_NOT_UTF8: Final = "it holds text that is not UTF-8"
_NO_JSON: Final = "malformed JSON"
_NO_METADATA: Final = "the metadata of an event is not JSON; evstore verify reports which"
_CORRUPT: Final = {1: "its schema is not evstore's", CORRUPT: "it is malformed", 19: "its own rules are broken"}


def is_busy(error: Exception) -> bool:
    """True if another connection holds what the statement needs."""
    return primary_code(error) in BUSY


def is_of_statement(error: Exception) -> bool:
    """True if the statement is at fault, or does not suit the rows: the database and its disk are as they were."""
    return primary_code(error) in (1, 18, 19, 20, 25)  # ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE


def primary_code(error: BaseException) -> int:
    """SQLite's primary result code of its error, 0 for an error that is not SQLite's."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def commit(connection: Any, path: str) -> None:
    """Commit. UnavailableError if the disk may have kept the commit, or not.

    What fails after the last page of a commit was written, as a flush does, SQLite takes back. But the log holds a
    whole commit then, which a process that opens the store after a crash takes for one.
    """
    try:
        connection.execute("COMMIT")
    except Exception as error:
        if primary_code(error) != _IOERR or getattr(error, "sqlite_errorcode", 0) == _IOERR_WRITE:
            raise
        raise UnavailableError(
            f"the event store at {path}: the disk failed in a commit, which may be stored or not ({error})"
        ) from error


@contextmanager
def in_doubt(units: Sequence[Append]) -> Iterator[None]:
    """A block that commits these units: a commit that may be stored or not leaves them so."""
    try:
        yield
    except UnavailableError as error:
        if error.__cause__ is None or primary_code(error.__cause__) != _IOERR:
            raise
        raise outcome_unknown(units, f"the disk failed: {error.__cause__}") from error.__cause__


class Translated:
    """A context, entered as often as one likes, out of which come evstore's errors in place of SQLite's."""

    def __init__(self, sqlite: ModuleType, path: str, timeout: float, check_there: Callable[[], None]) -> None:
        """`check_there`: raises an error of its own if the file is not where it was opened."""
        self._sqlite = sqlite
        self._check_there = check_there
        self._path = path
        self._timeout = timeout

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, UnicodeDecodeError):  # in SQLite's own message, of a schema that is damaged
            raise CorruptStoreError(f"the event store at {self._path} is damaged: {_NOT_UTF8}") from error
        if isinstance(error, self._sqlite.Error):
            self._check_there()  # of files that are half moved SQLite says that the disk failed
            raise self._meaning(error) from error

    def _meaning(self, error: Exception) -> EvstoreError:
        # Not SQLite's, but of the module that could not decode its answer.
        if isinstance(error, self._sqlite.OperationalError) and getattr(error, "sqlite_errorcode", None) is None:
            return CorruptStoreError(f"the event store at {self._path} is damaged: {_NOT_UTF8} ({error})")
        return _translate(error, self._path, self._timeout)


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
