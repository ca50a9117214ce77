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

    Each key has two quotes, and so has each string; only where more are left, the text is looked through.
    """
    left = text.count(b'"')
    for part in msgspec.structs.astuple(found):
        if part is not msgspec.UNSET:
            left -= 4 if type(part) is str else 2 + _quotes_of(part)
    if left:
        _check_keys(text, deepest=1)


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
