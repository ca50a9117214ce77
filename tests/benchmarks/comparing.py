"""Measures that take turns, and their ratio against a reach.

A measure is a call that does its own setup and returns the seconds (or bytes) of the work alone. In each round every
contender is measured once, ours first: A B A B. The ratio is that of the medians.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    Measure: TypeAlias = Callable[[], float]

REACHED: Final = "reached"
MISSED: Final = "missed"
COMPARED: Final = "compared"
"""There is no reach to judge by."""
ABSENT: Final = "absent"
FAILED: Final = "failed"

_UNITS: Final = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((1e6, "MB"), (1e3, "kB"), (1.0, "B"))}


class AbsentError(Exception):
    """A peer that is not on this machine; the message is the reason."""


@dataclass(frozen=True)
class Reach:
    """The ratio that is wanted: at least so much of a rival's speed, or at most so much of its time or size."""

    bound: float
    at_least: bool

    def holds(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_least(bound: float) -> Reach:
    """So many times as fast as the rival, or faster."""
    return Reach(bound, at_least=True)


def at_most(bound: float) -> Reach:
    """So many times the rival's time or size, or less."""
    return Reach(bound, at_least=False)


@dataclass(frozen=True)
class Rival:
    """A peer, a floor, or a constant to be measured against."""

    name: str
    measure: Measure
    reach: Reach | None = None


@dataclass(frozen=True)
class Work:
    """A work of ours with its rivals; each contender is measured `pairs` times a round."""

    ours: Measure
    rivals: Sequence[Rival]
    unit: str = "s"
    pairs: int = 1
    warm: bool = False
    """Measure once before anything counts: for short processes, whose files are read for the first time."""


@dataclass
class Comparison:
    """The samples of a work and of one rival, or the reason why there are none."""

    work: str
    rival: str
    reach: Reach | None
    unit: str = "s"
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    reason: str = ""
    absent: bool = False

    @property
    def ratio(self) -> float | None:
        """The rival's median by ours, so that 2 is twice as fast; ours by the rival's where the reach is an upper bound."""
        if self.reason:
            return None
        return self._ratio(median(self.ours), median(self.theirs))

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest ratio of a pair."""
        if self.reason:
            return None
        pairs = [self._ratio(*pair) for pair in zip(self.ours, self.theirs, strict=True)]
        return min(pairs), max(pairs)

    def _ratio(self, ours: float, theirs: float) -> float:
        return ours / theirs if self.reach and not self.reach.at_least else theirs / ours

    @property
    def verdict(self) -> str:
        ratio = self.ratio
        if ratio is None:
            return ABSENT if self.absent else FAILED
        if self.reach is None:
            return COMPARED
        return REACHED if self.reach.holds(ratio) else MISSED

    def as_json(self) -> dict[str, Any]:
        reach = None if self.reach is None else {"bound": self.reach.bound, "at_least": self.reach.at_least}
        return {
            "work": self.work,
            "rival": self.rival,
            "unit": self.unit,
            "ours": median(self.ours) if self.ours else None,
            "theirs": median(self.theirs) if self.theirs else None,
            "ratio": self.ratio,
            "spread": self.spread,
            "reach": reach,
            "verdict": self.verdict,
            "reason": self.reason or None,
            "samples": {"ours": self.ours, "theirs": self.theirs},
        }


def shown(value: float, unit: str) -> str:
    """A median in the largest unit of which there is one, as in "12.3 ms"."""
    units = _UNITS[unit]
    size, name = next((each for each in units if value >= each[0]), units[-1])
    scaled = value / size
    return f"{scaled:.3g} {name}" if scaled < 1000 else f"{scaled:,.0f} {name}"


def reason_of(error: Exception) -> str:
    """The reason of a failure on one line: the last line that a process wrote to stderr, or the error's own."""
    if isinstance(error, subprocess.CalledProcessError):
        told = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return f"exit code {error.returncode}{f': {told[-1]}' if told else ''}"
    return " ".join(f"{type(error).__name__}: {error}".split())


class _Contender:
    """A measure, its samples, and the reason why there will be no more."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self.samples: list[float] = []
        self.reason = ""
        self.absent = False

    def sample(self) -> None:
        if self.reason:
            return
        os.sync()  # or else the first flush of this sample would write what the last one left
        try:
            self.samples.append(self._measure())
        except AbsentError as error:
            self.reason, self.absent = str(error), True
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and the others are measured still
            self.reason = reason_of(error)


def compared(name: str, work: Work, rounds: int) -> Iterator[Comparison]:
    """Measure a work and its rivals in turn, and compare each rival with it."""
    ours, *theirs = contenders = [_Contender(work.ours), *(_Contender(rival.measure) for rival in work.rivals)]
    for each in contenders if work.warm else ():
        each.sample()
        each.samples.clear()
    for _ in range(rounds * work.pairs):
        for each in contenders:
            each.sample()
    for rival, found in zip(work.rivals, theirs, strict=True):
        yield Comparison(
            name,
            rival.name,
            rival.reach,
            work.unit,
            ours.samples,
            found.samples,
            f"evstore: {ours.reason}" if ours.reason else found.reason,
            ours.absent if ours.reason else found.absent,
        )
