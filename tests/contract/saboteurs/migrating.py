"""Adapters that send a store through the wrong migrations."""

from __future__ import annotations

from types import SimpleNamespace

from evstore.adapters.memory import MemoryAdapter
from evstore.model.facts import Migration
from evstore.testing.builders import an_append
from tests.contract.saboteurs.planting import Saboteur


class Migrating(Saboteur):
    """It claims migrations, and `steps` are those of a new store."""

    capabilities = MemoryAdapter.capabilities._replace(has_migrations=True)

    def migrations(self):
        return SimpleNamespace(steps=self.steps)


class SendsNewStoresThroughOldSteps(Migrating):
    clause = "M1"

    def steps(self):
        return [Migration("0002_readings", 2, finishes=False, applied_us=None)]


class TellsOfMigrationsInTheLog(Migrating):
    clause = "M1"

    def steps(self):
        self.append([an_append("$migrations")])
        return []
