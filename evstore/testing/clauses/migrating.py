"""Chapter "Migrations": steps from schema to schema, of which a new store needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from evstore.testing.asking import accepted, everything
from evstore.testing.builders import an_append
from evstore.testing.harness import MIGRATIONS, Harness, claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.facts import Migration
    from evstore.port import Adapter, HasMigrations


def steps_of(adapter: Adapter) -> list[Migration]:
    return cast("HasMigrations", adapter).migrations().steps()


class MigrationClauses(Harness):
    """M1. Which steps there are, and that a killed one goes on, an author shows in tests of his own."""

    def test_M1_a_store_that_was_just_made_has_no_step(
        self, adapter: Adapter, another: Callable[[], Adapter]
    ) -> None:
        self.needs(adapter, MIGRATIONS)
        assert steps_of(adapter) == []
        if claims(adapter, "multi_process"):
            assert steps_of(another()) == []

    def test_M1_asking_for_steps_changes_nothing_and_hinders_nobody(self, adapter: Adapter) -> None:
        self.needs(adapter, MIGRATIONS)
        accepted(adapter, an_append("Order-1"))
        before = everything(adapter)
        assert steps_of(adapter) == []
        assert everything(adapter) == before
        accepted(adapter, an_append("Order-1"))
