"""What leaves the process. Data goes out as bytes on stdout, everything else on stderr."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

from evstore.cli import settings
from evstore.cli.exits import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# C0, DEL, C1 and the bidirectional controls: what could move, colour or reorder a terminal.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with every character that could drive a terminal shown as an escape, as in a JSON string."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def note(text: str, kind: str = "note") -> None:
    """A line for the person at the terminal; scripts may drop it."""
    if settings.current.quiet and kind != "hint":
        return
    flush()  # where both streams are one terminal, it stands in its place
    if settings.current.errors == "json":
        said(to_json({"note": text}))
    else:
        said(f"{kind}: {text}")


def said(line: str) -> None:
    """One line on stderr."""
    if sys.stderr is not None:
        print(visible(line), file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """Text on stdout, as UTF-8 whatever the locale says."""
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed")
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))  # a path may be any bytes
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write to stdout: {error}") from error


def line(text: str) -> None:
    """A line of data. On a terminal, whatever could drive it is escaped; in a pipe the bytes stay."""
    write((terminal(text) if settings.on_terminal() else text) + "\n")


def terminal(text: str) -> str:
    """A line as a terminal may get it; the tabs of a TSV do no harm there."""
    return "\t".join(map(visible, text.split("\t")))


def flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write to stdout: {error}") from error


def to_json(value: Any) -> str:
    import json  # noqa: PLC0415

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def one(members: Mapping[str, Any]) -> None:
    """A command's one object: as a line, or its values side by side."""
    if settings.current.format == "tsv":
        line("\t".join(cell(value) for value in members.values()))
    else:
        line(to_json(members))


def cell(value: Any) -> str:
    """A value in a TSV: text with its separators escaped, anything else as JSON."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return to_json(value)
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def many(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], fields: Sequence[str] | None = None) -> None:
    """A list of objects in the form asked for; a terminal's table shows `columns`."""
    picked = ({each: row.get(each) for each in fields} for row in rows) if fields else rows
    if settings.as_table():
        heads = [*(fields or columns)]
        cells = [[_shown(row.get(head)) for head in heads] for row in picked]
        if cells:
            table(heads, cells)
    elif settings.current.format == "json":
        array(to_json(row) for row in picked)
    elif settings.current.format == "tsv":
        for row in picked:
            line("\t".join(cell(value) for value in row.values()))
    else:
        for row in picked:
            line(to_json(row))


def names(found: Iterable[str]) -> None:
    """Names alone, one a line."""
    if settings.current.format == "json":
        array(map(to_json, found))
    else:
        for name in found:
            line(name)


class Array:
    """One JSON array whose values come one after the other, from several places."""

    def __init__(self) -> None:
        self._before = "["

    def add(self, value: str) -> None:
        write(self._before + (terminal(value) if settings.on_terminal() else value))
        self._before = ",\n"

    def close(self) -> None:
        write("[]\n" if self._before == "[" else "]\n")


def array(values: Iterable[str]) -> None:
    """One JSON array, a value a line, written as the values come."""
    found = Array()
    for value in values:
        found.add(value)
    found.close()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else to_json(value)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, header: bool = True) -> None:
    """A table as wide as the terminal. Some widths are fixed, so that rows that come later stand under those
    before."""
    from io import StringIO  # noqa: PLC0415

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colour = settings.in_colour()
    buffer = StringIO()
    # What the environment says of colours was heard already.
    system = "standard" if colour else None
    console = Console(file=buffer, force_terminal=colour, no_color=not colour, color_system=system)  # type: ignore[arg-type]
    drawn = Table(box=None, show_header=header, pad_edge=False, header_style="bold", expand="data" in heads)
    cells = [[visible(cell) for cell in row] for row in rows]
    shared = {} if "data" in heads else _shared_widths(heads, cells, console.width)
    for head in heads:
        drawn.add_column(
            Text(visible(head)),
            justify="right" if head in _NUMBERS else "left",
            style=_STYLES.get(head, ""),
            width=_width(head, console.width) if "data" in heads else shared[head],
            ratio=1 if head == "data" else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        drawn.add_row(*map(Text, row))
    console.print(drawn)
    # Rich fills the last column up, which a narrower window would wrap later.
    # Not splitlines: data may hold what other programs take for the end of a line.
    write("".join(f"{each.rstrip()}\n" for each in buffer.getvalue().removesuffix("\n").split("\n")))


def _shared_widths(heads: Sequence[str], rows: Sequence[Sequence[str]], whole: int) -> dict[str, int]:
    """Numbers and times as wide as they are; names share what is left, the short ones first, so that a long
    name never takes the place of a number."""
    from rich.cells import cell_len

    widths = {
        head: max(cell_len(head), *(cell_len(row[at]) for row in rows)) if rows else cell_len(head)
        for at, head in enumerate(heads)
    }
    left = whole - 2 * (len(heads) - 1)
    rigid = [head for head in heads if head in _NUMBERS or head.endswith(("At", "Timestamp", "timestamp"))]
    left -= sum(widths[head] for head in rigid)
    names = sorted((head for head in heads if head not in rigid), key=widths.__getitem__)
    for at, head in enumerate(names):
        widths[head] = max(4, min(widths[head], left // (len(names) - at)))
        left -= widths[head]
    return widths


_NUMBERS: Final = {
    "version", "position", "globalPosition", "streams", "events", "firstPosition", "lastPosition",
}  # fmt: skip
_STYLES: Final = {"version": "cyan", "position": "cyan", "time": "dim", "type": "green", "category": "cyan"}


def _width(head: str, whole: int) -> int | None:
    if head in ("stream", "type"):
        return max(12, whole // 6)
    return {"version": 7, "position": 8, "time": 19}.get(head)
