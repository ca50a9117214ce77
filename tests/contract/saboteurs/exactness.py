"""Adapters that give back something else than what was stored."""

from __future__ import annotations

import json
import unicodedata

from evstore.errors import (
    IncompleteLogError,
)
from evstore.model.events import EventData
from evstore.port import Receipt
from tests.contract.saboteurs.planting import Saboteur


class PrintsDataAgain(Saboteur):
    clause = "R6"

    def _append(self, unit):
        writes = [w._replace(events=[self._printed(e) for e in w.events]) for w in unit.writes]
        return super()._append(unit._replace(writes=writes))

    def _printed(self, event):
        text = json.dumps(json.loads(event.data_json), ensure_ascii=False)
        return EventData.from_json(event.type, text, event.metadata, event.id)


class TakesTheTimeOfEachEvent(Saboteur):
    clause = "R6"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt) and unit.times_us is None:
            self._rewrite(outcome, lambda e, number: e._replace(timestamp_us=e.timestamp_us + number // 100))
        return outcome


class TakesZeroForNoTime(Saboteur):
    clause = "R6"

    def _append(self, unit):
        return super()._append(unit._replace(times_us=unit.times_us if any(unit.times_us or ()) else None))


class TakesOneTimeForAll(Saboteur):
    clause = "R6"

    def _append(self, unit):
        times = unit.times_us and [unit.times_us[0]] * len(unit.times_us)
        return super()._append(unit._replace(times_us=times))


class SortsTagsWithoutRegardToCase(Saboteur):
    clause = "R6"

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt):
            self._rewrite(outcome, self._sorted)
        return outcome

    def _sorted(self, event, _):
        return event._replace(joined_tags=" ".join(sorted(event.tags, key=str.lower)) or None)


class ComposesNames(Saboteur):
    clause = "R6"

    def _append(self, unit):
        composed = [w._replace(stream_id=unicodedata.normalize("NFC", w.stream_id)) for w in unit.writes]
        return super()._append(unit._replace(writes=composed))

    def read_stream(self, stream_id, page, where):
        return super().read_stream(unicodedata.normalize("NFC", stream_id), page, where)


class PassesOverEventsWithoutATypeOrStream(Saboteur):
    clause = "R7"

    def lose(self, what, name):
        lost = [e.id for e in self._log if (e.type if what == "type" else e.stream_id) == name]
        self._log = [e for e in self._log if e.id not in lost]
        self._streams = {of: [e for e in its if e.id not in lost] for of, its in self._streams.items()}
        self._ids = {e.id: e for e in self._log}


class ReadsAStreamWithoutItsNameAsAbsent(Saboteur):
    """Reports a lost name wherever it meets an event, and nowhere else."""

    clause = "R7"
    _lost = ""

    def lose(self, _what, name):
        self._lost = name

    def _whole(self, events):
        for event in events:
            if self._lost in (event.type, event.stream_id):
                raise IncompleteLogError(self.location, event.global_position, "name")
        return events

    def read_all(self, page, where):
        return self._whole(super().read_all(page, where))

    def get(self, ids):
        return self._whole(super().get(ids))

    def head(self, beyond, timeout):
        self._whole(self._log)
        return super().head(beyond, timeout)

    def append(self, units, *, until_refused=False):
        self._whole(self._log)
        return super().append(units, until_refused=until_refused)

    def read_stream(self, stream_id, page, where):
        return [] if stream_id == self._lost else self._whole(super().read_stream(stream_id, page, where))

    def stream(self, stream_id):
        return None if stream_id == self._lost else super().stream(stream_id)
