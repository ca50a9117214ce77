"""Event ids: their spelling, and their makers."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY_NAMESPACE: Final = "f2a7c1de-5d5b-5c1e-9b0a-2f4f1d8b6f3e"
"""The namespace of ids made from keys; it must never change."""
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def normalize_id(event_id: object) -> str:
    """The id as it is stored: 36 characters, lower case. Every UUID version is accepted."""
    text = str(event_id).lower()
    if not _UUID.fullmatch(text):
        given = str(event_id)
        shown = given if len(given) <= 50 else given[:50] + "…"  # noqa: PLR2004
        raise InvalidInputError(f'"{shown}" is not an event id: an id is a UUID of 36 characters')
    return text


def is_id(text: str) -> bool:
    """True if an id is stored like this."""
    return _UUID.fullmatch(text) is not None


def new_id() -> str:
    """A fresh UUIDv7. Ids made in succession are neighbours in the index."""
    return str(_uuid7()())


@cache  # loaded where an id is made, and not looked for each time
def _uuid7() -> Callable[[], object]:
    if sys.version_info >= (3, 14):
        from uuid import uuid7
    else:
        from uuid_utils import uuid7
    return uuid7


def key_id(stream_id: str, key: str, ordinal: int) -> str:
    """A UUIDv5 of the stream, the caller's key and the event's ordinal (from 1) in its append."""
    from uuid import UUID, uuid5

    if not isinstance(key, str) or not key:
        raise InvalidInputError("the key is empty")
    try:
        # The length stands first, so that two different pairs of stream and key never make the same text.
        return str(uuid5(UUID(_KEY_NAMESPACE), f"{len(stream_id)}:{stream_id}:{key}:{ordinal}"))
    except UnicodeEncodeError:
        raise InvalidInputError("the key holds a lone surrogate") from None
