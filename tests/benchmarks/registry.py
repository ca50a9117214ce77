"""The works by name, in the order in which they are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tests.benchmarks.comparing import Work
    from tests.benchmarks.lab import Lab

    Make: TypeAlias = Callable[[Lab], Work]


@dataclass(frozen=True)
class Entry:
    """A work of the table, which is made for a run."""

    name: str
    title: str
    make: Make


WORKS: Final[dict[str, Entry]] = {}


def work(name: str, title: str) -> Callable[[Make], Make]:
    """Register a function that makes a work."""

    def register(make: Make) -> Make:
        assert name not in WORKS, name
        WORKS[name] = Entry(name, title, make)
        return make

    return register
