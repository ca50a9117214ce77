"""Tables of lists: numbers are never cut, names share what is left, a bar shows what is large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evstore.cli.output import screen
from evstore.cli.output.tables import Column, draw
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
    "lastType": "last type",
}
_STYLES: Final = {"version": "cyan", "type": "green", "category": "cyan", "lastType": "green"}
_LEAST_NAME: Final = 12
_LEAST_BAR: Final = 8
_MOST_BAR: Final = 40
_BAR: Final = ""  # the number to its left has the head


def listing(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], bar: str | None = None, spare: Sequence[str] = ()
) -> None:
    """A table of the rows, with a bar after the number `bar`; a narrow window drops the spare columns."""
    if not rows:
        return
    whole = screen.width()
    cells = {name: [_cell_text(row.get(name)) for row in rows] for name in columns}
    numbers = {name for name in columns if any(isinstance(row.get(name), int) for row in rows)}
    wanted = {name: max(map(screen.cells, (_head(name), *cells[name]))) for name in columns}
    names = [name for name in columns if name not in numbers and not name.endswith(("At", "Timestamp"))]
    least = {**wanted, **{name: min(wanted[name], _LEAST_NAME) for name in names}, _BAR: _LEAST_BAR}
    shown = list(columns)
    if bar:
        shown.insert(shown.index(bar) + 1, _BAR)
    for name in (*spare, _BAR):
        if name in shown and _together(shown, least) > whole:
            shown.remove(name)
    left = whole - _together([name for name in shown if name not in names], {**wanted, _BAR: 0}) - 2 * len(names)
    # However long a name is, what is compared keeps a third of the room.
    shares = screen.share([wanted[name] for name in names], left - max(least[_BAR], left // 3) * (_BAR in shown))
    widths = {**wanted, **dict(zip(names, shares, strict=True))}
    if bar and _BAR in shown:
        widths[_BAR] = min(left - sum(shares), _MOST_BAR)
        signs, values = screen.signs(), [row[bar] for row in rows]
        cells[_BAR] = [screen.bar(value, max(values), widths[_BAR], signs) for value in values]
    styled = [Column(_head(name), widths[name], name in numbers, _style(name, columns)) for name in shown]
    draw(styled, list(zip(*(cells[name] for name in shown), strict=True)), whole)


def _together(shown: Sequence[str], widths: Mapping[str, int]) -> int:
    """The columns of the window that these take, with what is between them."""
    return sum(widths[name] for name in shown) + 2 * (len(shown) - 1)


def _head(name: str) -> str:
    return _HEADS.get(name, name)


def _style(name: str, columns: Sequence[str]) -> str:
    """A bar has the colour of what it is of, and that has the same everywhere."""
    return _STYLES.get(columns[0] if name == _BAR else name, "")


def _cell_text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else visible(value or "")
