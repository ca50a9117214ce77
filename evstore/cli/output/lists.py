"""Tables of lists: numbers and what is copied are not cut, a bar shows what is large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.cli.output import screen
from evstore.cli.output.moments import today
from evstore.cli.output.tables import Column, draw, note_left_out
from evstore.cli.output.writer import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADS: Final = {
    "streamId": "stream",
    "globalPosition": "position",
    "firstPosition": "first",
    "lastPosition": "last",
    "lastTimestamp": "last time",
    "updatedAt": "updated",
    "createdAt": "created",
    "appliedAt": "applied",
    "schemaVersion": "schema",
    "lastType": "last type",
}
_STYLES: Final = {"version": "cyan", "type": "green", "category": "cyan", "lastType": "green"}
_TIMES: Final = frozenset({"createdAt", "updatedAt", "appliedAt", "lastTimestamp"})
_GAP: Final = 2
_LEAST_NAME: Final = 12
_LEAST_BAR: Final = 8
_MOST_BAR: Final = 40
_BAR: Final = ""  # the number to its left has the head


def listing(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], bar: str | None = None, spare: Sequence[str] = ()
) -> None:
    """A table of the rows, with a bar after the number `bar`; a narrow window drops the spare columns.

    The first column names what a person copies: it is cut last.
    """
    if not rows:
        return
    whole = screen.width()
    cells = {name: [_cell_text(row.get(name)) for row in rows] for name in columns}
    numbers = {name for name in columns if any(isinstance(row.get(name), int) for row in rows)}
    names = [name for name in columns[1:] if name not in numbers and name not in _TIMES]
    shown = list(columns)
    if bar:
        shown.insert(shown.index(bar) + 1, _BAR)
    needed = [name for name in columns if name not in spare]
    if _together(needed, _widths(cells)) > whole:  # it is cut in any case: the others keep their room
        names.append(columns[0])
    _fit(shown, cells, names, whole, spare)
    widths = _widths(cells)
    firm = _together([name for name in shown if name not in names], {**widths, _BAR: 0})
    soft = [name for name in shown if name in names]
    left = whole - firm - _GAP * len(soft)
    # However long a name is, what is compared keeps a third of the room.
    shares = screen.share([widths[name] for name in soft], left - max(_LEAST_BAR, left // 3) * (_BAR in shown))
    widths |= dict(zip(soft, shares, strict=True))
    left = whole - _together(shown, {**widths, _BAR: 0})
    if bar and _BAR in shown:
        widths[_BAR] = min(left, _MOST_BAR)
        signs, values = screen.signs(), [row[bar] for row in rows]
        cells[_BAR] = [screen.bar(value, max(values), widths[_BAR], signs) for value in values]
    styled = [Column(_head(name), widths[name], name in numbers, _style(name, columns)) for name in shown]
    draw(styled, list(zip(*(cells[name] for name in shown), strict=True)), whole)
    note_left_out([_head(name) for name in columns if name not in shown])


def _widths(cells: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {name: max(map(screen.cells, (_head(name), *texts))) for name, texts in cells.items()}


def _fit(
    shown: list[str], cells: dict[str, list[str]], names: Sequence[str], whole: int, spare: Sequence[str]
) -> None:
    """Make room: print times of today without the date, then leave out the spare columns in their order."""

    def least() -> dict[str, int]:
        wanted = _widths(cells)
        return {**wanted, **{name: min(wanted[name], _LEAST_NAME) for name in names}, _BAR: _LEAST_BAR}

    for name in _TIMES & cells.keys():
        date = today()
        if _together(shown, least()) > whole and all(text.startswith(date) for text in cells[name]):
            cells[name] = [text[len(date) + 1 :] for text in cells[name]]
    for name in (*spare, _BAR):
        if name in shown and _together(shown, least()) > whole:
            shown.remove(name)


def _together(shown: Sequence[str], widths: Mapping[str, int]) -> int:
    """The columns of the window that these take, with what is between them."""
    return sum(widths[name] for name in shown) + _GAP * (len(shown) - 1)


def _head(name: str) -> str:
    return _HEADS.get(name, name)


def _style(name: str, columns: Sequence[str]) -> str:
    """A bar has the colour of what it is of, and that has the same everywhere."""
    return _STYLES.get(columns[0] if name == _BAR else name, "")


def _cell_text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else visible(value or "")
