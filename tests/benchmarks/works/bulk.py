"""Many events at once.

Ours is the whole command with its start-up, which reads and checks JSON. Floors and peers have their rows ready in
memory, and only their inserts are timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.comparing import Rival, Work, at_least
from tests.benchmarks.processes import child, evstore, seconds
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab


def append_many(lab: Lab) -> float:
    """The seconds of the whole command on a new SQLite store."""
    path = lab.sqlite("many")
    return seconds(evstore("append", "--many", "-", "--db", str(path)), stdin=lab.lines)


@work("append-many-sqlite", "append --many -, SQLite")
def append_many_sqlite(lab: Lab) -> Work:
    def sqlite_utils() -> float:
        path = str(lab.new("peer") / "events.db")
        argv = [lab.peers.program("sqlite-utils"), "insert", path, "events", "-", "--nl"]
        return seconds(argv, stdin=lab.lines)

    def eventsourcing() -> float:
        path = lab.new("peer") / "events.db"
        return lab.peers.told("with_eventsourcing", "many_sqlite", path, lab.lines)

    def ready_rows() -> float:
        return child("sqlite.ready_rows", lab.filled, lab.sqlite("floor"))

    return Work(
        lambda: append_many(lab),
        [
            Rival("executemany of ready rows into the same tables", ready_rows, at_least(0.65)),
            Rival("eventsourcing, insert_events of 1,000", eventsourcing, at_least(1.2)),
            Rival("sqlite-utils insert --nl, without an index", sqlite_utils),
        ],
    )


@work("append-many-postgres", "append --many -, PostgreSQL")
def append_many_postgres(lab: Lab) -> Work:
    def ours() -> float:
        url = lab.server.url(lab.schema())
        return seconds(evstore("append", "--many", "-", "--db", url), stdin=lab.lines)

    def copy() -> float:
        return child("postgres.copy_in", lab.server.url(), lab.filled_schema, lab.schema())

    def eventsourcing() -> float:
        with lab.table() as table:
            return lab.peers.told("with_eventsourcing", "many_postgres", lab.server.url(), table, lab.lines)

    return Work(
        ours,
        [
            Rival("COPY of ready rows into the same tables", copy, at_least(0.5)),
            Rival("eventsourcing, insert_events of 1,000", eventsourcing, at_least(1.3)),
        ],
    )
