"""Projections, measured by the rows that a program of one's own would make of the same events."""

from __future__ import annotations

from shutil import copyfile
from typing import TYPE_CHECKING

from tests.benchmarks.comparing import Rival, Work, at_least
from tests.benchmarks.lab import append_lines
from tests.benchmarks.processes import child
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.lab import Lab


@work("projection-sqlite", "a projection of every event, SQLite")
def projection_sqlite(lab: Lab) -> Work:
    filled: list[Path] = []

    def copied() -> Path:
        """A store with generated events, whose data is known, and without the projection."""
        if not filled:
            filled.append(lab.sqlite("unprojected"))
            append_lines(lab.lines_of(lab.sizes.shape), str(filled[0]))
        copyfile(filled[0], path := lab.new("projected") / "evstore.db")
        return path

    def by_hand() -> float:
        path = copied()
        return child("projections.by_hand", f"sqlite:{path}", path.with_name("rows.db"))

    return Work(
        lambda: child("projections.projected", f"sqlite:{copied()}"),
        [Rival("replay and the same inserts by hand", by_hand, at_least(0.5))],
    )


@work("projection-postgres", "a projection of every event, PostgreSQL")
def projection_postgres(lab: Lab) -> Work:
    schemas: list[str] = []

    def url() -> str:
        """The URL of a store with generated events, whose data is known."""
        if not schemas:
            schemas.append(lab.schema_of(lab.lines_of(lab.sizes.shape)))
        return lab.server.url(schemas[0])

    return Work(
        lambda: child("projections.projected", url()),
        [
            Rival(
                "replay and the same inserts by hand",
                lambda: child("projections.by_hand", url(), lab.server.url()),
                at_least(0.5),
            )
        ],
    )
