"""The chapter of the port about migrations: steps from the schema of an older evstore to that of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.port.adapter import Adapter

if TYPE_CHECKING:
    from typing import Protocol

    from evstore.model.facts import Migration
else:
    Protocol = object


class Migrations(Protocol):
    """The steps of a store, also of one that is too old for every other call."""

    def steps(self) -> list[Migration]:
        """The applied steps and the pending ones, in the order in which they are applied: those that finish others
        come last. A store that was made new has none. Raises MigrationError if an applied step has changed since.
        """

    def apply(self, step: str) -> bool:
        """Apply this step, which is the first that is pending: all of it, or nothing. False if it is applied by
        now.

        Raises MigrationError if the database refuses it.
        """


class HasMigrations(Adapter, Protocol):
    """An adapter that claims `has_migrations`."""

    def migrations(self) -> Migrations:
        """The migrations of the store."""
