"""The last events of a range, which a terminal shows unless it is asked for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.cli.output import forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.cli.commands.readings import Reading
    from evstore.model.events import StoredEvent

MOST_HELD: Final = 1000
"""Events of `--last N` that are held in memory."""


class Tail:
    """The newest events of a range. `own_limit`: the limit of a terminal, whose note reports that more exist."""

    def __init__(self, most: int, *, own_limit: bool) -> None:
        self.most = most
        self.own_limit = own_limit
        self._shown: forms.AtMost[StoredEvent] | None = None

    def newest_first(self, reading: Reading, after: int, to: int | None) -> Iterator[StoredEvent]:
        """The last events of a range, of which a terminal prints few."""
        if not self.most:
            return iter(())
        limit = self.most + 1 if self.own_limit else self.most
        self._shown = forms.AtMost(reading.in_range(after, to, limit, backward=True), self.most)
        return iter(self._shown)

    def oldest_first(self, reading: Reading, after: int, to: int | None) -> Iterator[StoredEvent]:
        """The same, oldest first. Many or long events are read twice instead of held in memory."""
        from evstore.port import PAGE_CHARACTERS

        newest = self.newest_first(reading, after, to)
        held: list[StoredEvent] = []
        characters = 0
        for event in newest:
            held.append(event)
            characters += len(event.data_json)
            if len(held) > MOST_HELD or characters > PAGE_CHARACTERS:
                break
        else:
            return reversed(held)
        last, first = reading.number(held[0]), reading.number(held[-1])
        for event in newest:
            first = reading.number(event)
        return reading.in_range(first - 1, last, None, backward=False)

    def note_cut(self, reading: Reading, after: int, to: int | None) -> None:
        """Note below the events that there are more, if there are."""
        if self._shown is not None and self._shown.cut:
            forms.note_cut("last", self.most, reading.count(after, to), "events")
