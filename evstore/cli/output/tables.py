"""Tables, as wide as the window. Rich draws them, and is loaded only for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.cli import settings
from evstore.cli.output import screen, writer
from evstore.cli.output.writer import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NUMBERS: Final = {"version", "position", "globalPosition"}
_STYLES: Final = {"version": "cyan", "position": "cyan", "time": "dim", "type": "green", "category": "cyan"}


class Column(NamedTuple):
    """A column of a table: its head, how wide it is, on which side its text stands, in which style."""

    head: str
    width: int | None
    right: bool = False
    style: str = ""
    rest: bool = False
    """It takes what the others leave."""


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    header: bool = True,
    sized: bool = True,
    widths: Mapping[str, int | None] | None = None,
) -> Mapping[str, int | None]:
    """Write a table of events as wide as the terminal, and return its widths, for rows that come later and stand
    under these. Not `sized` is for rows that come singly: the width of the next row is unknown."""
    whole = screen.width()
    cells = [[visible(each) for each in row] for row in rows]
    if widths is None and "data" in heads:
        widths = {head: _width(head, whole) for head in heads}
        if sized:
            widths |= _names_widths(heads, cells, whole)
    elif widths is None:
        widths = _shared_widths(heads, cells, whole)
    columns = [
        Column(head, widths[head], right=head in _NUMBERS, style=_STYLES.get(head, ""), rest=head == "data")
        for head in heads
    ]
    draw(columns, cells, whole, header=header)
    return widths


def draw(columns: Sequence[Column], cells: Iterable[Sequence[str]], whole: int, *, header: bool = True) -> None:
    """Write a table of cells that are `visible` already."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colour = settings.in_colour()
    buffer = StringIO()
    # The settings have evaluated the environment already.
    system = "standard" if colour else None
    console = Console(
        file=buffer,
        width=whole,
        force_terminal=colour,
        no_color=not colour,
        color_system=system,  # type: ignore[arg-type]
    )
    filling = any(each.rest for each in columns)
    drawn = Table(box=None, show_header=header, pad_edge=False, header_style="bold", expand=filling)
    for each in columns:
        drawn.add_column(
            Text(visible(each.head)),
            justify="right" if each.right else "left",
            style=each.style,
            width=each.width,
            ratio=1 if each.rest else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        drawn.add_row(*map(Text, row))
    console.print(drawn)
    # Rich fills the last column up, which a narrower window would wrap later.
    # Not splitlines: data may hold what other programs take for the end of a line.
    writer.write("".join(f"{each.rstrip()}\n" for each in buffer.getvalue().removesuffix("\n").split("\n")))


def rendered(markdown: str, whole: int) -> str:
    """A page of Markdown for a terminal."""
    from io import StringIO

    from rich.console import Console
    from rich.markdown import Markdown

    colour = settings.in_colour()
    buffer = StringIO()
    Console(file=buffer, width=whole, force_terminal=colour, no_color=not colour).print(
        Markdown(markdown, hyperlinks=False)
    )
    return "".join(f"{each.rstrip()}\n" for each in buffer.getvalue().removesuffix("\n").split("\n"))


def _shared_widths(heads: Sequence[str], rows: Sequence[Sequence[str]], whole: int) -> dict[str, int | None]:
    """Numbers and times at full width; names share the rest, so that a long name never displaces a
    number."""
    widths = {head: max(map(screen.cells, (head, *(row[at] for row in rows)))) for at, head in enumerate(heads)}
    rigid = [head for head in heads if head in _NUMBERS or head.endswith(("At", "Timestamp", "timestamp"))]
    names = [head for head in heads if head not in rigid]
    left = whole - 2 * (len(heads) - 1) - sum(widths[head] for head in rigid)
    return {**widths, **dict(zip(names, screen.share([widths[head] for head in names], left), strict=True))}


def _names_widths(heads: Sequence[str], rows: Sequence[Sequence[str]], whole: int) -> dict[str, int | None]:
    """Names beside data at full width, within bounds: the data needs most of the room."""
    return {
        head: min(max(map(screen.cells, (head, *(row[at] for row in rows)))), whole // parts)
        for at, head in enumerate(heads)
        if (parts := {"stream": 4, "type": 5}.get(head))
    }


def _width(head: str, whole: int) -> int | None:
    if head in ("stream", "type"):
        return max(12, whole // 6)
    return {"version": 7, "position": 8, "time": 19}.get(head)
