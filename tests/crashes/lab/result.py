"""The one shape of what all labs find, and the table of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OK, FAILED, FOUND, BLIND, NOT_RUN = "ok", "FAILED", "found, as it must be", "NOT FOUND", "not run"


class Counts(NamedTuple):
    """The counts of a run. None: this lab does not look for it."""

    acknowledged: int | None = None
    """Events that somebody was told are stored. Where images, or copies, of a store are judged: in all of them."""
    lost: int | None = None
    """Acknowledged events that are not there."""
    duplicated: int | None = None
    """Events that are there more than once, or whose effect is."""
    gaps: int | None = None
    """Positions and versions that do not count 1, 2, 3…"""
    skipped: int | None = None
    """Times that a follower or consumer passed over events."""
    partial: int | None = None
    """Units of which a part is there."""
    faults: tuple[str, ...] = ()
    """All that is wrong, in sentences."""

    @property
    def ok(self) -> bool:
        return not (self.faults or self.lost or self.duplicated or self.gaps or self.skipped or self.partial)


def total(several: Iterable[Counts]) -> Counts:
    """The sum; what no run looked for stays None."""
    found = list(several)
    sums = [
        sum(each for each in column if each is not None) if any(each is not None for each in column) else None
        for column in zip(*(each[:-1] for each in found), strict=True)
    ]
    return Counts(*sums, faults=tuple(fault for each in found for fault in each.faults))


@dataclass(kw_only=True)
class Result:
    """One fault on one database: a row of the table."""

    fault: str
    database: str
    cycles: int
    counts: Counts
    done: Mapping[str, int] = field(default_factory=dict)
    """What happened, by its kind: processes killed, servers restarted, connections cut, images judged."""
    note: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    seed: int = 0
    must_find: bool = False
    """The store lacks something, so that a lab that finds nothing is blind."""
    not_run: str = ""
    """The reason, if it could not be run here."""

    @property
    def verdict(self) -> str:
        if self.not_run:
            return NOT_RUN
        if self.must_find:
            return BLIND if self.counts.ok else FOUND
        return OK if self.counts.ok else FAILED

    @property
    def failed(self) -> bool:
        return self.verdict in (FAILED, BLIND)

    def row(self) -> str:
        counts = self.counts
        columns = (counts.acknowledged, *counts[1:-1], len(counts.faults))
        shown = ["-" if each is None or self.not_run else f"{each:,}" for each in (self.cycles, *columns)]
        return f"| {' | '.join([self.fault, self.database, *shown, f'{self.seconds:.0f}', self.verdict])} |"

    def members(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "counts": self.counts._asdict(), "verdict": self.verdict}


COLUMNS: Final = (
    "fault", "database", "cycles", "acknowledged", "lost", "duplicated", "gaps", "skipped", "partial", "faults",
    "seconds", "verdict",
)  # fmt: skip
HEAD: Final = f"| {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 3)}---|"


def summary(results: Iterable[Result]) -> str:
    """What happened in all of them."""
    found = [each for each in results if not each.not_run]
    done = sum((Counter(each.done) for each in found), Counter[str]())
    events = sum(each.counts.acknowledged or 0 for each in found if not each.must_find)
    said = ", ".join(f"{name} {count:,}" for name, count in sorted(done.items()))
    seconds, cpu = sum(each.seconds for each in found), sum(each.cpu_seconds for each in found)
    failed = sum(each.failed for each in found)
    return f"{said}; acknowledged {events:,}; {seconds:.0f} s, {cpu:.0f} s of CPU; failed {failed} of {len(found)}"
