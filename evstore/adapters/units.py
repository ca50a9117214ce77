"""The loop over the units of one call, and the rule of their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.port import Receipt, SourceTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.model.sources import Source
    from evstore.port import Append, Outcome


def answer_in_order(
    units: Sequence[Append], answer: Callable[[Append], Outcome], until_refused: bool
) -> list[Outcome]:
    """The answer to each unit; with `until_refused` the first that is not stored ends the call."""
    outcomes: list[Outcome] = []
    for unit in units:
        outcomes.append(answer(unit))
        if until_refused and not isinstance(outcomes[-1], Receipt):
            break
    return outcomes


def source_taken(source: Source | None, last: int | None) -> SourceTaken | None:
    """The answer to a unit with this source, of which the store holds this last position; None accepts it."""
    if source is None or last is None or source.position > last:
        return None
    return SourceTaken(source.name, last)
