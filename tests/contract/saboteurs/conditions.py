"""Adapters that judge append conditions and requirements wrongly."""

from __future__ import annotations

from evstore.port import Receipt
from tests.contract.saboteurs.planting import LooksBeforeItLocks, Saboteur


class _Judges(Saboteur):
    """Judges conditions by another meaning."""

    def _first_match(self, query, after):
        found = (e.global_position for e in self._log if e.global_position > after and self._matches(query, e))
        return next(found, None)

    def _matches(self, query, event):
        return not query.items or any(self._item(item, event) for item in query.items)

    def _item(self, item, event):
        return item.matches(event)


class IncludesThePositionAfterWhichAConditionBegins(_Judges):
    clause = "W9"

    def _first_match(self, query, after):
        return super()._first_match(query, after - 1)


class TakesAnyTagOfACondition(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(tags=()).matches(event) and (not item.tags or bool({*item.tags} & {*event.tags}))


class FindsTagsWithinTags(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(tags=()).matches(event) and all(tag in (event.joined_tags or "") for tag in item.tags)


class IgnoresTheTypesOfACondition(_Judges):
    clause = "W9"

    def _item(self, item, event):
        return item._replace(types=() if item.tags else item.types).matches(event)


class TakesEveryItemOfACondition(_Judges):
    clause = "W9"

    def _matches(self, query, event):
        return all(self._item(item, event) for item in query.items)


class JudgesTheFirstConditionAlone(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return super()._append(unit._replace(conditions=unit.conditions[:1]))


class CountsTheEventsOfTheUnitItself(Saboteur):
    clause = "W9"

    def _append(self, unit):
        outcome = super()._append(unit._replace(conditions=()))
        refused = isinstance(outcome, Receipt) and self._unmet(unit._replace(requirements=()))
        return refused or outcome


class JudgesConditionsBeforeIds(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return self._unmet(unit._replace(requirements=())) or super()._append(unit)


class JudgesConditionsBeforeItLocks(LooksBeforeItLocks):
    clause = "W9"

    def append(self, units, *, until_refused=False):
        return [self._append_unlocked(unit) for unit in units]

    def _append_unlocked(self, unit):
        refused = self._unmet(unit)
        self._meet()
        return refused or super().append([unit._replace(conditions=(), requirements=())])[0]


class IgnoresRequirements(Saboteur):
    clause = "W9"

    def _append(self, unit):
        return super()._append(unit._replace(requirements=()))


class JudgesRequirementsAfterTheUnit(Saboteur):
    clause = "W9"

    def _append(self, unit):
        before = [*self._log], dict(self._ids), {name: [*its] for name, its in self._streams.items()}
        outcome = super()._append(unit._replace(requirements=()))
        refused = isinstance(outcome, Receipt) and self._unmet(unit._replace(conditions=()))
        if refused:
            self._log, self._ids, self._streams = before
        return refused or outcome
