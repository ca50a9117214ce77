"""The tags of events, and the searches that must find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.model.findings import Finding
from evstore.model.names import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.model.findings import AuditedEvent
    from evstore.port import Audits


class Tags:
    """The tags of the events of a verification. `whole`: it goes over the log from its start."""

    def __init__(self, audits: Audits, *, whole: bool) -> None:
        self._audits = audits
        self._whole = whole
        self._count = 0
        self._differ = False

    def of_page(self, page: Sequence[AuditedEvent]) -> Iterator[Finding]:
        """The findings of events that a search for a tag of the page finds, or should find."""
        held: dict[str, list[int]] = {}
        for event in page:
            if event.joined_tags is not None:
                for tag in tags_of(event.joined_tags):
                    held.setdefault(tag, []).append(event.global_position)
        if not held:
            return
        self._count += sum(map(len, held.values()))
        found = self._audits.tagged([*held], page[0].global_position, page[-1].global_position)
        for tag, positions in held.items():
            for position in sorted({*positions} ^ {*found.get(tag, ())}):
                self._differ = True
                if position in positions:
                    yield Finding("tag-not-found", f'a search for its tag "{tag}" does not find it', position)
                else:
                    yield Finding("wrong-tag", f'a search for the tag "{tag}" finds it, and it has none', position)

    def stray(self, head: int) -> Iterator[Finding]:
        """The finding of searches that find events up to the head which lack the tag."""
        if self._whole and not self._differ and (count := self._audits.count_tags(head)) != self._count:
            yield Finding("wrong-tag", f"searches for tags find {count} events, and {self._count} have the tags")
