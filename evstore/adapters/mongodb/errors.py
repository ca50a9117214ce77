"""Errors of the driver, and what they mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from evstore.errors import (
    CorruptStoreError,
    DeniedError,
    EvstoreError,
    InvalidInputError,
    InvalidUrlError,
    StorageFullError,
    StoreClosedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED: Final = frozenset({13, 18, 31, 33, 8000})
"""Unauthorized, AuthenticationFailed, RoleNotFound, KeyNotFound, and the answer of a hosted service."""
_FULL: Final = frozenset({14031})


def is_denied(error: PyMongoError) -> bool:
    """True if the server refused this user, so that nothing was done."""
    return isinstance(error, OperationFailure) and error.code in _DENIED


def meant(error: Exception, location: str) -> EvstoreError:
    """The error as evstore's."""
    made = _meant(error, location)
    made.__cause__ = error
    return made


def _meant(error: Exception, location: str) -> EvstoreError:
    if isinstance(error, InvalidOperation):  # the driver's word for a client that was closed
        return StoreClosedError()
    if isinstance(error, ConfigurationError) and type(error.__cause__).__module__.startswith("dns."):
        return UnavailableError(f"the servers of {location} cannot be looked up: {error}")
    if isinstance(error, ConfigurationError):
        return InvalidUrlError(f"{location}: {error}")
    if isinstance(error, DocumentTooLarge):
        return InvalidInputError(f"{location} takes no document so large: {error}")
    if isinstance(error, (ConnectionFailure, ExecutionTimeout, WTimeoutError)):
        return UnavailableError(f"the servers of {location} do not answer: {error}")
    if isinstance(error, OperationFailure):
        if is_denied(error):
            return DeniedError(f"no permission on {location}: {error}")
        if error.code in _FULL:
            return StorageFullError(f"the servers of {location} have no room: {error}")
        return UnavailableError(f"the servers of {location} refused: {error}")
    if isinstance(error, BSONError):
        return CorruptStoreError(f"{location}: {error}")
    return UnavailableError(f"{location}: {error}")


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Within the block, errors of the driver become evstore's."""
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise meant(error, location) from error
