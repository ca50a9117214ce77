"""Adapters that take from an outside source twice, or never."""

from __future__ import annotations

from evstore.adapters.memory_sources import MemorySources
from evstore.errors import (
    EvstoreError,
)
from evstore.port import AlreadyStored, Receipt, SourceTaken
from tests.contract.saboteurs.planting import LooksBeforeItLocks, Saboteur


class TakesThePositionOfASourceAgain(Saboteur):
    """Takes "not greater" for "less"."""

    clause = "W12"

    def _append(self, unit):
        last = self._sources.last(unit.source.name) if unit.source else None
        if last and last.position == unit.source.position:
            outcome = super()._append(unit._replace(source=None))
            if isinstance(outcome, Receipt):
                self._sources.record(unit.source, len(self._log))
            return outcome
        return super()._append(unit)


class RecordsASourceAlthoughTheUnitIsRefused(Saboteur):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        if unit.source and isinstance(outcome, EvstoreError):
            self._sources.record(unit.source, len(self._log))
        return outcome


class RecordsASourceOfStoredIds(Saboteur):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        if unit.source and isinstance(outcome, AlreadyStored):
            self._sources.record(unit.source, len(self._log))
        return outcome


class _RecordsSourcesApart(LooksBeforeItLocks):
    """Keeps its sources beside the step that stores."""

    def _taken(self, unit):
        return self._sources.taken(unit.source)

    def _record(self, unit, outcome):
        if isinstance(outcome, Receipt):
            self._sources.record(unit.source, outcome.first_position + outcome.size - 1)


class RecordsSourcesAfterTheStep(_RecordsSourcesApart):
    clause = "W12"

    def append(self, units, *, until_refused=False):
        return [self._append_and_record(unit) for unit in units]

    def _append_and_record(self, unit):
        taken = None if any(each in self._ids for each in unit.ids()) else self._taken(unit)
        self._meet()
        if taken:
            return taken
        (outcome,) = super().append([unit._replace(source=None)])
        self._record(unit, outcome)
        return outcome


class RecordsTheSourcesOfACallAtItsEnd(_RecordsSourcesApart):
    clause = "W12"

    def append(self, units, *, until_refused=False):
        with self._changed:
            outcomes = []
            for unit in units:
                outcome = self._taken(unit) or super().append([unit._replace(source=None)])[0]
                outcomes.append(outcome)
            for unit, outcome in zip(units, outcomes, strict=True):
                self._record(unit, outcome)
            return outcomes


class JudgesSourcesBeforeIds(_RecordsSourcesApart):
    clause = "W12"

    def _append(self, unit):
        return self._taken(unit) or super()._append(unit)


class JudgesVersionsBeforeSources(_RecordsSourcesApart):
    clause = "W12"

    def _append(self, unit):
        outcome = super()._append(unit)
        return (self._refusal(unit) or outcome) if isinstance(outcome, SourceTaken) else outcome


class KeepsTheSourceOfAStepThatFailed(Saboteur):
    clause = "W12"

    def _unappend(self, head):
        kept = self._sources
        self._sources = MemorySources()
        super()._unappend(head)
        self._sources = kept


class MixesSourcesUpByCase(Saboteur):
    clause = "W12"

    def _append(self, unit):
        if unit.source:
            unit = unit._replace(source=unit.source._replace(name=unit.source.name.casefold()))
        return super()._append(unit)
