"""Queries, conditions, requirements and sources as flags spell them. No other module reads a QUERY."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evstore.cli.errors import UsageError
from evstore.errors import InvalidInputError
from evstore.model.conditions import AppendCondition, Query, Requirement
from evstore.model.names import check_stream_id
from evstore.model.sources import source_of
from evstore.model.versions import MAX_VERSION, NO_STREAM, STREAM_EXISTS, check_expected_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore.model.conditions import QueryItem
    from evstore.model.sources import Source

_WORDS: Final = "words type=A,B and tag=x, with spaces between"
_SPACES: Final = "[ \t\r\n]+"
_REQUIRED: Final = {"exists": STREAM_EXISTS, "none": NO_STREAM}


def query_of(flag: str, text: str) -> Query:
    """The query of words `type=A,B` and `tag=x`, as one item. Raises UsageError."""
    types: list[str] = []
    tags: list[str] = []
    for word in filter(None, re.split(_SPACES, text)):
        key, equals, value = word.partition("=")
        if not equals or key not in ("type", "tag"):
            raise UsageError(f'{flag} takes {_WORDS}; not "{word}"')
        names = value.split(",") if key == "type" else [value]
        try:
            Query(**{f"{key}s": names})
        except InvalidInputError as error:
            raise UsageError(f'{flag} takes {_WORDS}; in "{word}" {error}') from None
        (types if key == "type" else tags).extend(names)
    if not types and not tags:
        raise UsageError(f"{flag} takes {_WORDS}; there is no word in it")
    return Query(types, tags)


def words_of(item: QueryItem) -> str | None:
    """The words that `query_of` reads as this item; None if a type holds a space or a comma."""
    text = str(item)
    try:
        return text if query_of("", text).items == (item,) else None
    except UsageError:
        return None


def conditions_of(unless: Sequence[str] | None, after: Sequence[int] | None) -> tuple[AppendCondition, ...]:
    """The conditions of `--unless` and `--after`: no position, one for all, or one for each. Raises UsageError."""
    queries = [query_of("--unless", text) for text in unless or ()]
    positions = [*(after or ())]
    if positions and not queries:
        raise UsageError("--after goes with --unless QUERY")
    if len(positions) not in (0, 1, len(queries)):
        raise UsageError(
            f"{len(queries)} --unless and {len(positions)} --after: give --after once, or once for each --unless"
        )
    for position in positions:
        if not 0 <= position <= MAX_VERSION:
            raise UsageError(f"--after takes a global position from 0 to {MAX_VERSION}, not {position}")
    of_each = positions if len(positions) == len(queries) else (positions or [0]) * len(queries)
    return tuple(AppendCondition(*each) for each in zip(queries, of_each, strict=True))


def requirements_of(given: Iterable[str] | None) -> tuple[Requirement, ...]:
    """The requirements of `--require`. Raises UsageError, or InvalidStreamIdError."""
    return tuple(map(_requirement, given or ()))


def _requirement(text: str) -> Requirement:
    stream_id, _, wanted = text.rpartition("=")
    try:
        expected = _REQUIRED[wanted] if wanted in _REQUIRED else _version(wanted)
    except ValueError:
        expected = None
    if expected is None or not stream_id:
        raise UsageError(f'--require takes STREAM=N, STREAM=exists or STREAM=none, not "{text}"')
    check_stream_id(stream_id)
    return Requirement(stream_id, expected)


def source_of_flag(text: str | None) -> Source | None:
    """The source of `--source`. Raises UsageError, or InvalidInputError."""
    if text is None:
        return None
    name, _, position = text.rpartition("@")  # a name may hold the sign as well
    if not (name and position.isascii() and position.isdigit()):
        raise UsageError(f'--source takes NAME@POSITION, as orders.csv@17, not "{text}"')
    if len(position) > len(str(MAX_VERSION)) or int(position) > MAX_VERSION:
        raise UsageError(f"--source takes a position from 0 to {MAX_VERSION}, not {position}")
    try:
        return source_of((name, int(position)))
    except InvalidInputError as error:
        error.source = "--source"
        raise


def _version(digits: str) -> int | None:
    if not (digits.isascii() and digits.isdigit()):
        return None
    check_expected_version(int(digits))
    return int(digits)
