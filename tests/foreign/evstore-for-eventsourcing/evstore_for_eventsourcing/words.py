"""What both kinds of recorders share: bytes as JSON, errors, and subscriptions that can be stopped."""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import eventsourcing.persistence as es

from evstore import (
    AppendConditionError,
    ConflictError,
    EvstoreError,
    InvalidInputError,
    StoreClosedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore import StoredEvent

POLL: Final = 0.2
"""Seconds after which a subscription looks whether it was stopped."""


def text_of(state: bytes) -> str:
    return b64encode(state).decode()


def bytes_of(text: str) -> bytes:
    return b64decode(text, validate=True)


@contextmanager
def errors() -> Iterator[None]:
    """Errors of evstore as those of eventsourcing."""
    try:
        yield
    except (ConflictError, AppendConditionError) as error:
        raise es.IntegrityError(str(error)) from error
    except InvalidInputError as error:
        raise es.ProgrammingError(str(error)) from error
    except (UnavailableError, StoreClosedError) as error:
        raise es.OperationalError(str(error)) from error
    except EvstoreError as error:
        raise es.DatabaseError(str(error)) from error


def until_stopped(
    follow: Callable[[int], Iterator[StoredEvent]], after: int, stopped: Callable[[], bool]
) -> Iterator[StoredEvent]:
    """Events after a position until `stopped`. `follow` ends when nothing has come for a while."""
    while not stopped():
        for event in follow(after):
            after = event.global_position
            yield event
            if stopped():
                return
