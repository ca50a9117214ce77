"""One event at a time, within a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.comparing import Rival, Work, at_least
from tests.benchmarks.processes import child, evstore, seconds
from tests.benchmarks.registry import work

if TYPE_CHECKING:
    from tests.benchmarks.lab import Lab


def durable_append(lab: Lab) -> float:
    """The seconds of one append by the library, on a new SQLite store."""
    return child("application.durable_appends", f"sqlite:{lab.sqlite('one')}", lab.sizes.appends)


@work("append-one-sqlite", "one durable append in a process, SQLite")
def append_one_sqlite(lab: Lab) -> Work:
    def raw() -> float:
        path = lab.sqlite("raw")
        child("application.durable_appends", f"sqlite:{path}", 1)  # the names that the rows refer to
        return child("sqlite.durable_inserts", path, lab.sizes.appends)

    def eventsourcing() -> float:
        path = lab.new("peer") / "events.db"
        return lab.peers.told("with_eventsourcing", "one_sqlite", path, lab.sizes.appends)

    return Work(
        lambda: durable_append(lab),
        [
            Rival("raw BEGIN IMMEDIATE, INSERT, COMMIT", raw, at_least(0.85)),
            Rival("eventsourcing, insert_events of 1", eventsourcing, at_least(1.1)),
        ],
    )


@work("append-one-postgres", "one durable append in a process, PostgreSQL")
def append_one_postgres(lab: Lab) -> Work:
    count = lab.sizes.appends

    def bare() -> float:
        return child("postgres.bare_calls", lab.server.url(lab.schema()), lab.server.url(), count)

    def eventsourcing() -> float:
        with lab.table() as table:
            return lab.peers.told("with_eventsourcing", "one_postgres", lab.server.url(), table, count)

    return Work(
        lambda: child("application.durable_appends", lab.server.url(lab.schema()), count),
        [
            Rival("a bare CALL in psycopg", bare, at_least(0.9)),
            Rival("eventsourcing, insert_events of 1", eventsourcing, at_least(1.5)),
        ],
    )


@work("append-each", "append --each, input ready, an event, SQLite")
def append_each(lab: Lab) -> Work:
    """The reach asks for ten times the rate of appends that each wait for the disk: --each shares commits."""

    def ours() -> float:
        path = lab.sqlite("each")
        argv = evstore("append", "--many", "--each", "-", "--db", str(path))
        return seconds(argv, stdin=lab.lines) / lab.events

    return Work(ours, [Rival("one durable append in a process", lambda: durable_append(lab), at_least(10))])
