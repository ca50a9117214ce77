"""Adapters that redact too much, too little or in silence, and those that chain digests wrongly."""

from __future__ import annotations

from evstore.adapters.memory import MemoryAdapter
from evstore.model.digests import EMPTY, chained, content_hash, shown
from evstore.port import PLAIN, Receipt
from tests.contract.saboteurs.planting import Saboteur


class RedactsTheTypeToo(Saboteur):
    clause = "W10"

    def _redacted(self, event, *, metadata):
        return super()._redacted(event, metadata=metadata)._replace(type="Redacted")


class RedactsWhatItFinds(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        return super().redact([each for each in ids if each in self._ids], unit, metadata=metadata)


class RedactsAlwaysTheMetadata(Saboteur):
    clause = "W10"

    def _redacted(self, event, *, metadata):
        return super()._redacted(event, metadata=True)


class TellsOfARedactionNow(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        return super().redact(ids, unit._replace(times_us=None, first_position=None), metadata=metadata)


class RedactsThoughRefused(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        outcome = super().redact(ids, unit, metadata=metadata)
        for each in ids:
            self._replace(self._redacted(self._ids[each], metadata=metadata))
        return outcome


class RedactsInSilence(Saboteur):
    clause = "W10"

    def redact(self, ids, unit, *, metadata):
        outcome = super().redact(ids, unit, metadata=metadata)
        del self._log[-1]
        return outcome


class _Chains(Saboteur):
    """Keeps a digest, of another content."""

    capabilities = MemoryAdapter.capabilities._replace(tamper_evident=True)
    _chained = False
    _head = EMPTY

    def initialize(self, wanted=PLAIN):
        self._chained = self._chained or wanted.tamper_evident
        super().initialize()

    def _append(self, unit):
        outcome = super()._append(unit)
        if isinstance(outcome, Receipt):
            for event in self._log[outcome.first_position - 1 :]:
                self._head = chained(self._head, self._content(event))
        return outcome

    def info(self):
        digest = shown(len(self._log), self._head) if self._chained else None
        return super().info()._replace(tamper_evident=self._chained, digest=digest)


class ChainsWithoutTheTags(_Chains):
    clause = "W11"

    def _content(self, e):
        its = (e.id, e.stream_id, e.type, e.version, e.timestamp_us)
        return content_hash(*its, None, e.metadata_json, e.data_json)


class ChainsAnewForEachCall(_Chains):
    clause = "W11"

    def append(self, units, *, until_refused=False):
        self._head = EMPTY
        return super().append(units, until_refused=until_refused)

    def _content(self, e):
        its = (e.id, e.stream_id, e.type, e.version, e.timestamp_us)
        return content_hash(*its, e.joined_tags, e.metadata_json, e.data_json)
