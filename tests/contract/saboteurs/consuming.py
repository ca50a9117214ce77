"""Adapters that hold, move and forget consumers wrongly."""

from __future__ import annotations

from contextlib import contextmanager

from evstore.adapters.memory_consumers import MemoryConsumers, MemoryStep
from evstore.model.consumers import Checkpoint
from tests.contract.saboteurs.planting import Saboteur


class Consuming(Saboteur):
    """Its consumers have the bug: `planted` changes one of their parts."""

    Step = MemoryStep

    def consumers(self):
        found = super().consumers()
        self.plant(found)
        return found

    def plant(self, consumers):
        saboteur = self

        @contextmanager
        def step(hold):
            with MemoryConsumers.step(consumers, hold) as honest:
                honest.__class__ = saboteur.Step
                yield honest

        consumers.step = step


class MakesAConsumerAnew(Consuming):
    clause = "C1"

    def plant(self, consumers):
        def add(name, filter_json, position):
            consumers._consumers.pop(name, None)
            return MemoryConsumers.add(consumers, name, filter_json, position)

        consumers.add = add


class BeginsBeyondTheLog(Consuming):
    clause = "C1"

    def plant(self, consumers):
        consumers.add = lambda name, filter_json, position: MemoryConsumers.add(
            consumers, name, filter_json, min(position, len(self._log))
        )


class HoldsForEverybody(Consuming):
    clause = "C2"

    def plant(self, consumers):
        def take(hold, slots):
            consumers._held.update({(hold.name, slot): hold for slot in slots})
            return [*slots]

        consumers.take = take


class HoldsOneSlotForAll(Consuming):
    clause = "C2"

    def plant(self, consumers):
        consumers.take = lambda hold, slots: (
            []
            if any(name == hold.name for name, _ in consumers._held)
            else MemoryConsumers.take(consumers, hold, slots)
        )


class NeverGivesBack(Consuming):
    clause = "C2"

    def plant(self, consumers):
        consumers.give_back = lambda hold: None


class HalfAStep(Consuming):
    clause = "C3"

    def plant(self, consumers):
        consumers._unappend = lambda head: None


class MovesBeforeTheStepIsDone(Consuming):
    clause = "C3"

    def plant(self, consumers):
        @contextmanager
        def step(hold):
            with consumers._opened():
                yield MemoryStep(consumers, hold.name, consumers._consumers[hold.name], consumers._append)

        consumers.step = step


class TrustsAStaleHolder(Consuming):
    clause = "C4"

    def plant(self, consumers):
        @contextmanager
        def step(hold):
            hold.slots = hold.slots or {0}
            with MemoryConsumers.step(consumers, hold) as honest:
                yield honest

        consumers.step = step


class MovesBack(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            for slot, position in positions.items():
                self._consumer.checkpoints[slot] = self._consumers.checkpoint(slot, position, self._name)


class MovesBeyondTheLog(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            head = len(self._consumers._log())
            super().move({slot: min(position, head) for slot, position in positions.items()})


class ForgetsTheIdAtACheckpoint(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def move(self, positions):
            super().move(positions)
            for slot, each in self._consumer.checkpoints.items():
                self._consumer.checkpoints[slot] = each._replace(event_id=each.event_id and "0" * 36)


class KeepsWhatIsParkedAtAReset(Consuming):
    clause = "C5"

    class Step(MemoryStep):
        def reset(self, position):
            parked = {**self._consumer.parked}
            super().reset(position)
            self._consumer.parked.update(parked)


class ParksOneEventInAll(Consuming):
    clause = "C6"

    class Step(MemoryStep):
        def park(self, event):
            self._consumer.parked.clear()
            super().park(event)


class MarksTheWholeStream(Consuming):
    clause = "C6"

    def plant(self, consumers):
        def mark(name, event_id, state):
            event = self._ids.get(event_id)
            parked = consumers._consumers[name].parked if name in consumers._consumers else {}
            if event is None or event.stream_id not in parked:
                return False
            parked[event.stream_id] = parked[event.stream_id]._replace(state=state)
            return True

        consumers.mark = mark


class DividesFromTheBeginning(Consuming):
    clause = "C7"

    class Step(MemoryStep):
        def divide(self):
            first = Checkpoint(0, 0, None, 0)
            self._consumer.checkpoints = {slot: first._replace(slot=slot) for slot in range(64)}


class MovesAllSlotsTogether(Consuming):
    clause = "C7"

    class Step(MemoryStep):
        def move(self, positions):
            super().move(dict.fromkeys(self._consumer.checkpoints, max(positions.values())))


class RemembersTheRemoved(Consuming):
    clause = "C8"

    class Step(MemoryStep):
        def remove(self):
            for slot in self._consumer.checkpoints:
                self._consumer.checkpoints[slot] = Checkpoint(slot, 0, None, 0)


class PretendsToHaveTables(Consuming):
    clause = "C9"

    class Step(MemoryStep):
        tables = None
