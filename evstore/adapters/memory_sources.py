"""Outside sources in memory: the reference of clause W12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.adapters.memory_lists import names_of
from evstore.model.facts import SourceInfo
from evstore.port import source_taken

if TYPE_CHECKING:
    from evstore.model.sources import Source
    from evstore.port import NamePage, SourceTaken


class MemorySources:
    """The positions up to which each source was taken, append by append."""

    def __init__(self) -> None:
        self._taken: dict[str, list[SourceInfo]] = {}

    def last(self, name: str) -> SourceInfo | None:
        return self._taken[name][-1] if name in self._taken else None

    def taken(self, source: Source | None) -> SourceTaken | None:
        """The answer to a unit with this source, None if it is accepted."""
        last = self.last(source.name) if source else None
        return source_taken(source, last and last.position)

    def record(self, source: Source | None, head: int) -> None:
        """Record the source of a unit whose last event is the head."""
        if source:
            self._taken.setdefault(source.name, []).append(SourceInfo(*source, head))

    def unrecord(self, head: int) -> None:
        """Take away what was recorded after the head."""
        kept = {name: [each for each in its if each.global_position <= head] for name, its in self._taken.items()}
        self._taken = {name: its for name, its in kept.items() if its}

    def page(self, page: NamePage) -> list[SourceInfo]:
        return [self._taken[name][-1] for name in names_of(self._taken, page)]
