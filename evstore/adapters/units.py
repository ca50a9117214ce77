"""The loop over the units of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.port import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
