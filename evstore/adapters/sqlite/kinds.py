"""The kinds of value that the columns of an audit may hold. A damaged page can hold anything."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from evstore.model.findings import AuditedEvent, AuditedName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ABSENT: Final = type(None)
_EVENT: Final = (
    (bytes,), (str, _ABSENT), (str, _ABSENT), (str,), (str,), (int,), (int,), (int,), (str, _ABSENT), (int,),
    (str, _ABSENT), (str, _ABSENT), (int, _ABSENT), (int, _ABSENT), (int, _ABSENT), (int,), (int, _ABSENT),
    (int, _ABSENT), (bytes, _ABSENT), (bytes, _ABSENT), (int,), (int,), (int,), (int,),
)  # fmt: skip
AGREED: Final = (  # of AUDIT_PAGE; whatever is not there needs a closer look
    (bytes,), (int,), (int,), (str,), (str,), (int,), (int,), (int,), (str, _ABSENT), (int,), (int,), (int,),
    (int, _ABSENT), (bytes, _ABSENT), (bytes, _ABSENT),
)  # fmt: skip
_NAME: Final = (
    (int,), (str,), (int, _ABSENT), (int,), (str, _ABSENT), (int,), (int, _ABSENT), (int, _ABSENT),
    (int,),
)  # fmt: skip
NAMES_AND_NUMBERS: Final = ((str,), (int, _ABSENT))


def are_of(kinds: Iterable[tuple[type, ...]], columns: Iterable[Iterable[Any]]) -> bool:
    """True if the values of each column have these kinds."""
    return all({*map(type, each)}.issubset(of) for each, of in zip(columns, kinds, strict=True))


def kept(row: tuple[Any, ...]) -> tuple[Sequence[Any], Sequence[str]]:
    """The row with placeholders for values of a wrong kind, and the names of their columns."""
    strange = _strange(tuple(map(type, row)))
    if not strange:
        return row, ()
    kinds, fields = _columns(len(row))
    return (
        [kinds[at][0]() if at in strange else value for at, value in enumerate(row)],
        [fields[at].removesuffix("_json").removesuffix("_us").replace("_", " ") for at in strange],
    )


@cache
def _strange(found: tuple[type, ...]) -> list[int]:
    kinds, _ = _columns(len(found))
    return [at for at, each in enumerate(found) if each not in kinds[at]]


def _columns(width: int) -> tuple[Sequence[tuple[type, ...]], Sequence[str]]:
    return (_EVENT, AuditedEvent._fields) if width == len(_EVENT) else (_NAME, AuditedName._fields)
