"""Tables, as wide as the window. Rich draws them, and is loaded only for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.cli import settings
from evstore.cli.output import screen, writer
from evstore.cli.output.layout import NUMBERS, Layout
from evstore.cli.output.writer import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLES: Final = {"version": "cyan", "position": "cyan", "time": "dim", "type": "green", "category": "cyan"}


class Column(NamedTuple):
    """A column of a table: its head, how wide it is, on which side its text stands, in which style."""

    head: str
    width: int | None
    right: bool = False
    style: str = ""


class EventTable:
    """A table of events as wide as the window, for rows that come in several parts."""

    def __init__(self, heads: Sequence[str], *, picked: bool = False) -> None:
        """`picked`: the columns were asked for by name, so that none may be left out."""
        self._layout = Layout(heads, picked=picked)
        self._headed: list[str] | None = None
        """The columns under their heads, once there are some."""

    def write(self, rows: Iterable[Sequence[str]], *, singly: bool = False) -> None:
        """Write rows; `singly`: more will come one by one."""
        layout = self._layout
        cells = [[visible(each) for each in row] for row in rows]
        if singly:
            layout.expect_more()
        layout.take(cells)
        header = layout.shown != self._headed
        self._headed = layout.shown
        columns = [
            Column(head, layout.widths[head], right=head in NUMBERS, style=_STYLES.get(head, ""))
            for head in layout.shown
        ]
        draw(columns, map(layout.cells, cells), screen.width(), header=header)
        if singly and header:
            self.note_left_out()

    def note_left_out(self) -> None:
        """Note below the rows which columns are missing."""
        note_left_out(self._layout.left_out if self._headed else ())


def note_left_out(heads: Sequence[str]) -> None:
    """Note below a table which of its columns had no room."""
    if heads:
        *others, last = heads
        named = f"{', '.join(others)} and {last}" if others else last
        writer.note(f"no room for {named}; a wider window or -F json shows everything")


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
    drawn = Table(box=None, show_header=header, pad_edge=False, header_style="bold")
    for each in columns:
        drawn.add_column(
            Text(visible(each.head)),
            justify="right" if each.right else "left",
            style=each.style,
            width=each.width,
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
