"""What a run on a server comes to, in one line, and what was found against it below that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from tests.crashes.lab.checker import RULES, Finding, check
from tests.crashes.lab.gaps import gaps
from tests.crashes.lab.history import Followed, History, Stored
from tests.crashes.lab.verdict import FOLLOWING, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evstore import EventStore
    from tests.crashes.lab.history import Record
    from tests.support.servers import Server


@dataclass(kw_only=True)
class Figures(Verdict):
    title: str
    done: Sequence[str] = ()
    """What only this harness does."""
    happened: Mapping[str, int] = field(default_factory=dict)
    """The part of it that can be counted."""

    @property
    def handed(self) -> dict[str, int]:
        """How many events each follower was handed."""
        return {
            who: sum(isinstance(each, Followed) for each in told) for who, told in self.history.followers.items()
        }

    def __str__(self) -> str:
        against = [*self.damage, *(f"rule {each.rule}: {each.sentence}" for each in self.findings)]
        happened = [f"{name} {count}" for name, count in self.happened.items()]
        return "\n".join(["; ".join([self.title, *self.done, *happened, *self._counts()]), *against[:20]])

    def _counts(self) -> Iterator[str]:
        duplicates = sum(isinstance(each.answer, Stored) and each.answer.duplicate for each in self.acknowledged)
        yield (
            f"appends acknowledged {len(self.acknowledged)} ({self.acknowledged_events} events, {duplicates} "
            f"appends were duplicates), refused {len(self.refused)}"
        )
        stored = sum(self.held(each)[0] > 0 for each in self.unknown)
        errors = Counter(each.error for each in self.history.unsure)
        said = ", ".join(f"{name} {count}" for name, count in sorted(errors.items()))
        yield f"unknown {len(self.unknown)}, of which {stored} are stored{f' ({said})' if said else ''}"
        seen = chain(self.history.reads, self.history.shown)
        yield f"reads showed {sum(len(each.seen) for each in seen)} events, lists {len(self.history.levels)} levels"
        handed = sum(self.handed.values())
        yield f"{len(self.handed)} followers were handed {handed} events, skipped {self.skipped}"
        yield f"log {len(self.log)} events in {len({event.stream_id for event in self.log})} streams"
        rules = Counter(each.rule for each in self.findings)
        yield "findings " + ", ".join(f"rule {number}: {rules[number]}" for number in range(1, len(RULES) + 1))
        yield f"gaps {len(self.damage)}, lost {self.lost}, partial {self.partial}"


def figures_of(
    records: Sequence[Record], store: EventStore, server: Server, schema: str, *, title: str, **more: Any
) -> Figures:
    """Judge what the store holds, while nobody appends. Every follower must have come to its end. `more`: what was
    done, as the fields of `Figures`."""
    return figures_beside(records, store, gaps(server, schema), title=title, **more)


def figures_beside(
    records: Sequence[Record], store: EventStore, damage: list[str], *, title: str, **more: Any
) -> Figures:
    """The same where the damage was looked for otherwise."""
    log = list(store.replay())
    history = History.of(records)
    figures = Figures(
        history=history,
        log=log,
        findings=check(history, log),
        damage=damage,
        title=title,
        **more,
    )
    figures.findings += [
        Finding(FOLLOWING, f"{who} was handed {count} of {len(log)} events")
        for who, count in figures.handed.items()
        if count != len(log)
    ]
    return figures
