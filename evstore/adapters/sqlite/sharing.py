"""Units of one call that are inserted as one: to append a unit takes several times as long as to insert a row."""

from __future__ import annotations

from array import array
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from evstore.adapters.units import answer_in_order
from evstore.errors import CorruptStoreError
from evstore.port import MOST_VERSIONS, Append, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.adapters.sqlite.writing import Ledger
    from evstore.port import Outcome


def append_units(ledger: Ledger, units: Sequence[Append], *, until_refused: bool) -> list[Outcome]:
    """The outcomes of units, each judged as if alone."""
    if 1 < len(units) <= MOST_VERSIONS and all(map(_is_plain, units)):
        with suppress(CorruptStoreError):  # an id that two units share looks like damage
            whole = ledger.append(Append([write for unit in units for write in unit.writes]))
            if isinstance(whole, Receipt):
                return _parts(whole, units)
    # One of them is not accepted, and nothing is stored.
    return answer_in_order(units, partial(ledger.append, alone=len(units) == 1), until_refused)


def _is_plain(unit: Append) -> bool:
    """True if the unit may be a part of a larger one: a write with events, about which nothing is asked."""
    asks = unit.times_us or unit.first_position is not None or unit.conditions or unit.requirements or unit.source
    return not asks and len(unit.writes) == 1 and all(len(events) > 0 for _, events, _ in unit.writes)


def _parts(whole: Receipt, units: Sequence[Append]) -> list[Outcome]:
    """The receipt of each unit, of the receipt of all."""
    found: list[Outcome] = []
    first = whole.first_position
    for unit, version in zip(units, whole.first_versions, strict=True):
        ((_, events, _),) = unit.writes
        found.append(Receipt(first, len(events), array("q", (version,)), whole.timestamp_us))
        first += len(events)
    return found
