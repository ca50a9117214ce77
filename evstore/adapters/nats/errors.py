"""Answers of JetStream that are errors, and what they mean."""

from __future__ import annotations

from typing import Any, Final

from evstore.errors import (
    CorruptStoreError,
    DeniedError,
    EvstoreError,
    InvalidInputError,
    StorageFullError,
    UnavailableError,
)

NO_STREAM: Final = 10059
NO_MESSAGE: Final = 10037
NAME_IN_USE: Final = 10058
SUBJECTS_OVERLAP: Final = 10065
TOO_LARGE: Final = 10199
LOST_RACE: Final = frozenset({10071, 10164, 10176, 10201, 10210})
"""Nothing was stored: a guard was refused, a batch was not complete, or too many batches were open."""
NOT_NOW: Final = frozenset({10008, 10009, 10023})
"""The cluster has no leader, or is short of something, for the moment."""
FULL: Final = frozenset({10047, 10054, 10077, 10028, 10002})
TOO_LONG: Final = frozenset({10053, 10054})


class AnsweredError(Exception):
    """JetStream answered a request by an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("description", "no reason"))
        self.code = int(error.get("err_code", error.get("code", 0)))


class NoAnswerError(Exception):
    """No answer came: the server may have done what it was asked."""


class NotReachedError(Exception):
    """Nobody received the request, so nothing was done."""


class EndedError(Exception):
    """The adapter was closed before the answer came."""


class ForbiddenError(Exception):
    """The server refused the subject to this user."""


def is_unsure(error: Exception, has_replicas: bool) -> bool:
    """True if what was published is perhaps stored.

    A leader without room may have failed alone: the other replicas have it, and one of them leads next.
    """
    if isinstance(error, AnsweredError):
        return error.code in NOT_NOW or (has_replicas and error.code in FULL - TOO_LONG)
    return isinstance(error, NoAnswerError)


FAILURES: Final = (EvstoreError, AnsweredError, ForbiddenError, NoAnswerError, NotReachedError)
"""The errors of a call, those that `meant` translates and those that need it not."""


def meant(error: Exception, location: str) -> EvstoreError:
    """The error as evstore's."""
    made = _meant(error, location)
    made.__cause__ = error
    return made


def _meant(error: Exception, location: str) -> EvstoreError:
    if isinstance(error, ForbiddenError):
        return DeniedError(f"no permission on {location}: {error}")
    if isinstance(error, (NoAnswerError, NotReachedError)):
        return UnavailableError(f"the servers of {location} do not answer: {error}")
    if isinstance(error, AnsweredError):
        if error.code in TOO_LONG:
            return InvalidInputError(
                f"{location} takes no message so long: {error}; see max_payload of its servers"
            )
        if error.code == TOO_LARGE:
            return InvalidInputError(
                f"{location} takes no append so large: {error} messages, two for each event; see the option "
                "jetstream { limits { batch { max_msgs } } } of its servers"
            )
        if error.code in FULL:
            return StorageFullError(f"the servers of {location} have no room: {error}")
        if error.code in NOT_NOW:
            return UnavailableError(f"the servers of {location} cannot answer now: {error}")
        return UnavailableError(f"the servers of {location} refused: {error} ({error.code})")
    return CorruptStoreError(f"{location}: {error}")
