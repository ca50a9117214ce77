"""The arithmetic of pages that several adapters share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from evstore.model.events import StoredEvent
from evstore.port import PAGE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DATA: Final = StoredEvent._fields.index("data_json")
"""The index of the data in a row of an event."""


event_of: Callable[[Iterable[Any]], StoredEvent] = partial(tuple.__new__, StoredEvent)
"""`StoredEvent._make` for values that are as many as its fields."""


def enough(rows: Iterable[Any]) -> list[Any]:
    """The next rows of events, until they hold as much text as a page may."""
    found: list[Any] = []
    characters = 0
    for row in rows:
        found.append(row)
        data = row[DATA]
        if isinstance(data, (str, bytes)):  # a damaged row may hold anything
            characters += len(data)
        if characters > PAGE_CHARACTERS:
            break
    return found


def end_of_prefix(prefix: str) -> str | None:
    """The first name in code point order that stands after every name with this prefix, None if there is none."""
    while prefix:
        last = ord(prefix[-1])
        prefix = prefix[:-1]
        if last == 0xD7FF:  # noqa: PLR2004 - surrogates are no characters
            return prefix + "\ue000"
        if last < 0x10FFFF:  # noqa: PLR2004 - the last code point has no successor: carry
            return prefix + chr(last + 1)
    return None
