"""The records of a store for `verify`: every event of the log, and the blocks of the catalogue beside it.

The log is all there is: searches by stream and id are searches in what follows from it. A block that says
something else than its units is found, and can be made anew.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NoReturn

from evstore.adapters.mongodb.facts import Facts
from evstore.adapters.mongodb.seen import Seen
from evstore.errors import UnsupportedError
from evstore.model.digests import content_hash_of
from evstore.model.filters import Filter
from evstore.model.findings import AuditedEvent, AuditedName, Finding
from evstore.model.names import tags_of
from evstore.port import MOST_IN_PAGE, NamePage, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from evstore.adapters.mongodb.index import Index
    from evstore.adapters.mongodb.lists import Lists
    from evstore.adapters.mongodb.reading import Reading
    from evstore.adapters.mongodb.units import Units
    from evstore.model.events import StoredEvent
    from evstore.model.findings import What

_ALL: Final = Filter()
_WHOLE: Final = NamePage(10**9)
_ANEW: Final = (
    "while nobody appends, drop the collections blocks and keys, which follow from the log: appends make them anew"
)


class MongoAudits:
    """`port.Audits`. Within `opened`, errors of the driver are evstore's."""

    def __init__(
        self,
        units: Units,
        index: Index,
        reading: Reading,
        lists: Lists,
        opened: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._units = units
        self._index = index
        self._reading = reading
        self._lists = lists
        self._opened = opened
        self._begin = self._next = 1
        """The positions from which on, and up to before which, pages were read one after the other."""
        self._versions: dict[str, tuple[int, int]] = {}
        """Version and position of the last event of each stream before the next page."""
        self._seen = Seen()
        """The ids of pages that were read."""
        self._page: list[AuditedEvent] = []
        """The page that was read last, whose tags are asked for next."""

    def events(self, low: int, high: int, limit: int) -> list[AuditedEvent]:
        with self._opened():
            events = self._reading.read_all(Page(min(limit, MOST_IN_PAGE), low=max(low, 1), high=high), _ALL)
            if low != self._next:  # else the page follows the one before
                self._versions, self._begin, self._seen = {}, low, Seen()
            if self._begin > 1:
                self._look_before(events)
            self._next = events[-1].global_position + 1 if events else low
            self._page = [self._audited(event) for event in events]
        return self._page

    def _look_before(self, events: Sequence[StoredEvent]) -> None:
        """Find version and position of the last event of each stream before the page."""
        for event in events:
            if event.stream_id not in self._versions:
                page = Page(1, high=event.version - 1, backward=True)
                for before in self._reading.read_stream(event.stream_id, page, _ALL):
                    self._versions[event.stream_id] = before.version, before.global_position

    def _audited(self, event: StoredEvent) -> AuditedEvent:
        version, position = self._versions.get(event.stream_id, (0, 0))
        self._versions[event.stream_id] = event.version, event.global_position
        return AuditedEvent(
            **event._asdict(),
            category=event.category,
            stream_category=event.category,
            found_by_id=self._found_by_id(event),
            found_by_version=position if version == event.version else event.global_position,
            predecessor=position if version == event.version - 1 and version else None,
            content_hash=content_hash_of(event) if event.redacted else None,
        )

    def _found_by_id(self, event: StoredEvent) -> int:
        """The position at which the id leads to an event: another one's, if the log has the id twice."""
        if event.id in self._seen:  # or it seems so
            for found in self._reading.get([event.id]):
                return found.global_position
        self._seen.add([event.id])
        return event.global_position

    def names(self, what: What, after: int | str | None, limit: int) -> list[AuditedName]:
        page = NamePage(limit, None if after is None else str(after))
        with self._opened():
            if what == "stream":
                streams = self._lists.streams(page, None)
                return [
                    AuditedName(s.stream_id, s.stream_id, s.stream_id, True, s.category, 1, None, s.stream_id)
                    for s in streams
                ]
            if what == "category":
                names = [each.category for each in self._lists.categories(page)]
            elif what == "tag":
                names = [each.tag for each in self._lists.tags(page)]
            else:
                names = [each.type for each in self._lists.types(page, None)]
        return [AuditedName(name, name, name, True) for name in names]

    def tagged(self, tags: Sequence[str], low: int, high: int) -> dict[str, list[int]]:
        page = self._page if self._page and self._page[0].global_position == low else self.events(low, high, high)
        found: dict[str, list[int]] = {tag: [] for tag in tags}
        for event in page:
            for tag in tags_of(event.joined_tags):
                if tag in found:
                    found[tag].append(event.global_position)
        return found

    def count_tags(self, high: int) -> int:
        with self._opened():
            facts = self._lists.facts()
            later = self._reading.events(high + 1, facts.size, _ALL, backward=False)
            return sum(span.events for span in facts.tags.values()) - sum(len(event.tags) for event in later)

    # --- the catalogue ---

    def schema(self) -> list[Finding]:
        with self._opened():
            self._lists.facts()
            return [found for number in range(1, self._index.end.number + 1) for found in self._of_block(number)]

    def _of_block(self, number: int) -> list[Finding]:
        """The findings of a block, which must say what its units say. One event shows that its keys are there."""
        block, facts, ids = self._index.blocks.get(number), Facts(), []
        for unit in islice(self._units.from_(block.after + 1), block.upto - block.after):
            events = [*self._units.events(unit)]
            ids += [event.id for event in events]
            facts.add_unit(unit, events)
        found = []
        if vars(facts) != vars(self._index.blocks.facts(number)) or ids != self._index.blocks.ids(number):
            found.append(f"block {number} of the catalogue says something else than its units")
        if self._index.keys.unit_of(ids[-1], block.upto) != block.upto:
            found.append(f"the id {ids[-1]} of unit {block.upto} is not found")
        return [Finding("configuration", message, block.first, advice=_ANEW) for message in found]

    def engine(self) -> NoReturn:
        raise UnsupportedError("the server checks its files by its own means, as the command validate")

    def correlation_hash(self, _correlation_id: str) -> None:
        return None
