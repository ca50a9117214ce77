"""Consumers in memory: the reference of clauses C1 to C8."""

from __future__ import annotations

import time
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, NoReturn

from evstore.adapters.memory_lists import names_of
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError, LogDivergedError, UnsupportedError
from evstore.model.consumers import SLOTS, WHOLE, Checkpoint, ConsumerRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from evstore.model.consumers import Parked, ParkedState
    from evstore.model.events import StoredEvent
    from evstore.port import Append, Hold, NamePage, Outcome


class _Consumer:
    def __init__(self, filter_json: str, checkpoint: Checkpoint) -> None:
        self.filter_json = filter_json
        self.created_us = checkpoint.updated_us
        self.checkpoints = {WHOLE: checkpoint}
        self.parked: dict[str, Parked] = {}

    def copy(self) -> _Consumer:
        copied = copy(self)
        copied.checkpoints, copied.parked = {**self.checkpoints}, {**self.parked}
        return copied

    def record(self, name: str) -> ConsumerRecord:
        checkpoints = tuple(self.checkpoints[slot] for slot in sorted(self.checkpoints))
        return ConsumerRecord(name, self.filter_json, self.created_us, checkpoints, len(self.parked))


class MemoryConsumers:
    """`port.Consumers`. `opened` is the adapter's lock, `log` its events, `append` stores a unit while it is held,
    `unappend` takes the events after a position away again, and `get` finds events by id."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[None]],
        log: Callable[[], Sequence[StoredEvent]],
        append: Callable[[Append], Outcome],
        unappend: Callable[[int], None],
        get: Callable[[Sequence[str]], list[StoredEvent]],
    ) -> None:
        self._opened = opened
        self._log = log
        self._append = append
        self._unappend = unappend
        self._get = get
        self._consumers: dict[str, _Consumer] = {}
        self._held: dict[tuple[str, int], MemoryHold] = {}

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        with self._opened():
            if name not in self._consumers:
                self._consumers[name] = _Consumer(filter_json, self.checkpoint(WHOLE, position, name))
            return self._consumers[name].record(name)

    def find(self, name: str) -> ConsumerRecord | None:
        with self._opened():
            found = self._consumers.get(name)
            return found.record(name) if found else None

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        with self._opened():
            return [self._consumers[name].record(name) for name in names_of(self._consumers, page)]

    def parked(self, name: str) -> list[Parked]:
        with self._opened():
            found = self._consumers.get(name)
            return sorted(found.parked.values(), key=lambda each: each.global_position) if found else []

    def mark(self, name: str, event_id: str, state: ParkedState) -> bool:
        with self._opened():
            parked = self._consumers[name].parked if name in self._consumers else {}
            for stream_id, each in parked.items():
                if each.event_id == event_id:
                    parked[stream_id] = each._replace(state=state)
                    return True
            return False

    def holders(self, name: str) -> dict[int, str]:
        with self._opened():
            return {slot: "this process" for held, slot in self._held if held == name}

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        held = MemoryHold(name, self)
        if not held.extend(slots):
            raise ConsumerHeldError(name)
        return held

    def take(self, hold: MemoryHold, slots: Sequence[int]) -> list[int]:
        with self._opened():
            free = [slot for slot in slots if (hold.name, slot) not in self._held]
            self._held.update({(hold.name, slot): hold for slot in free})
            return free

    def give_back(self, hold: MemoryHold) -> None:
        for each in [each for each, holder in self._held.items() if holder is hold]:
            del self._held[each]

    @contextmanager
    def step(self, hold: Hold) -> Iterator[MemoryStep]:
        with self._opened():
            if not hold.slots:
                raise ConsumerHeldError(hold.name)
            if hold.name not in self._consumers:
                raise ConsumerNotFoundError(hold.name)
            before, head = self._consumers[hold.name].copy(), len(self._log())
            try:
                yield MemoryStep(self, hold.name, self._consumers[hold.name], self._append, self._get)
            except BaseException:
                self._consumers[hold.name] = before
                self._unappend(head)
                raise

    def forget(self, name: str) -> None:
        del self._consumers[name]

    def checkpoint(self, slot: int, position: int, name: str) -> Checkpoint:
        """The checkpoint of a consumer at a position of the log. Raises LogDivergedError."""
        log = self._log()
        if position > len(log):
            raise LogDivergedError(name, position, len(log))
        event_id = log[position - 1].id if position else None
        return Checkpoint(slot, position, event_id, time.time_ns() // 1000)


class MemoryHold:
    files: Sequence[int] = ()

    def __init__(self, name: str, consumers: MemoryConsumers) -> None:
        self.name = name
        self.slots: frozenset[int] = frozenset()
        self._consumers = consumers

    def check(self) -> None:
        """Nobody takes it away."""

    def extend(self, slots: Sequence[int]) -> list[int]:
        taken = self._consumers.take(self, slots)
        self.slots |= {*taken}
        return taken

    def release(self) -> None:
        self._consumers.give_back(self)
        self.slots = frozenset()


class MemoryStep:
    def __init__(
        self,
        consumers: MemoryConsumers,
        name: str,
        consumer: _Consumer,
        append: Callable[[Append], Outcome],
        get: Callable[[Sequence[str]], list[StoredEvent]],
    ) -> None:
        self._consumers = consumers
        self._name = name
        self._consumer = consumer
        self.append = append
        self.get = get

    @property
    def connection(self) -> NoReturn:
        raise UnsupportedError("a store in memory has no tables of an application")

    tables = connection

    def move(self, positions: Mapping[int, int]) -> None:
        checkpoints = self._consumer.checkpoints
        for slot, position in positions.items():
            if position > checkpoints[slot].global_position:  # whose event is there still: nothing loses it here
                checkpoints[slot] = self._consumers.checkpoint(slot, position, self._name)

    def reset(self, position: int) -> None:
        for slot in self._consumer.checkpoints:
            self._consumer.checkpoints[slot] = self._consumers.checkpoint(slot, position, self._name)
        self._consumer.parked.clear()

    def park(self, event: Parked) -> None:
        self._consumer.parked[event.stream_id] = event

    def unpark(self, stream_id: str) -> None:
        self._consumer.parked.pop(stream_id, None)

    def refilter(self, filter_json: str) -> None:
        self._consumer.filter_json = filter_json

    def divide(self) -> None:
        whole = self._consumer.checkpoints[WHOLE]
        if len(self._consumer.checkpoints) == 1:
            self._consumer.checkpoints = {slot: whole._replace(slot=slot) for slot in range(SLOTS)}

    def remove(self) -> None:
        self._consumers.forget(self._name)
