"""What a history and the log it left come to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tests.crashes.lab.history import Refused, Stored
from tests.crashes.lab.result import Counts

if TYPE_CHECKING:
    from evstore import StoredEvent
    from tests.crashes.lab.checker import Finding
    from tests.crashes.lab.history import Attempt, History


ORDER: Final = 1
"""The rule of positions and versions."""
FOLLOWING: Final = 6
"""The rule of the followers."""


@dataclass(kw_only=True)
class Verdict:
    history: History
    log: list[StoredEvent]
    findings: list[Finding]
    damage: list[str]
    """What the database says against itself, in sentences."""

    @property
    def ok(self) -> bool:
        return not (self.findings or self.damage or self.lost or self.partial)

    @property
    def acknowledged(self) -> list[Attempt]:
        return [each for each in self.history.attempts if isinstance(each.answer, Stored)]

    @property
    def refused(self) -> list[Attempt]:
        return [each for each in self.history.attempts if isinstance(each.answer, Refused)]

    @property
    def unknown(self) -> list[Attempt]:
        return [each for each in self.history.attempts if each.answer is None]

    @property
    def acknowledged_events(self) -> int:
        """How many were; those of a duplicate once."""
        return len({sent.id for each in self.acknowledged for part in each.invoked.parts for sent in part.events})

    @property
    def lost(self) -> int:
        """Acknowledged events that are not in the log; counted without the checker, lest it is blind."""
        return sum(total - held for held, total in map(self.held, self.acknowledged))

    @property
    def partial(self) -> int:
        """Appends of which the log has some events, but not all."""
        return sum(0 < held < total for held, total in map(self.held, self.history.attempts))

    @property
    def duplicated(self) -> int:
        """Events that the log has again."""
        return len(self.log) - len(self._ids)

    @property
    def gaps(self) -> int:
        return sum(each.rule == ORDER and " stands behind " in each.sentence for each in self.findings)

    @property
    def skipped(self) -> int:
        return sum(each.rule == FOLLOWING and " skipped " in each.sentence for each in self.findings)

    @property
    def counts(self) -> Counts:
        said = (*self.damage, *(f"rule {each.rule}: {each.sentence}" for each in self.findings))
        return Counts(
            self.acknowledged_events, self.lost, self.duplicated, self.gaps, self.skipped, self.partial, said
        )

    def held(self, attempt: Attempt) -> tuple[int, int]:
        """How many of its events the log has, and of how many."""
        ids = [event.id for part in attempt.invoked.parts for event in part.events]
        return sum(each in self._ids for each in ids), len(ids)

    @cached_property
    def _ids(self) -> set[str]:
        return {event.id for event in self.log}
