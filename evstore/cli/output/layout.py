"""The columns of a table in a window: who gives way first where it is too narrow.

Ids and names of streams are copied out of a table, so they are the last to be cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.cli.output import screen
from evstore.cli.output.moments import today

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NUMBERS: Final = frozenset({"version", "position", "globalPosition"})
COPIED: Final = frozenset({"stream", "streamId", "id"})
REST: Final = frozenset({"data", "metadata"})
"""Columns that can be of any length, and get what the others leave."""
TIMES: Final = frozenset({"time", "timestamp"})
CLOCK: Final = len("14:30:00")
_DATE: Final = len("2026-11-23 ")
_EASY: Final = 30
_LEAST: Final = 10
_TOO_LITTLE: Final = 4
_GAP: Final = 2
_GIVE_WAY: Final = ("time", "data", "type")
"""Columns that are left out, in this order, if all cannot be seen."""
_OFTEN: Final = {"stream": 12, "type": 12}
"""The widths for rows that come singly, so that the columns seldom move."""


class Layout:
    """The columns shown and their widths. Wider rows that come later move them."""

    def __init__(self, heads: Sequence[str], *, picked: bool, singly: bool = False) -> None:
        """`picked`: none of the columns may be left out; `singly`: later rows are unknown."""
        self.shown: list[str] = list(heads)
        self.widths: dict[str, int] = {}
        self.short_times = False
        self._heads = heads
        self._picked = picked
        self._wanted = {head: screen.cells(head) for head in heads}
        self._today = True
        if singly:
            self.expect_more()

    @property
    def left_out(self) -> list[str]:
        """The columns for which there is no room."""
        return [head for head in self._heads if head not in self.shown]

    def expect_more(self) -> None:
        """Leave room for rows that come later."""
        for head, columns in _OFTEN.items():
            if head in self._wanted:
                self._wanted[head] = max(self._wanted[head], columns)
        for head in REST & self._wanted.keys():
            self._wanted[head] = screen.width()

    def take(self, rows: Iterable[Sequence[str]]) -> None:
        """Fit these rows in, too."""
        date = today()
        for row in rows:
            for head, text in zip(self._heads, row, strict=True):
                self._wanted[head] = max(self._wanted[head], screen.cells(text))
                self._today = self._today and (head != "time" or text.startswith(date))
        whole = screen.width()
        for shown, short, easy in self._choices():
            least = self._least(shown, short=short, easy=easy)
            if _together(least) <= whole:
                break
        self.shown, self.short_times = shown, short
        self.widths = _shared(self._wants(shown, short=short), least, whole)

    def _choices(self) -> Iterable[tuple[list[str], bool, bool]]:
        """The columns to show, the best choice first; if times lack the date; if all must be easy to read."""
        shown = list(self._heads)
        yield shown, False, True
        yield shown, self._today, False
        for head in () if self._picked else _GIVE_WAY:
            shown = [each for each in shown if each != head]
            yield shown, self._today, False

    def _wants(self, shown: Sequence[str], *, short: bool) -> dict[str, int]:
        return {head: CLOCK if short and head == "time" else self._wanted[head] for head in shown}

    def _least(self, shown: Sequence[str], *, short: bool, easy: bool) -> dict[str, int]:
        firm = NUMBERS | COPIED | TIMES
        return {
            head: columns if head in firm else min(columns, _EASY if easy else _LEAST)
            for head, columns in self._wants(shown, short=short).items()
        }

    def cells(self, row: Sequence[str]) -> list[str]:
        """The texts of a row that are shown."""
        given = dict(zip(self._heads, row, strict=True))
        if self.short_times and "time" in given:
            given["time"] = given["time"][_DATE:]
        return [given[head] for head in self.shown]


def _together(widths: Mapping[str, int]) -> int:
    """The columns of the window that these take, with the gaps between."""
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _shared(wants: Mapping[str, int], least: Mapping[str, int], whole: int) -> dict[str, int]:
    """Widths that fill the window at the most: others give way to what is copied, and that is cut last."""
    others = [head for head in wants if head not in NUMBERS | TIMES | COPIED]
    if _together(least) > whole:
        least = {head: _TOO_LITTLE if head in others else columns for head, columns in least.items()}
    if _together(least) > whole:
        others = [head for head in wants if head not in NUMBERS | TIMES]
        least = {head: _TOO_LITTLE if head in others else columns for head, columns in least.items()}
    extra = screen.share([wants[head] - least[head] for head in others], max(whole - _together(least), 0), least=0)
    return {**wants, **{head: least[head] + more for head, more in zip(others, extra, strict=True)}}
