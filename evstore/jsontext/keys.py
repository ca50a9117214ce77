"""Keys that stand twice in an object: parsers keep the last in silence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from evstore.errors import InvalidPayloadError
from evstore.jsontext.quoting import STRING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(STRING.encode() + rb"|[\[\]{}]", re.DOTALL)
_COLON: Final = re.compile(rb"[ \t\r\n]*:")
_text = msgspec.json.Decoder(str)


def check_once(text: bytes, found: msgspec.Struct) -> None:
    """Raise InvalidPayloadError if a key of the object, which was decoded as `found`, stands twice.

    Only where `all_once` leaves a doubt, the text is looked through.
    """
    members = [part for part in msgspec.structs.astuple(found) if part is not msgspec.UNSET]
    strings = sum(type(part) is str for part in members)
    if not all_once(text, len(members), strings, sum(map(_quotes_of, members))):
        _check_keys(text, deepest=1)


def all_once(text: bytes, keys: int, strings: int, quotes_within: int) -> bool:
    """True only if no key stands twice in text of so many different keys and strings, and values with such quotes.

    Each key and each string has two quotes, so that another key would leave some over.
    """
    return text.count(b'"') == 2 * (keys + strings) + quotes_within


def check_once_in_metadata(text: bytes, strings: int | None = None) -> None:
    """Raise InvalidPayloadError if a key of the metadata, or of its "custom", stands twice.

    `strings`: the keys and strings that were read from it, if they were counted. Then the text is looked through
    only where more quotes are left, as in `check_once`.
    """
    if text != b"{}" and (strings is None or text.count(b'"') != 2 * strings):
        _check_keys(text, deepest=2)


def _quotes_of(part: object) -> int:
    if isinstance(part, list):
        return 2 * len(part)
    return bytes(part).count(b'"') if isinstance(part, msgspec.Raw) else 0


def _check_keys(text: bytes, deepest: int) -> None:
    seen: set[tuple[int, str]] = set()
    for depth, key in _keys(text, deepest):
        if (depth, key) in seen:
            raise InvalidPayloadError(f'the key "{key}" stands twice')
        seen.add((depth, key))


def _keys(text: bytes, deepest: int) -> Iterator[tuple[int, str]]:
    """The depth and the key of each member, down to a depth; at each of these there is one object at most."""
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        elif depth <= deepest and _COLON.match(text, token.end()):
            yield depth, _text.decode(mark)
