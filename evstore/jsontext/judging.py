"""The rules of JSON text: accepted grammar, limits, and the stored form. No other module judges a payload.

A payload is never parsed and printed again: key order, duplicate keys, escapes and the spelling of numbers
come back exactly as they went in. msgspec judges the grammar (RFC 8259, no NaN, no lone surrogates) without
building anything.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NewType, TypeVar, cast

import msgspec

from evstore.errors import InvalidPayloadError
from evstore.jsontext.faults import MAX_DEPTH, fault_of
from evstore.jsontext.quoting import STRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_DATA_BYTES: Final = 16 * 1024 * 1024
"""The default limit of one event's data, in bytes of UTF-8."""

NO_LIMIT: Final = 2**63
"""The limit for payloads that are stored already."""

KeptJson = NewType("KeptJson", str)
"""One JSON value as evstore stores it. Only `check_json` and `keep_json` make one."""

T = TypeVar("T")

_decoder = msgspec.json.Decoder(msgspec.Raw)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_LINE_BREAKS = re.compile(r"[\r\n]+")
_STRING: Final = STRING
_BRACKET: Final = r"[\[\]{}]"
_STRING_OR_SPACE: Final = rf"({STRING})|[ \t\r\n]+"


def check_json(text: str, max_bytes: int = MAX_DATA_BYTES) -> KeptJson:
    """The stored form of one JSON value: on one line, otherwise as given. Raises InvalidPayloadError."""
    if not isinstance(text, str):
        raise InvalidPayloadError(f"data is JSON text, not {type(text).__name__}")
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPayloadError(f"data holds a lone surrogate at character {error.start + 1}") from None
    return keep_json(raw_value(raw), max_bytes)


def raw_value(value: bytes) -> bytes:
    """The bytes of exactly one JSON value, without white space around it. Raises InvalidPayloadError."""
    try:
        return bytes(decode(_decoder, value))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayloadError(f"data is not valid JSON: {fault_of(value, error)}") from None


def keep_json(value: bytes, max_bytes: int = MAX_DATA_BYTES) -> KeptJson:
    """The stored form of one value whose grammar was judged already. Raises InvalidPayloadError."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise InvalidPayloadError(f"data is not UTF-8 at byte {error.start + 1}") from None
    if "\n" in text or "\r" in text:
        # A string cannot hold a raw line break, so each stands between tokens, and so does the space around it.
        text = "".join(line.strip(" \t") for line in _LINE_BREAKS.split(text))
    if len(text) * 4 > max_bytes and (size := len(text.encode())) > max_bytes:
        raise InvalidPayloadError(f"data is {size} bytes long, at most {max_bytes} are allowed")
    _check_depth(text)
    return KeptJson(text)


def keep_each(values: Iterable[msgspec.Raw]) -> list[KeptJson]:
    """The same for values without line breaks that are too short together to break a limit of bytes."""
    texts = [str(value, "utf-8") for value in values]
    for text in texts:
        if len(text) >= 2 * MAX_DEPTH:
            _check_depth(text)
    return cast("list[KeptJson]", texts)


def are_stored_forms(texts: Sequence[str]) -> bool:
    """True only if `check_json` gives back each of these texts, however long; perhaps not even then."""
    try:
        for text in texts:
            _decoder.decode(text.encode())  # a string would keep its bytes, and so the memory of both
            if "\n" in text or "\r" in text:
                return False
            if len(text) >= 2 * MAX_DEPTH:
                _check_depth(text)
    except (InvalidPayloadError, msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    ends = {text[0] for text in texts}.union([text[-1] for text in texts])
    return ends.isdisjoint(" \t")


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise InvalidPayloadError(f"data is nested deeper than {MAX_DEPTH}")


def decode(decoder: msgspec.json.Decoder[T], value: str | bytes) -> T:
    """The decoded value, also for a caller who has little stack left.

    The parser shares the limit of Python's stack with its caller; a thread has a stack of its own.
    """
    try:
        return decoder.decode(value)
    except RecursionError:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(decoder.decode, value).result()


def same_json(one: str, other: str) -> bool:
    """True if two valid JSON texts differ at most in white space between tokens."""
    return one == other or _without_space(one) == _without_space(other)


def parse_json(text: str) -> Any:
    """The value of a stored text as Python's json module reads it."""
    import json

    return json.loads(text)


def member(text: str, key: str) -> str | None:
    """The text of a member: of an object by key (the last of that name), of an array by index from 0."""
    try:
        if text.startswith("{"):
            found = decode(_object, text).get(key)
        elif text.startswith("[") and key.isascii() and key.isdigit():
            values = decode(_array, text)
            found = values[int(key)] if int(key) < len(values) else None
        else:
            found = None
    except msgspec.DecodeError:  # evstore stores valid JSON alone; another program wrote this text
        return None
    return None if found is None else bytes(found).decode()


def member_at(text: str, path: str) -> str | None:
    """The text at a path of keys with dots between, as `orderId` or `lines.0.sku`."""
    found: str | None = text
    for key in path.split("."):
        found = None if found is None else member(found, key)
    return found


def _without_space(text: str) -> str:
    return re.sub(_STRING_OR_SPACE, r"\1", text)


def _depth(text: str) -> int:
    brackets = re.findall(_BRACKET, re.sub(_STRING, "", text))
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)
