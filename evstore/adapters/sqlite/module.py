"""The Python module by which SQLite is used: the standard one, or another with the same interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from types import ModuleType

OLDEST_SQLITE: Final = (3, 37)  # STRICT tables
STANDARD: Final = "sqlite3"
_ERRORS: Final = ("Error", "DatabaseError", "OperationalError", "IntegrityError")
_OF_A_CONNECTION: Final = ("backup", "executemany", "executescript", "in_transaction", "text_factory")


def check_version(sqlite: ModuleType) -> None:
    """Raise MissingDependencyError for what is no module of SQLite, or of one that is too old."""
    version = getattr(sqlite, "sqlite_version_info", None)
    if not isinstance(version, tuple):
        raise _unsuitable(sqlite, "it has no sqlite_version_info")
    if version < OLDEST_SQLITE:
        raise MissingDependencyError(f"evstore needs SQLite 3.37 or newer, this is {sqlite.sqlite_version}")


def check_usable(sqlite: ModuleType) -> None:
    """Raise MissingDependencyError for a module that lacks some of what evstore does with it."""
    if sqlite.__name__ == STANDARD:
        return
    try:
        for each in _ERRORS:
            getattr(sqlite, each)
        # As a store is opened: by a URI, and without transactions of the module's own.
        connection = sqlite.connect(
            "file:?mode=memory", uri=True, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            for each in _OF_A_CONNECTION:
                getattr(connection, each)
            _check_codes(sqlite, connection)
        finally:
            connection.close()
    except MissingDependencyError:
        raise
    except Exception as error:
        raise _unsuitable(sqlite, str(error)) from error


def _check_codes(sqlite: ModuleType, connection: Any) -> None:
    """Failures are distinguished by SQLite's codes, never by message."""
    try:
        connection.execute("SELECT 1 FROM absent")
    except sqlite.Error as error:
        if not isinstance(getattr(error, "sqlite_errorcode", None), int):
            raise _unsuitable(sqlite, "its errors have no sqlite_errorcode") from error


def _unsuitable(sqlite: ModuleType, reason: str) -> MissingDependencyError:
    name = getattr(sqlite, "__name__", repr(sqlite))
    return MissingDependencyError(f"{name} does not have the interface of Python's sqlite3: {reason}")
