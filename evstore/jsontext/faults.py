"""The reason for which a text is not JSON, in words that name the cause: asked once, when a value was refused."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 512
"""The deepest nesting of arrays and objects."""

GZIP: Final = b"\x1f\x8b"
"""The first bytes of compressed input, with which no other input begins."""
_TRUNCATED: Final = "Input data was truncated"
_ORDER_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_HALF: Final = (
    rb"(?<!\\)(?:\\\\)*"
    rb"(\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_PAIR: Final = rb"(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_WORD: Final = rb"[A-Za-z_][A-Za-z_0-9]*"
_LITERALS: Final = (b"true", b"false", b"null")
_SERVER_SENT: Final = rb"(?:data|event|id|retry)?:"


def fault_of(text: str | bytes, error: Exception) -> str:
    """The fault of a text for which msgspec raised `error`."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    if isinstance(error, RecursionError):
        return f"it is nested deeper than {MAX_DEPTH}"
    found = _of_encoding(raw) or _of_surrogate(raw)
    if found:
        return found
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    message = str(error).removeprefix("JSON is malformed: ")
    if re.match(_SERVER_SENT, raw):
        return 'it is a stream of server-sent events; give the text after "data:" alone'
    return _of_word(raw) or ("it ends too early" if message == _TRUNCATED else message)


def _of_encoding(raw: bytes) -> str | None:
    if raw.startswith(GZIP):
        return "it is compressed with gzip"
    for mark, name in _ORDER_MARKS:
        if raw.startswith(mark):
            return f"it is {name}, not UTF-8"
    zeros = raw.count(0)
    if zeros:
        if zeros * 3 >= len(raw):  # ASCII with two or four bytes each
            return f"it is {'UTF-32' if zeros * 3 >= len(raw) * 2 else 'UTF-16'}, not UTF-8"
        return f"it holds NUL (U+0000) at byte {raw.index(0)}"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    return None


def _of_surrogate(raw: bytes) -> str | None:
    """The escape of half a character."""
    half = re.search(_HALF, re.sub(_PAIR, lambda pair: pair[1] + b"x" * 12, raw))
    if half is None:
        return None
    return f"it holds the lone surrogate {half[1].decode()} at byte {half.start(1)}"


def _of_word(raw: bytes) -> str | None:
    """A word that stands where a value should, as `not` of "not json"."""
    word = re.match(_WORD, raw)
    if word is None or any(each.startswith(word[0]) for each in _LITERALS):
        return None
    return f'"{word[0][:40].decode()}" is not a JSON value'
