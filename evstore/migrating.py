"""From an older schema to that of this evstore: the pending steps, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.facts import Migration
    from evstore.port import Adapter, HasMigrations


def steps_of(adapter: Adapter) -> list[Migration]:
    """The steps of the store, none where an adapter needs no migrations."""
    if not adapter.capabilities.has_migrations:
        return []
    return cast("HasMigrations", adapter).migrations().steps()


def pending(steps: list[Migration], *, finish: bool) -> list[Migration]:
    """Those that `migrate` applies."""
    return [each for each in steps if each.applied_us is None and (finish or not each.finishes)]


def migrate(adapter: Adapter, *, finish: bool, on_progress: Callable[[int, int], None]) -> list[Migration]:
    """Apply what is pending. What another process applies meanwhile is not returned."""
    if not (wanted := pending(steps_of(adapter), finish=finish)):
        return []
    migrations = cast("HasMigrations", adapter).migrations()
    own = set()
    for done, each in enumerate(wanted):
        on_progress(done, len(wanted))
        if migrations.apply(each.step):
            own.add(each.step)
    on_progress(len(wanted), len(wanted))
    return [each for each in migrations.steps() if each.step in own]
