"""Progress on stderr: only on a terminal, and only for work beyond a second."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from evstore.cli import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.events import Many

T = TypeVar("T")

PATIENCE: Final = 1.0
"""Seconds of work that nobody needs to see."""
REDRAW: Final = 0.1
LOOK: Final = 256
"""Values between two looks at the clock."""


class Progress:
    """The work done and the total work; `total` is None if it is unknown."""

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._began = time.monotonic()
        self._drawn = self._began + PATIENCE - REDRAW
        self._bar: Any = None
        self._task: Any = None
        self._ended = False

    def at(self, done: int, events: int, total: int | None = None) -> None:
        """Report the work done, in the unit of the total, and the events; and `total`, once it is known."""
        self._total = total or self._total
        now = time.monotonic()
        if self._ended or now - self._drawn < REDRAW:
            return
        self._drawn = now
        if self._bar is None:
            self._bar, self._task = _bar(self._what, self._total)
            self._bar.start()
            self._bar.console.show_cursor()  # a signal may end the command before anybody could show it again
        rate = events / (now - self._began)
        self._bar.update(self._task, completed=done, events=f"{events:,} events", rate=f"{rate:,.0f}/s")

    def end(self) -> None:
        """Remove the progress from the screen."""
        self._ended = True
        if self._bar is not None:
            self._bar.stop()


def _bar(what: str, total: int | None) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False)
    columns = [TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[events]}")]
    columns += [TextColumn("{task.fields[rate]}"), TimeRemainingColumn() if total else TimeElapsedColumn()]
    bar = Bar(*columns, console=console, transient=True, auto_refresh=False)
    return bar, bar.add_task(what, total=total, events="", rate="")


class Watched(Generic[T]):
    """Values that report their iteration to a Progress."""

    def __init__(self, values: Many[T], shown: Progress) -> None:
        self._values = values
        self._shown = shown

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        for count, value in enumerate(self._values):
            if count % LOOK == 0:
                self._shown.at(count, count)
            yield value


class _Silent(Progress):
    def at(self, done: int, events: int, total: int | None = None) -> None:
        """Draw nothing."""


@contextmanager
def progress(what: str, total: int | None, unit: str = "events") -> Iterator[Progress]:
    # What is drawn again in its place takes escapes, and without colour none may go.
    moves = settings.on_terminal(sys.stderr) and settings.in_colour(sys.stderr)
    watched = moves and not settings.current.quiet and settings.current.errors == "text"
    shown = (Progress if watched else _Silent)(what, total, unit)
    try:
        yield shown
    finally:
        shown.end()
