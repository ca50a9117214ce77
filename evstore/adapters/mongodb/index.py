"""The part of the log that a process judges by: the catalogue up to a block, and every unit after it.

A process folds units in their order, n after n - 1, and none before the catalogue's end. It lets go of units once
their block is in the catalogue, so that memory stays small; whoever stored the unit that ends a block writes it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evstore.adapters.mongodb.blocks import Block, Blocks, ends_block
from evstore.adapters.mongodb.documents import bare
from evstore.adapters.mongodb.facts import Facts, SourceFacts, StreamFacts
from evstore.adapters.mongodb.keys import (
    KEYS,
    NO_CHAIN,
    Chain,
    Keys,
    key_of_id,
    key_of_source,
    key_of_stream,
)
from evstore.adapters.mongodb.numbering import numbered
from evstore.adapters.mongodb.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evstore.adapters.mongodb.documents import Unit
    from evstore.adapters.mongodb.session import Session
    from evstore.adapters.mongodb.units import Units

_MOST_CHAINS: Final = 10_000
_LONG: Final = 1.0
"""Seconds after which others may have stored more than is worth folding."""


class Run(NamedTuple):
    """The events of a stream in a unit: the first version of them."""

    version: int
    unit: int


class Tail:
    """Units after the catalogue, without the texts of their events."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.facts = Facts()
        self.ids: dict[str, int] = {}
        """The unit of each id."""
        self.runs: dict[str, list[Run]] = {}
        self.ends: list[int] = []
        """The places in `units` after which a block ends."""
        self._open = (0, 0)

    def add(self, unit: Unit) -> None:
        """Take in the next unit."""
        self.units.append(unit)
        self.facts.add_unit(unit, unit.events)
        for event in unit.events:
            self.ids[event.id] = unit.number
            runs = self.runs.setdefault(event.stream_id, [])
            if not runs or runs[-1].unit != unit.number:
                runs.append(Run(event.version, unit.number))
        self._open = self._open[0] + 1, self._open[1] + unit.size
        if ends_block(*self._open):
            self._open = 0, 0
            self.ends.append(len(self.units))


