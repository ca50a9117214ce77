"""The rules of names: stream ids, categories, event types, tags. Each rule is defined here and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evstore.errors import InvalidInputError, InvalidStreamIdError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_STREAM_ID_BYTES: Final = 512
MAX_NAME_BYTES: Final = 255
MAX_TAGS: Final = 64
"""The most tags of an event."""

REDACTIONS: Final = "$redactions"
"""The stream that tells of redactions. evstore alone appends to it."""

_REFUSED_CHARACTER: Final = "[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


def category_of(stream_id: str) -> str:
    """The text before the first hyphen; an id without a hyphen is its own category."""
    return stream_id.partition("-")[0]


def check_known_stream_id(stream_id: str) -> None:
    """Raise InvalidStreamIdError unless a store may hold this stream."""
    if stream_id != REDACTIONS:
        check_stream_id(stream_id)


def check_stream_id(stream_id: str) -> None:
    """Raise InvalidStreamIdError with the reason unless one may append to this stream."""
    if not isinstance(stream_id, str):
        raise InvalidStreamIdError(f"a stream id is a string, not {type(stream_id).__name__}")
    if not stream_id:
        raise InvalidStreamIdError("the stream id is empty")
    if stream_id[0] == "-":
        raise InvalidStreamIdError(f'stream id "{stream_id}" starts with "-", so it has no category')
    if stream_id[0] == "$":
        raise InvalidStreamIdError(f'stream id "{stream_id}" starts with "$", which is reserved')
    _check_characters("stream id", stream_id, MAX_STREAM_ID_BYTES)


def check_name(what: str, name: str) -> None:
    """The rule of event types, consumer names and checkpoint names; `what` names it in the message."""
    if not isinstance(name, str):
        raise InvalidInputError(f"the {what} is a string, not {type(name).__name__}")
    if not name:
        raise InvalidInputError(f"the {what} is empty")
    _check_characters(what, name, MAX_NAME_BYTES)


def check_tag(tag: str) -> None:
    """Raise InvalidInputError with the reason unless the tag is valid."""
    check_name("tag", tag)
    for refused, name in ((" ", "a space"), (",", "a comma")):
        if refused in tag:
            raise InvalidInputError(f'the tag "{tag}" holds {name}')


def joined_tags(tags: Iterable[str]) -> str | None:
    """The tags of an event as they are kept: sorted by code point, a space between; None if there are none.

    Raises InvalidInputError.
    """
    if isinstance(tags, str):
        raise InvalidInputError(f'tags come in a list, also when there is only one: ["{tags}"]')
    found = [*tags]
    for tag in found:
        check_tag(tag)
    if len(found) > MAX_TAGS:
        raise InvalidInputError(f"an event with {len(found)} tags, at most {MAX_TAGS} are allowed")
    if len({*found}) < len(found):
        twice = next(tag for tag in found if found.count(tag) > 1)
        raise InvalidInputError(f'the tag "{twice}" stands twice on one event')
    return " ".join(sorted(found)) or None


def tags_of(joined: str | None) -> tuple[str, ...]:
    """The tags of an event, out of the form in which they are kept."""
    return tuple(joined.split(" ")) if joined else ()


def merged_tags(joined: str | None, more: str | None) -> str | None:
    """The tags of both, as they are kept. Raises InvalidInputError if they are too many."""
    if not joined or not more or joined == more:
        return joined or more
    return joined_tags({*tags_of(joined), *tags_of(more)})


def _check_characters(what: str, name: str, most_bytes: int) -> None:
    if len(name) <= most_bytes and name.isascii() and name.isprintable():
        return  # the whole rule in two C calls, for most names
    error = InvalidStreamIdError if what == "stream id" else InvalidInputError
    refused = re.search(_REFUSED_CHARACTER, name)
    if refused:
        code = ord(refused[0])
        kind = "lone surrogate (is it UTF-8?)" if code >= 0xD800 else "control character"  # noqa: PLR2004
        raise error(f"the {what} holds the {kind} U+{code:04X} at character {refused.start() + 1}")
    size = len(name.encode())
    if size > most_bytes:
        raise error(f"the {what} is {size} bytes long, at most {most_bytes} are allowed")
