"""Outside sources, such as a queue or a file, and how far they were taken."""

from __future__ import annotations

from typing import Any, NamedTuple

from evstore.errors import InvalidInputError
from evstore.model.names import check_name
from evstore.model.versions import MAX_VERSION


class Source(NamedTuple):
    """A source, and the position up to which an append takes it, such as a line of a file. Positions grow."""

    name: str
    position: int

    def __str__(self) -> str:
        return f"{self.name}@{self.position}"


def source_of(given: Any) -> Source:
    """The source, checked. Raises InvalidInputError."""
    if not isinstance(given, (tuple, list)) or len(given) != len(Source._fields):
        raise InvalidInputError(f'a source is a pair of name and position, as ("orders.csv", 17), not {given!r}')
    source = Source._make(given)
    check_name("source name", source.name)
    if type(source.position) is not int or not 0 <= source.position <= MAX_VERSION:
        raise InvalidInputError(
            f"the position of a source is an integer from 0 to {MAX_VERSION}, not {source.position!r}"
        )
    return source
