"""Adapters that print other lines than those of their events."""

from __future__ import annotations

import json

from evstore.adapters.memory import MemoryAdapter
from evstore.model.raw import NOTHING, Place, RawPage
from evstore.testing.asking import ANYTHING
from tests.contract.saboteurs.planting import Saboteur


class _Spells(Saboteur):
    """Gives the lines of other events."""

    capabilities = MemoryAdapter.capabilities._replace(reads_raw=True)

    def _shown(self, events):
        raise NotImplementedError

    def read_raw(self, page):
        events = self.read_all(page, ANYTHING)
        if not events:
            return NOTHING
        lines = "".join(f"{event.to_json()}\n" for event in self._shown(events)).encode()
        return RawPage(lines, len(events), Place(events[-1].id, events[-1].global_position), is_cut=False)


class SpellsWithoutTags(_Spells):
    clause = "R9"

    def _shown(self, events):
        return [event._replace(joined_tags=None) for event in events]


class SpellsWhatJsonMeans(_Spells):
    clause = "R9"

    def _shown(self, events):
        return [event._replace(data_json=json.dumps(event.data)) for event in events]


class SpellsForwardAlone(_Spells):
    clause = "R9"

    def _shown(self, events):
        return sorted(events, key=lambda event: event.global_position)
