"""Ids of events: how they are spelled, and how they are made."""

from __future__ import annotations

import re
import sys
from typing import Final

from evstore.errors import InvalidInputError

_KEY_NAMESPACE: Final = "f2a7c1de-5d5b-5c1e-9b0a-2f4f1d8b6f3e"
"""The namespace of ids made from keys; it must never change."""
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def normalize_id(event_id: object) -> str:
    """The id as it is stored: 36 characters, lower case. Any UUID version is taken."""
    text = str(event_id).lower()
    if not _UUID.fullmatch(text):
        shown = text if len(text) <= 50 else text[:50] + "…"  # noqa: PLR2004
        raise InvalidInputError(f'"{shown}" is not an event id: 36 characters, as in a UUID')
    return text


def new_id() -> str:
    """A fresh UUIDv7: ids made one after the other are neighbours in the index."""
    if sys.version_info >= (3, 14):
        from uuid import uuid7
    else:
        from uuid_utils import uuid7
    return str(uuid7())


def key_id(stream_id: str, key: str, ordinal: int) -> str:
    """The id that a caller's key makes for the event at this place (from 1) of an append: a UUIDv5."""
    from uuid import UUID, uuid5

    if not isinstance(key, str) or not key:
        raise InvalidInputError("the key is empty")
    try:
        # Length first, so that no stream and key together look like another pair.
        return str(uuid5(UUID(_KEY_NAMESPACE), f"{len(stream_id)}:{stream_id}:{key}:{ordinal}"))
    except UnicodeEncodeError:
        raise InvalidInputError("the key holds a lone surrogate") from None
