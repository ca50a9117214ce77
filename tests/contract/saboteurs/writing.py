"""Adapters that append wrongly: units that are cut, versions and positions that are overlooked."""

from __future__ import annotations

from evstore.errors import (
    EventIdConflictError,
    PositionConflictError,
)
from evstore.model.versions import ANY_VERSION, NO_STREAM, STREAM_EXISTS
from evstore.port import AlreadyStored, Receipt
from tests.contract.saboteurs.planting import LooksBeforeItLocks, Saboteur


class KeepsTheWritesBeforeARefusedOne(Saboteur):
    clause = "W1"

    def _append(self, unit):
        receipts = []
        for write in unit.writes:
            outcome = super()._append(unit._replace(writes=[write]))
            if not isinstance(outcome, Receipt):
                return outcome
            receipts.append(outcome)
        size = sum(receipt.size for receipt in receipts)
        return receipts[0]._replace(size=size, first_versions=[r.first_versions[0] for r in receipts])


class LosesTheUnitsAfterARefusedOne(Saboteur):
    clause = "W1"

    def append(self, units, *, until_refused=False):
        outcomes = []
        for unit in units:
            refused = outcomes and not isinstance(outcomes[-1], Receipt)
            outcomes += outcomes[-1:] if refused else super().append([unit])
        return outcomes


class GoesOnBehindARefusedOne(Saboteur):
    clause = "W1"

    def append(self, units, *, until_refused=False):
        outcomes = super().append(units)
        refused = [at for at, outcome in enumerate(outcomes, 1) if not isinstance(outcome, Receipt)]
        return outcomes[: refused[0]] if until_refused and refused else outcomes


class SortsTheWritesOfAUnit(Saboteur):
    clause = "W2"

    def _append(self, unit):
        return super()._append(unit._replace(writes=sorted(unit.writes, key=lambda write: write.stream_id)))


class IgnoresNoStream(Saboteur):
    clause = "W3"

    def _append(self, unit):
        return super()._append(self._expecting(unit, self._relaxed))

    def _relaxed(self, write, actual):
        return ANY_VERSION if write.expected_version == NO_STREAM else write.expected_version


class IgnoresStreamExists(IgnoresNoStream):
    clause = "W3"

    def _relaxed(self, write, actual):
        return ANY_VERSION if write.expected_version == STREAM_EXISTS else write.expected_version


class TakesAVersionBelowTheActualOne(IgnoresNoStream):
    clause = "W3"

    def _relaxed(self, write, actual):
        return ANY_VERSION if 0 < write.expected_version < actual else write.expected_version


class ChecksVersionsBeforeItLocks(LooksBeforeItLocks):
    clause = "W3"

    def append(self, units, *, until_refused=False):
        return [self._append_unlocked(unit) for unit in units]

    def _append_unlocked(self, unit):
        refused = self._refusal(unit)
        self._meet()
        return refused or super().append([self._expecting(unit, lambda *_: ANY_VERSION)])[0]


class LosesTheRaceForANewStream(LooksBeforeItLocks):
    clause = "W4"

    def append(self, units, *, until_refused=False):
        seen = [self._expecting(unit, self._as_seen) for unit in units]
        self._meet()
        return super().append(seen, until_refused=until_refused)

    def _as_seen(self, write, actual):
        first = actual == 0 and write.expected_version == ANY_VERSION
        return NO_STREAM if first else write.expected_version


class JudgesVersionsBeforeIds(Saboteur):
    clause = "W5"

    def _append(self, unit):
        return self._refusal(unit) or super()._append(unit)


class CallsAUnitHeldInPartAConflict(Saboteur):
    clause = "W5"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, AlreadyStored) and len(outcome.ids) < len([*unit.ids()]):
            return EventIdConflictError(outcome.ids[0], "is stored already")
        return outcome


class OverlooksTheIdsOfItsOwnCall(Saboteur):
    clause = "W5"

    def append(self, units, *, until_refused=False):
        with self._changed:
            before = dict(self._ids)
            outcomes = []
            for unit in units:
                self._ids, stored = dict(before), self._ids
                outcomes += super().append([unit])
                self._ids = {**stored, **self._ids}
            return outcomes


class LosesThePositionsOfRefusedUnits(Saboteur):
    clause = "W6"

    def __init__(self):
        super().__init__()
        self._lost = 0

    def _append(self, unit):
        outcome = super()._append(unit)
        if not isinstance(outcome, Receipt):
            self._lost += len([*unit.ids()])
            return outcome
        lost = self._lost
        self._rewrite(outcome, lambda e, _: e._replace(global_position=e.global_position + lost))
        return outcome._replace(first_position=outcome.first_position + lost)


class TellsVersionsAsBeforeTheUnit(Saboteur):
    clause = "W7"

    def _append(self, unit):
        firsts = [self._version(write.stream_id) + 1 for write in unit.writes]
        outcome = super()._append(unit)
        return outcome._replace(first_versions=firsts) if isinstance(outcome, Receipt) else outcome


class TakesAnyFirstPosition(Saboteur):
    clause = "W8"

    def _append(self, unit):
        return super()._append(unit._replace(first_position=None))


class TakesAFirstPositionThatIsPast(Saboteur):
    clause = "W8"

    def _append(self, unit):
        past = unit.first_position is not None and unit.first_position <= len(self._log)
        return super()._append(unit._replace(first_position=None) if past else unit)


class LooksAtThePositionBeforeTheIds(Saboteur):
    clause = "W8"

    def _append(self, unit):
        if unit.first_position not in (None, len(self._log) + 1):
            return PositionConflictError(unit.first_position, len(self._log) + 1)
        return super()._append(unit)


class LooksAtTheVersionsBeforeThePosition(Saboteur):
    clause = "W8"

    def _append(self, unit):
        outcome = super()._append(unit._replace(first_position=len(self._log) + 1))
        wrong = unit.first_position not in (None, len(self._log) + 1)
        return super()._append(unit) if wrong and isinstance(outcome, Receipt) else outcome
