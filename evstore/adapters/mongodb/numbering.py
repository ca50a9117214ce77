"""Dense numbers as `_id`s: how they are written, and how the last of them is found by asking for single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT_DIGITS: Final = 20
REVISION_DIGITS: Final = 8


def unit_id(number: int) -> str:
    """The `_id` of a unit. Not an integer: some servers have an index for strings alone."""
    return f"{number:0{UNIT_DIGITS}d}"


def numbered(key: str, number: int) -> str:
    """The `_id` of the document with this number under the key."""
    return f"{key}/{number:0{REVISION_DIGITS}d}"


def encoded(name: str) -> str:
    """The name in characters that every server compares as they are."""
    return quote(name, safe="")


def decoded(text: str) -> str:
    """The name that `encoded` made this of."""
    return unquote(text)


def last_number(is_there: Callable[[int], bool], known: int = 0) -> int:
    """The last of the numbers that are there, of which none is missing, and `known` is one; 0 without any.

    Steps that double, then halves: a server is asked about twice the logarithm of the distance.
    """
    low, step = known, 1
    while is_there(low + step):
        low += step
        step *= 2
    high = low + step
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if is_there(middle) else (low, middle)
    return low
