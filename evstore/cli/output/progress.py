"""Progress on stderr: only on a terminal, and only for work beyond a second."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from evstore.cli import settings
from evstore.cli.output import writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evstore.model.events import Many

T = TypeVar("T")

PATIENCE: Final = 1.0
"""Seconds of work that nobody needs to see."""
REDRAW: Final = 0.2
"""Seconds between two drawings: a person sees it move, and drawing takes less than a hundredth of the work."""
MOST_UNSEEN: Final = 1024
"""Values between two looks at the clock, where values come fast."""


class Progress:
    """The work done and the total work; `total` is None if it is unknown."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._began = time.monotonic()
        self._drawn = self._began + PATIENCE - REDRAW
        self._bar: Any = None
        self._task: Any = None
        self._ended = False

    def at(self, done: int, count: int, total: int | None = None, things: str = "events") -> None:
        """Report the work done, in the unit of the total; the things counted; and `total`, once it is known."""
        self._total = total or self._total
        now = time.monotonic()
        if self._ended or now - self._drawn < REDRAW:
            return
        self._drawn = now
        if self._bar is None:
            self._bar, self._task = _bar(self._what, self._total)
            self._bar.start()
            writer.make_room = self._hide
            self._bar.console.show_cursor()  # a signal may end the command before anybody could show it again
        rate = count / max(now - self._began, 0.001)
        self._bar.update(
            self._task,
            completed=done,
            total=self._total,
            count=f"{count:,} {things}",
            rate=f"{rate:,.0f}/s",
            refresh=True,
        )

    def over(self, values: Iterable[T], done: Callable[[], int] | None = None) -> Iterator[T]:
        """The values, whose iteration is reported; `done` gives the work done where values are not its unit."""
        return chain.from_iterable(self._parts(iter(values), done))

    def _parts(self, values: Iterator[T], done: Callable[[], int] | None) -> Iterator[Iterable[T]]:
        """The values in parts, with a look at the clock between two: parts grow while looks follow fast.

        A part is known to be whole once another value follows it.
        """
        count, size, looked = 0, 0, time.monotonic()
        for first in values:
            if size:
                count += size
                self.at(count if done is None else done(), count)
            fast = time.monotonic() - looked < REDRAW / 8
            size = min(2 * size, MOST_UNSEEN) or 1 if fast else max(size // 2, 1)
            looked = time.monotonic()
            yield chain((first,), islice(values, size - 1))

    def end(self) -> None:
        """Remove the progress from the screen."""
        self._ended = True
        self._hide()

    def _hide(self) -> None:
        """Make room for a line; the next drawing stands below it."""
        writer.make_room = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(what: str, total: int | None) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False)
    columns = [TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[count]}")]
    columns += [TextColumn("{task.fields[rate]}"), TimeRemainingColumn() if total else TimeElapsedColumn()]
    bar = Bar(
        *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )
    return bar, bar.add_task(what, total=total, count="", rate="")


class Watched(Generic[T]):
    """Values that report their iteration to a Progress."""

    def __init__(self, values: Many[T], shown: Progress) -> None:
        self._values = values
        self._shown = shown

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return self._shown.over(self._values)


class _Silent(Progress):
    def at(self, done: int, count: int, total: int | None = None, things: str = "events") -> None:
        """Draw nothing."""

    def over(self, values: Iterable[T], done: Callable[[], int] | None = None) -> Iterator[T]:  # noqa: ARG002
        return iter(values)


_covered = False
"""Something else shows how far the work is: a progress around it, receipts, or the lines that a person types."""


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Progress]:
    """A Progress for as long as the work goes on; it draws nothing where nobody looks on, or inside another."""
    global _covered  # noqa: PLW0603 - there is one screen
    outer = _covered
    shown = (_Silent if outer or not watched() else Progress)(what, total)
    _covered = True
    try:
        yield shown
    finally:
        _covered = outer
        shown.end()


def cover() -> None:
    """Draw nothing for the rest of this command."""
    global _covered  # noqa: PLW0603
    _covered = True


def watched() -> bool:
    """True if somebody looks on. Drawing takes escapes, so nothing is drawn without colour."""
    moves = settings.on_terminal(sys.stderr) and settings.in_colour(sys.stderr)
    return moves and not settings.current.quiet and settings.current.errors == "text"