class Index:
    """The knowledge of a store up to the unit `number`, whose last event is at the position `head`."""

    def __init__(self, session: Session, units: Units) -> None:
        self._session = session
        self._units = units
        self.keys = Keys(session)
        self.blocks = Blocks(session, units)
        self.number = self.head = 0
        self.end = Block(0, 0, 0, 1, 0)
        """The last block of the catalogue that is known."""
        self.tail = Tail()
        self._is_begun = False
        self._looked = 0.0
        self._chains: OrderedDict[str, Chain] = OrderedDict()
        self._seen: Seen | None = None
        self._asked = 0

    # --- folding ---

    def catch_up(self) -> None:
        """Fold what others have stored meanwhile."""
        now = time.monotonic()
        if not self._is_begun or (now - self._looked > _LONG and self.blocks.find(self.end.number + 2)):
            self._begin()
        self._looked = now
        ends = len(self.tail.ends)
        for unit in self._units.from_(self.number + 1):
            self.fold(unit)
        if len(self.tail.ends) > ends:
            self.settle(None)

    def fold_known(self) -> None:
        """Fold what was read of the units that follow."""
        ends = len(self.tail.ends)
        while (unit := self._units.known(self.number + 1)) is not None:
            self.fold(unit)
        if len(self.tail.ends) > ends:
            self.settle(None)

    def _begin(self) -> None:
        """Begin where the catalogue ends now, and forget what was known of an earlier end."""
        self.end = self.blocks.last()
        self.number, self.head = self.end.upto, self.end.last
        self.tail, self._chains, self._seen, self._asked = Tail(), OrderedDict(), None, 0
        self._is_begun = True

    def fold(self, unit: Unit) -> None:
        """Take in the unit after the last one."""
        self.tail.add(unit._replace(events=[bare(event) for event in self._units.events(unit)]))
        self.number, self.head = unit.number, unit.last

    def settle(self, stored: int | None) -> None:
        """Let go of blocks that the catalogue has. The writer of unit `stored` writes those that it ended, or that
        others left when they ended a later one."""
        ends = [*self.tail.ends]
        due = 0
        if ends and stored is not None:
            due = len(ends) - (self.tail.units[ends[-1] - 1].number != stored)
        for left in range(len(ends)):
            count = self.tail.ends[0]
            part = Tail()
            for unit in self.tail.units[:count]:
                part.add(unit)
            first, last = part.units[0], part.units[-1]
            block = Block(self.end.number + 1, self.end.upto, last.number, first.first, last.last)
            if self.blocks.find(block.number) is None:
                if left >= due:
                    return
                self._write(block, part)
            self._let_go(block, part, count)

    def _write(self, block: Block, part: Tail) -> None:
        documents: list[dict[str, Any]] = [
            {"_id": key_of_id(event_id), "unit": unit} for event_id, unit in part.ids.items()
        ]
        for stream_id, facts in part.facts.streams.items():
            link, number = self._link(block, stream_id, facts, part.runs[stream_id])
            documents.append({"_id": numbered(key_of_stream(stream_id), number), **link})
        for name, source in part.facts.sources.items():
            number = self.keys.chain(key_of_source(name), block.after).length + 1
            documents.append(
                {"_id": numbered(key_of_source(name), number), "upto": block.upto, **source._asdict()}
            )
        self._session.insert_derived(KEYS, documents)
        self.blocks.insert(block, part.facts, [*part.ids])

    def _link(
        self, block: Block, stream_id: str, facts: StreamFacts, runs: Sequence[Run]
    ) -> tuple[dict[str, Any], int]:
        """The link that the block adds to a stream, and its number."""
        before = NO_CHAIN if runs[0].version == 1 else self.chain(stream_id)
        link = {
            "upto": block.upto,
            **facts._asdict(),
            "created_us": before.last["created_us"] if before.last else facts.created_us,
            "versions": [run.version for run in runs],
            "units": [run.unit for run in runs],
        }
        return link, before.length + 1

    def _let_go(self, block: Block, part: Tail, count: int) -> None:
        for stream_id, facts in part.facts.streams.items():
            if part.runs[stream_id][0].version == 1 or stream_id in self._chains:
                link, length = self._link(block, stream_id, facts, part.runs[stream_id])
                self._keep_chain(stream_id, Chain(length, link))
        if self._seen is not None:
            self._seen.add(_keys_of(part.ids, part.facts.streams))
        rest, self.tail = self.tail.units[count:], Tail()
        for unit in rest:
            self.tail.add(unit)
        self.end = block

    # --- looking up ---

    def held(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that the store holds."""
        found: list[str] = []
        beside: set[str] = set()
        for each in ids:
            if each not in self.tail.ids and each not in beside:
                number = self.unit_of(each)
                if number is None:
                    continue
                beside.update(event.id for event in self._units.events(self._units.get(number)))
            found.append(each)
        return found

    def unit_of(self, event_id: str) -> int | None:
        """The number of the unit with this event."""
        found = self.tail.ids.get(event_id)
        if found is None and self._may_have(key_of_id(event_id)):
            found = self.keys.unit_of(event_id, self.end.upto)
        return found

    def version(self, stream_id: str) -> int:
        """The version of a stream, 0 if it is missing."""
        facts = self.stream(stream_id)
        return facts.version if facts else 0

    def stream(self, stream_id: str) -> StreamFacts | None:
        """The facts of a stream, None if it is missing; where only the catalogue has it, without its begin."""
        return self.tail.facts.streams.get(stream_id) or _facts_of(self.chain(stream_id))

    def whole_stream(self, stream_id: str) -> StreamFacts | None:
        """The facts of a stream, None if it is missing."""
        facts = self.stream(stream_id)
        if facts is None or facts.created_us is not None:
            return facts
        before = _facts_of(self.chain(stream_id))
        return facts._replace(created_us=before.created_us) if before else facts

    def chain(self, stream_id: str) -> Chain:
        """The links of a stream."""
        kept = self._chains.get(stream_id)
        if kept is not None:
            self._chains.move_to_end(stream_id)
            return kept
        if not self._may_have(key_of_stream(stream_id)):
            return NO_CHAIN
        chain = self.keys.chain(key_of_stream(stream_id), self.end.upto)
        self._keep_chain(stream_id, chain)
        return chain

    def source(self, name: str) -> SourceFacts | None:
        """The last position of a source."""
        found = self.tail.facts.sources.get(name)
        if found is not None or not self.end.number:
            return found
        last = self.keys.chain(key_of_source(name), self.end.upto).last
        return SourceFacts(last["position"], last["last"]) if last else None

    def _keep_chain(self, stream_id: str, chain: Chain) -> None:
        self._chains[stream_id] = chain
        self._chains.move_to_end(stream_id)
        if len(self._chains) > _MOST_CHAINS:
            self._chains.popitem(last=False)

    def _may_have(self, key: str) -> bool:
        """False only if the catalogue does not have the key. After as many questions as there are blocks, all
        their keys are read, and most questions need no answer of the server any more."""
        if self._seen is None:
            self._asked += 1
            if self._asked > self.end.number:
                self._seen = Seen()
                for number in range(1, self.end.number + 1):
                    self._seen.add(_keys_of(self.blocks.ids(number), self.blocks.facts(number).streams))
        return self._seen is None or key in self._seen


def _facts_of(chain: Chain) -> StreamFacts | None:
    if chain.last is None:
        return None
    return StreamFacts(*(chain.last[name] for name in StreamFacts._fields))


def _keys_of(ids: Iterable[str], streams: Iterable[str]) -> Iterator[str]:
    yield from map(key_of_id, ids)
    yield from map(key_of_stream, streams)
