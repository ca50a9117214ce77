"""Adapters whose digests overlook a difference of two logs."""

from __future__ import annotations

import json

from evstore.model.digests import digest_of_part
from evstore.port import Page
from evstore.testing.asking import ANYTHING
from tests.contract.saboteurs.planting import Saboteur


class _Digests(Saboteur):
    """Digests another content."""

    def _shown(self, event):
        raise NotImplementedError

    def digest(self, low, high):
        return digest_of_part(map(self._shown, self.read_all(Page(2000, low=low, high=high), ANYTHING)))


class DigestsWithoutTags(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(joined_tags=None)


class DigestsNoRedaction(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(redacted=False)


class DigestsWithoutPositions(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(global_position=1)


class DigestsOnePage(Saboteur):
    clause = "R8"

    def digest(self, low, high):
        return digest_of_part(self.read_all(Page(1000, low=low, high=high), ANYTHING))


class DigestsToTheHead(Saboteur):
    clause = "R8"

    def digest(self, low, _high):
        return super().digest(low, self._head())


class DigestsWhatJsonMeans(_Digests):
    clause = "R8"

    def _shown(self, event):
        return event._replace(data_json=json.dumps(event.data))
