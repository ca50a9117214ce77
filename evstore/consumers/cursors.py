"""The places that a consumer has come to, in memory and in the store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from evstore.errors import ConsumerNotFoundError
from evstore.model.consumers import SLOTS, WHOLE, slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from evstore.model.consumers import Checkpoint
    from evstore.model.events import StoredEvent
    from evstore.port import Consumers, Hold, Step

PASSING_SECONDS: Final = 1.0
"""The least time between two writes of positions that were only passed over: each is a durable commit."""


class Cursors:
    """The positions of slots, and the events that these still want."""

    def __init__(self, checkpoints: Iterable[Checkpoint], held: Container[int] = range(SLOTS)) -> None:
        """The slots that are `held`, where these checkpoints are."""
        self.stored: dict[int, int] = {}
        """The positions that the store has, of the slots that are held."""
        self._reached: dict[int, int] = {}
        self.is_divided = False
        """True if there are 64 slots."""
        self.went_back = False
        """True if the store has less than it had: a failover has lost a step."""
        self.take(checkpoints, held)

    def take(self, checkpoints: Iterable[Checkpoint], held: Container[int]) -> None:
        """Take over what the store says, and the slots that are held by now."""
        positions = {each.slot: each.global_position for each in checkpoints}
        self.is_divided = len(positions) > 1
        self.went_back = self.went_back or any(at < self.stored.get(slot, 0) for slot, at in positions.items())
        self.stored = {slot: at for slot, at in positions.items() if slot in held}
        self._reached = {slot: max(at, self._reached.get(slot, 0)) for slot, at in self.stored.items()}

    @property
    def lowest(self) -> int:
        """The position up to which no slot wants anything."""
        return min(self._reached.values())

    def slot(self, stream_id: str) -> int:
        """The slot of a stream."""
        return slot_of(stream_id) if self.is_divided else WHOLE

    def reached(self, stream_id: str) -> int:
        """The position that the slot of a stream has come to; -1 if that slot is not held."""
        return self._reached.get(self.slot(stream_id), -1)

    def wanted(self, events: Iterable[StoredEvent]) -> list[StoredEvent]:
        """Those of the events that slots in hand have not handled."""
        return [each for each in events if 0 <= self.reached(each.stream_id) < each.global_position]

    def moves(self, events: Sequence[StoredEvent]) -> dict[int, int]:
        """The positions of the slots once these events are handled."""
        if not self.is_divided:
            return {WHOLE: events[-1].global_position}
        return {slot_of(each.stream_id): each.global_position for each in events}

    def moved(self, moves: Mapping[int, int]) -> None:
        """These moves are stored."""
        self.stored.update(moves)
        self._reached.update(moves)

    def begin_anew(self) -> None:
        """Begin after the positions that the store has: nothing was passed over."""
        self.went_back = False
        self._reached = dict(self.stored)

    def begin_at(self, position: int) -> None:
        """Begin after a position that is kept elsewhere, whatever the store has."""
        self._reached = dict.fromkeys(self._reached, position)

    def pass_to(self, position: int) -> None:
        """All slots have handled, or do not want, what lies up to a position."""
        self._reached = {slot: max(at, position) for slot, at in self._reached.items()}

    def passed(self) -> dict[int, int]:
        """The moves that only pass over events and are not stored yet."""
        return {slot: at for slot, at in self._reached.items() if at > self.stored[slot]}


class HeldCursors(Cursors):
    """Cursors that a step moves in the store, too."""

    def __init__(self, consumers: Consumers, hold: Hold) -> None:
        self._consumers = consumers
        self._hold = hold
        self._written = time.monotonic()
        super().__init__(self._found(), hold.slots)

    def load(self) -> None:
        """Take over what the store says of the slots that are held."""
        self.take(self._found(), self._hold.slots)

    def _found(self) -> Sequence[Checkpoint]:
        record = self._consumers.find(self._hold.name)
        if record is None:
            raise ConsumerNotFoundError(self._hold.name)
        return record.checkpoints

    def moved(self, moves: Mapping[int, int]) -> None:
        super().moved(moves)
        self._written = time.monotonic()

    def has(self, moves: Mapping[int, int]) -> bool:
        """True if the store has these moves."""
        self.load()
        return all(self.stored.get(slot, 0) >= position for slot, position in moves.items())

    def is_time(self) -> bool:
        """True if what was passed over has not been written for a while."""
        return time.monotonic() - self._written >= PASSING_SECONDS

    def write(self, change: Callable[[Step], None]) -> None:
        """Change the consumer in a step of its own."""
        with self._consumers.step(self._hold) as step:
            change(step)
