"""What leaves the process. Data goes out as bytes on stdout, everything else on stderr."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from evstore.cli.exits import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evstore.events import StoredEvent

# C0, DEL, C1 and the bidirectional controls: what could move, colour or reorder a terminal.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINES_AT_ONCE: Final = 256


def on_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def visible(text: str) -> str:
    """The text with every character that could drive a terminal shown as an escape."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def note(text: str, kind: str = "note") -> None:
    """A line for the person at the terminal; scripts may drop it."""
    flush()  # where both streams are one terminal, it stands in its place
    print(visible(f"{kind}: {text}"), file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """Text on stdout, as UTF-8 whatever the locale says."""
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed")
    try:
        sys.stdout.buffer.write(text.encode())
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write to stdout: {error}") from error


def flush() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write to stdout: {error}") from error


def event_lines(events: Iterable[StoredEvent], *, live: bool = False) -> int:
    """Print events as NDJSON and say how many; each at once if they are `live`."""
    count = 0
    lines: list[str] = []
    for event in events:
        count += 1
        lines.append(event.to_json())
        if live or len(lines) == _LINES_AT_ONCE:
            write("\n".join(lines) + "\n")
            lines.clear()
            if live:
                flush()
    if lines:
        write("\n".join(lines) + "\n")
    return count


def object_line(members: dict[str, Any]) -> None:
    import json  # noqa: PLC0415

    write(json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n")


def event_table(events: Sequence[StoredEvent], *, by_stream: bool, header: bool = True) -> None:
    """Print events for a person: `by_stream` with versions, else with positions and streams."""
    rows = []
    for event in events:
        at = event.version if by_stream else event.global_position
        moment = event.timestamp.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        names = [event.type] if by_stream else [event.stream_id, event.type]
        rows.append([str(at), moment, *names, event.data_json])
    names = ["type"] if by_stream else ["stream", "type"]
    table(["version" if by_stream else "position", "time", *names, "data"], rows, header=header)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, header: bool = True) -> None:
    """A table as wide as the terminal. Widths are fixed by the columns' kinds, so that rows that come later
    stand under those before."""
    from io import StringIO  # noqa: PLC0415

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    buffer = StringIO()
    console = Console(file=buffer, force_terminal=not plain, color_system=None if plain else "standard")
    drawn = Table(box=None, show_header=header, pad_edge=False, header_style="bold", expand="data" in heads)
    for head in heads:
        width = _width(head, console.width)
        drawn.add_column(
            head,
            justify="right" if head in _NUMBERS else "left",
            style=_STYLES.get(head, ""),
            width=width,
            ratio=1 if head == "data" else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    console.print(drawn)
    # Rich fills the last column up, which a narrower window would wrap later.
    write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()))


_NUMBERS: Final = ("version", "position", "streams", "events", "first", "last")
_STYLES: Final = {"version": "cyan", "position": "cyan", "time": "dim", "type": "green", "category": "cyan"}


def _width(head: str, whole: int) -> int | None:
    if head in ("stream", "type"):
        return max(12, whole // 6)
    return {"version": 7, "position": 8, "time": 19}.get(head)
