"""The screen of a person: widths, colours, bars, numbers and times in words.

Nothing here escapes stored text: `writer.visible` does, before a text is cut, painted or measured.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.cli import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SGR: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_FALLBACK_WIDTH: Final = 80
_LEAST_WIDTH: Final = 20


class Signs(NamedTuple):
    """The characters of bars, lines and trees."""

    more: str
    """Something was cut off."""
    bar: str
    """A bar's last cell, from the thinnest to the full one."""
    levels: str
    """The heights of a line over time."""
    branch: str
    last: str
    down: str
    gap: str


_BLOCKS: Final = Signs("…", "▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█", "├ ", "└ ", "│ ", "  ")
_ASCII: Final = Signs("...", "#", "_.-=+*#", "|-", "`-", "| ", "  ")


def signs() -> Signs:
    """The signs that the encoding of stdout can show."""
    try:
        "".join(_BLOCKS).encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _BLOCKS


def width() -> int:
    """The columns of the window; 80 where there is none."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return max(int(columns), _LEAST_WIDTH)
    for stream in (1, 0, 2):
        try:
            found = os.get_terminal_size(stream).columns
        except OSError:
            continue
        if found:
            return max(found, _LEAST_WIDTH)
    return _FALLBACK_WIDTH


def brush() -> Callable[[str, str], str]:
    """A function that styles a text; without colour it returns the text unchanged."""
    return _paint if settings.in_colour() else _plain


def _paint(text: str, style: str) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if text else text


def _plain(text: str, _style: str) -> str:
    return text


def cells(text: str) -> int:
    """The columns that the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, most: int, more: str = "…") -> str:
    """The text, or what of it fits."""
    if cells(text) <= most:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, most - len(more)).rstrip() + more if most > len(more) else more[:most]


def pad(text: str, columns: int, more: str = "…") -> str:
    """The text, cut or filled up to so many columns."""
    text = cut(text, columns, more)
    return text + " " * (columns - cells(text))


def share(wanted: Sequence[int], whole: int, least: int = 4) -> list[int]:
    """The widths within `whole` columns; short wishes are met first, so that only long texts are cut."""
    given = [0] * len(wanted)
    for at, each in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        given[each] = max(least, min(wanted[each], whole // (len(wanted) - at)))
        whole -= given[each]
    return given


def bar(value: float, largest: float, columns: int, drawn: Signs) -> str:
    """A bar, as long as the value is of the largest. What is not nothing can be seen."""
    if value <= 0 or largest <= 0:
        return ""
    steps = len(drawn.bar)
    whole, rest = divmod(max(1, round(value * columns * steps / largest)), steps)
    return drawn.bar[-1] * whole + (drawn.bar[rest - 1] if rest else "")


def sparkline(counts: Sequence[float], drawn: Signs) -> str:
    """A line of heights. Less than half an event is none."""
    top, levels = max(counts, default=0), drawn.levels
    return "".join(
        " " if count < 0.5 else levels[min(int(count / top * len(levels)), len(levels) - 1)] for count in counts
    )


def size(count: int) -> str:
    """Bytes in a readable unit."""
    number, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if number < 999.5:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "bytes" or number >= 99.95 else f"{number:.1f} {unit}"


def span(seconds: float) -> str:
    """A length of time in a readable unit."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for length, unit in ((60, "s"), (60, "min"), (24, "h"), (365, "days")):
        if seconds < length * (2 if unit != "days" else 1):
            return f"{seconds:.1f} {unit}" if seconds < 10 else f"{seconds:.0f} {unit}"
        seconds /= length
    return f"{seconds:.1f} years"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 event`, `1,000 events`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"
