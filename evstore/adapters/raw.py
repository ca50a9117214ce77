"""Raw pages of rows, checked all at once: what is unusual about a page is read as events."""

from __future__ import annotations

from itertools import filterfalse
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from evstore.adapters.ids import ID_BYTES, raw_ids_from_blobs
from evstore.adapters.wholeness import numbers_wanted
from evstore.model.events import StoredEvent
from evstore.model.raw import NOTHING, Place, RawPage, lines_of_rows
from evstore.port import Cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evstore.port import Page

ID, STREAM, TYPE, DATA, METADATA, VERSION, POSITION, TIME, TAGS, _ = map(
    itemgetter, range(len(StoredEvent._fields))
)
_is_ascii: Final[Callable[[Any], bool]] = bytes.isascii
_NUMBERS: Final = (VERSION, POSITION, TIME)


def raw_page_of(
    rows: Sequence[tuple[Any, ...]], streams: Mapping[int, bytes], types: Mapping[int, bytes], page: Page
) -> RawPage | None:
    """The page of these rows, which have keys in the place of names; None if something about them is unusual.

    Raises KeyError if a name is unknown.
    """
    if not rows:
        return NOTHING
    blobs = [*map(ID, rows)]
    try:
        if (
            {*map(len, blobs)} != {ID_BYTES}
            or [*map(POSITION, rows)] != [*numbers_wanted(page, POSITION(rows[0]), len(rows))]
            or any(type(sum(map(number, rows))) is not int for number in _NUMBERS)
        ):
            return None
        for text in (DATA, METADATA):
            b" ".join(filterfalse(_is_ascii, map(text, rows))).decode()
        ids = raw_ids_from_blobs(blobs)
        lines = lines_of_rows(ids, streams, types, rows)
    except (TypeError, ValueError):  # a damaged row may hold anything
        return None
    return RawPage(lines, len(rows), Place(ids[-1].decode(), POSITION(rows[-1])), isinstance(rows, Cut))
