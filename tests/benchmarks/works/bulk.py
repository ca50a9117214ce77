"""Many events at once.

Ours is the whole command with its start-up, which reads and checks JSON. Floors and peers have their rows ready in
memory, and only their inserts are timed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.comparing import Rival, Work, at_least, at_most
from tests.benchmarks.processes import child, evstore, seconds
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab


def append_many(lab: Lab, *, tamper_evident: bool = False) -> float:
    """The seconds of the whole command on a new SQLite store."""
    path = lab.sqlite("many", tamper_evident=tamper_evident)
    return seconds(evstore("append", "--many", "-", "--db", str(path)), stdin=lab.lines)


def append_many_on_server(lab: Lab, *, tamper_evident: bool = False) -> float:
    """The same on a new PostgreSQL store."""
    url = lab.server.url(lab.schema(tamper_evident=tamper_evident))
    return seconds(evstore("append", "--many", "-", "--db", url), stdin=lab.lines)


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
    def copy() -> float:
        return child("postgres.copy_in", lab.server.url(), lab.filled_schema, lab.schema())

    def eventsourcing() -> float:
        with lab.table() as table:
            return lab.peers.told("with_eventsourcing", "many_postgres", lab.server.url(), table, lab.lines)

    return Work(
        lambda: append_many_on_server(lab),
        [
            Rival("COPY of ready rows into the same tables", copy, at_least(0.5)),
            Rival("eventsourcing, insert_events of 1,000", eventsourcing, at_least(1.3)),
        ],
    )


@work("append-many-chained-sqlite", "append --many - to a tamper-evident store, SQLite")
def append_many_chained_sqlite(lab: Lab) -> Work:
    plain = Rival("a store without digests", lambda: append_many(lab), at_most(1.1))
    return Work(lambda: append_many(lab, tamper_evident=True), [plain])


@work("append-many-chained-postgres", "append --many - to a tamper-evident store, PostgreSQL")
def append_many_chained_postgres(lab: Lab) -> Work:
    plain = Rival("a store without digests", lambda: append_many_on_server(lab), at_most(1.1))
    return Work(lambda: append_many_on_server(lab, tamper_evident=True), [plain])
