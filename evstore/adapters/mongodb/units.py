"""The log: units by their numbers, one after the other. None is ever passed over, for the numbers are dense."""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.adapters.mongodb.documents import unit_of
from evstore.adapters.mongodb.numbering import last_number, unit_id
from evstore.adapters.mongodb.staging import Staging
from evstore.errors import IncompleteLogError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.mongodb.documents import Unit
    from evstore.adapters.mongodb.session import Session
    from evstore.model.events import StoredEvent

UNITS: Final = "units"
_MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""Of text that is kept of the units that were read last."""
_MOST_NOTED: Final = 1000
_FIRST_SINGLY: Final = 16
"""Units that are read one by one: mostly no more are new, and a range may cost more than these."""
_FIRST_AHEAD: Final = 64
_MOST_AHEAD: Final = 1024
"""A server may read everything to find a unit, or some in a row: a few large reads are better than many."""
_BESIDE: Final = 500
"""The characters of an event beside its texts, about."""
_TRIES: Final = 50
_PAUSE: Final = 0.02


class Units:
    """The units of a store."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.staging = Staging(session)
        self._guard = threading.Lock()
        self._kept: OrderedDict[int, tuple[Unit, int]] = OrderedDict()
        self._characters = 0
        self._noted: OrderedDict[int, int] = OrderedDict({1: 1})
        """The numbers of the units at positions where pages ended: the next one begins there."""
        self._last = 0
        """The last unit that is known to be there."""

    def known(self, number: int) -> Unit | None:
        """The unit, if it was read or stored and is kept."""
        with self._guard:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
                return kept[0]
        return None

    def find(self, number: int) -> Unit | None:
        """The unit, None if it is not there yet."""
        kept = self.known(number)
        if kept is not None:
            return kept
        document = self._session.collection(UNITS).find_one({"_id": unit_id(number)})
        if document is None:
            return None
        unit = unit_of(document)
        self.keep(unit)
        return unit

    def get(self, number: int) -> Unit:
        """A unit that must be there: a server may show a later one first. Raises IncompleteLogError."""
        for _ in range(_TRIES):
            unit = self.find(number)
            if unit is not None:
                return unit
            self._session.pause(_PAUSE)
        raise IncompleteLogError(self._session.location.shown, number, "unit of this number")

    def keep(self, unit: Unit) -> None:
        """Note a unit that was read or stored; what was kept longest goes."""
        size = _characters_of(unit)
        with self._guard:
            self._last = max(self._last, unit.number)
            if unit.number not in self._kept and size < _MOST_CHARACTERS:
                self._kept[unit.number] = (unit, size)
                self._characters += size
            while self._characters > _MOST_CHARACTERS:
                self._characters -= self._kept.popitem(last=False)[1][1]

    def has(self, number: int) -> bool:
        """True if the unit is there."""
        if number > self._last and self._session.collection(UNITS).find_one({"_id": unit_id(number)}, {"_id": 1}):
            self._last = max(self._last, number)
        return number <= self._last

    def last(self) -> int:
        """The number of the last unit, 0 if there is none."""
        return last_number(self.has, self._last)

    def head(self) -> int:
        """The global position of the last event, 0 if there is none."""
        number = self.last()
        return self.get(number).last if number else 0

    def from_(self, number: int) -> Iterator[Unit]:
        """The units from this number on, as long as there are some."""
        ahead, singly = _FIRST_AHEAD, _FIRST_SINGLY
        while True:
            singly -= 1
            if singly < 0 and number not in self._kept:
                if not self.read_ahead(number, ahead) and number > self._last:
                    return
                ahead = _MOST_AHEAD
            unit = self.get(number) if number <= self._last else self.find(number)
            if unit is None:
                return
            yield unit
            number += 1

    def read_ahead(self, number: int, count: int = _FIRST_AHEAD) -> bool:
        """Keep some units from this number on in one read, as many as memory is for. False if there are none."""
        wanted = {"_id": {"$gte": unit_id(number), "$lt": unit_id(number + count)}}
        left, is_any = _MOST_CHARACTERS // 2, False
        with self._session.collection(UNITS).find(wanted).sort("_id") as cursor:
            for document in cursor:
                unit, is_any = unit_of(document), True
                self.keep(unit)
                left -= _characters_of(unit)
                if left < 0:
                    break
        return is_any

    def events(self, unit: Unit, number: int = 0) -> Iterator[StoredEvent]:
        """The events of the unit, from this number within the unit on."""
        if unit.starts:
            yield from self.staging.events(unit, number)
        else:
            yield from unit.events[number:] if number else unit.events

    def between(self, unit: Unit, low: int, high: int, *, backward: bool) -> Iterator[StoredEvent]:
        """The events of the unit at positions in [low, high]."""
        begin, end = max(low - unit.first, 0), min(high - unit.first, unit.size - 1)
        if not backward:
            yield from islice(self.events(unit, begin), end + 1 - begin)
            return
        for start in sorted({*unit.starts} or {0}, reverse=True):  # part by part, for a unit may be long
            if start <= end:
                part = islice(self.events(unit, max(start, begin)), max(end + 1 - max(start, begin), 0))
                yield from reversed([*part])
                end = start - 1

    def at(self, position: int) -> int:
        """The number of the unit with the event at this position, or of the one after the last."""
        with self._guard:
            noted = self._noted.get(position)
        if noted is not None:
            return noted
        low, high = 1, position  # a unit has one event at least
        guess = position
        while low < high:
            unit = self.find(guess)
            if unit is not None and unit.first <= position:
                if position <= unit.last:
                    return guess
                low = guess + 1
            else:
                high = guess
            guess = (low + high) // 2
        return low

    def note(self, position: int, number: int) -> None:
        """Keep the number of the unit with the event at this position."""
        with self._guard:
            self._noted[position] = number
            self._noted.move_to_end(position)
            if len(self._noted) > _MOST_NOTED:
                self._noted.popitem(last=False)


def _characters_of(unit: Unit) -> int:
    return sum(len(event.data_json) + len(event.metadata_json) + _BESIDE for event in unit.events) + _BESIDE
