"""Blocks of the catalogue: the facts of some units in a row, inserted when their keys are.

A block ends with the unit that makes it long enough, so that whoever writes it writes the same. It says `upto`
which unit the catalogue goes; what comes later is read from the log itself.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bson.binary import Binary

from evstore.adapters.mongodb.facts import Facts
from evstore.adapters.mongodb.numbering import last_number, unit_id
from evstore.errors import CorruptStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evstore.adapters.mongodb.session import Session
    from evstore.adapters.mongodb.units import Units
    from evstore.model.filters import Filter

BLOCKS: Final = "blocks"
UNITS_OF_A_BLOCK: Final = 64
EVENTS_OF_A_BLOCK: Final = 1024
_MOST_BYTES: Final = 12 * 1024 * 1024
"""Facts that are larger are left out, and made of the units again."""
_MOST_KEPT: Final = 64


class Block(NamedTuple):
    """The place of a block: units from the one after `after` up to `upto`, events from `first` up to `last`."""

    number: int
    after: int
    upto: int
    first: int
    last: int


def ends_block(units: int, events: int) -> bool:
    """True if a block of so many units and events is complete."""
    return units >= UNITS_OF_A_BLOCK or events >= EVENTS_OF_A_BLOCK


class Blocks:
    """The blocks of a store."""

    def __init__(self, session: Session, units: Units) -> None:
        self._session = session
        self._units = units
        self._guard = threading.Lock()
        self._known: dict[int, Block] = {}
        self._facts: OrderedDict[int, Facts] = OrderedDict()

    def find(self, number: int) -> Block | None:
        """The block, None if it is not there yet."""
        with self._guard:
            known = self._known.get(number)
        if known is not None:
            return known
        found = self._find(number, {"after": 1, "upto": 1, "first": 1, "last": 1})
        if found is None:
            return None
        block = Block(number, found["after"], found["upto"], found["first"], found["last"])
        with self._guard:
            self._known[number] = block
        return block

    def last(self) -> Block:
        """The last block; one of number 0 if there is none."""
        number = last_number(lambda each: self.find(each) is not None, max(self._known, default=0))
        return self.get(number) if number else Block(0, 0, 0, 1, 0)

    def get(self, number: int) -> Block:
        """A block that must be there. Raises CorruptStoreError."""
        found = self.find(number)
        if found is None:
            raise CorruptStoreError(f"{self._session.location.shown}: block {number} of the catalogue is missing")
        return found

    def facts(self, number: int) -> Facts:
        """The facts of a block."""
        with self._guard:
            kept = self._facts.get(number)
            if kept is not None:
                self._facts.move_to_end(number)
                return kept
        found = self._find(number, {"facts": 1})
        packed = found.get("facts") if found else None
        facts = self._made(self.get(number)) if packed is None else Facts.unpacked(packed)
        self._keep(number, facts)
        return facts

    def ids(self, number: int) -> list[str]:
        """The ids of the events of a block."""
        found = self._find(number, {"ids": 1})
        text = bytes(found["ids"]).hex() if found else ""
        parts = (text[at : at + 32] for at in range(0, len(text), 32))
        return [f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in parts]

    def insert(self, block: Block, facts: Facts, ids: Sequence[str]) -> None:
        """Insert a block whose keys are there; another writer may have inserted the same."""
        packed = facts.packed()
        document = {
            "_id": unit_id(block.number),
            **{name: value for name, value in block._asdict().items() if name != "number"},
            "facts": Binary(packed) if len(packed) < _MOST_BYTES else None,
            "ids": Binary(b"".join(bytes.fromhex(each.replace("-", "")) for each in ids)),
        }
        self._session.insert_derived(BLOCKS, [document])
        self._keep(block.number, facts)
        with self._guard:
            self._known[block.number] = block

    def having(self, first: int, last: int, end: Block, where: Filter, backward: bool) -> Iterator[range]:
        """The numbers of the units from `first` to `last` that may have events which the filter admits: block by
        block up to `end`, and then all."""
        parts: Iterator[range] = (
            range(max(block.after + 1, first), min(block.upto, last) + 1)
            for block in self._in_order(first, min(last, end.upto), end, backward)
            if self.facts(block.number).may_have(where)
        )
        rest = range(max(end.upto + 1, first), last + 1)
        if backward:
            yield rest[::-1]
            yield from (each[::-1] for each in parts)
        else:
            yield from parts
            yield rest

    def _in_order(self, first: int, last: int, end: Block, backward: bool) -> Iterator[Block]:
        """The blocks with units from `first` to `last`."""
        if first > last:
            return
        begin, until = self.with_unit(first, end), self.with_unit(last, end)
        numbers = range(begin, until + 1)
        for number in reversed(numbers) if backward else numbers:
            yield self.get(number)

    def with_unit(self, number: int, end: Block) -> int:
        """The number of the block with this unit, among those up to `end`."""
        low, high = 1, end.number
        while low < high:
            middle = (low + high) // 2
            if self.get(middle).upto >= number:
                high = middle
            else:
                low = middle + 1
        return low

    def _made(self, block: Block) -> Facts:
        facts = Facts()
        for number in range(block.after + 1, block.upto + 1):
            unit = self._units.get(number)
            facts.add_unit(unit, self._units.events(unit))
        return facts

    def _keep(self, number: int, facts: Facts) -> None:
        with self._guard:
            self._facts[number] = facts
            if len(self._facts) > _MOST_KEPT:
                self._facts.popitem(last=False)

    def _find(self, number: int, wanted: dict[str, int]) -> dict[str, Any] | None:
        return self._session.collection(BLOCKS).find_one({"_id": unit_id(number)}, wanted)
