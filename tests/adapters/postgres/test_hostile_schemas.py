"""A schema that looks like a store, and holds what somebody else wrote: reading it calls none of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from evstore import CorruptStoreError, EventData, EvstoreError, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from tests.support.command import Command
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

TABLES: Final = (
    "store", "migrations", "categories", "types", "tags", "streams", "events", "event_tags", "sources", "snapshots",
    "staged", "consumers", "checkpoints", "parked", "holds",
)  # fmt: skip


class Hostile(NamedTuple):
    sql: str
    read: int
    """The exit code of the commands that read."""
    found: tuple[str, ...]
    """What `verify` names, or the refusal does."""
    verified: int = 1


def moved(table: str) -> str:
    return (
        f"ALTER TABLE {{0}}.{table} RENAME TO moved;"
        f"CREATE VIEW {{0}}.{table} AS SELECT moved.* FROM {{0}}.moved WHERE theirs.called({{1}}) > 0"
    )


HOSTILE: Final = {
    "a view in the place of the events": Hostile(moved("events"), 10, ('"events" is a view',)),
    "a view in the place of the types": Hostile(moved("types"), 10, ('"types" is a view',)),
    "a view in the place of the row that is read first": Hostile(moved("store"), 6, ("holds something else",), 6),
    "a view of the log that calls a function": Hostile(
        'CREATE OR REPLACE VIEW {0}.log AS SELECT 1::bigint AS position, NULL::text COLLATE "C" AS stream_id,'
        ' NULL::text COLLATE "C" AS category, 1::bigint AS version, NULL::text COLLATE "C" AS type, 1::bigint AS micros,'
        " NULL::text AS id, NULL::json AS data, NULL::json AS metadata WHERE theirs.called({1}) > 0",
        0, ('view "log"',),
    ),
    "a trigger on the events": Hostile(
        "CREATE TRIGGER theirs BEFORE INSERT ON {0}.events FOR EACH ROW EXECUTE FUNCTION theirs.swallow()",
        0, ('trigger "theirs"', '"events"'),
    ),
    "a rule that swallows events": Hostile(
        "CREATE RULE theirs AS ON INSERT TO {0}.events DO INSTEAD NOTHING", 0, ('rule "theirs"', '"events"')
    ),
    "an index that refuses the next event": Hostile(
        "CREATE UNIQUE INDEX theirs ON {0}.events (type_key) WHERE version > 3", 0, ('index "theirs"', '"events"')
    ),
    "a check that refuses the next event": Hostile(
        "ALTER TABLE {0}.events ADD CHECK (global_position < 4)", 0, ('table "events"', "global_position < 4")
    ),
}  # fmt: skip
READS: Final = (("info",), ("replay", "--all"), ("read", "Order-1"), ("streams",), ("export",))


@pytest.fixture
def schema(newest: Server) -> str:
    """A store, and functions of somebody else that count their calls; the second is called while a query is planned."""
    schema = newest.schema()
    with connect(newest.url(schema)) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n, tags=["t"]) for n in range(3)])
    for each in (
        "DROP SCHEMA IF EXISTS theirs CASCADE",
        "CREATE SCHEMA theirs",
        "CREATE SEQUENCE theirs.calls",
        "CREATE FUNCTION theirs.called(integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$SELECT nextval('theirs.calls')$$",
        "CREATE FUNCTION theirs.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    ):
        newest.execute(each)
    return schema


@pytest.fixture
def command(newest: Server, schema: str, tmp_path: Path) -> Command:
    return Command(tmp_path, newest.url(schema))


def change(server: Server, schema: str, script: str, argument: str = "7") -> None:
    for statement in script.split(";"):
        server.execute(statement.replace("{0}", schema).replace("{1}", argument))


def calls(server: Server) -> int:
    ((value, is_called),) = server.execute("SELECT last_value, is_called FROM theirs.calls")
    return int(value) if is_called else 0


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_not_called_and_is_named(
    newest: Server, schema: str, command: Command, name: str
) -> None:
    hostile = HOSTILE[name]
    change(newest, schema, hostile.sql)
    before = calls(newest)  # the making of a view plans nothing
    for words in READS:
        done = command(*words)
        assert done.code == hostile.read, (words, done)
        if hostile.read:
            (line,) = done.err.splitlines()
            assert (done.out, line.startswith("evstore: ")) == (b"", True)
    done = command("verify")
    assert done.code == hostile.verified
    said = (done.out.decode() + done.err).replace('\\"', '"')
    assert all(each in said for each in hostile.found), done
    assert calls(newest) == before


def test_who_reads_such_a_view_calls_the_function(newest: Server, schema: str) -> None:
    change(newest, schema, moved("events"))
    before = calls(newest)
    newest.execute(f"EXPLAIN SELECT 1 FROM {schema}.events")
    assert calls(newest) > before


@pytest.mark.parametrize("how", ["a trigger on the events", "a rule that swallows events"])
@pytest.mark.parametrize("count", [1, 3, MOST_EVENTS + 1])
def test_an_append_that_is_swallowed_is_not_acknowledged(
    newest: Server, schema: str, how: str, count: int
) -> None:
    change(newest, schema, HOSTILE[how].sql)
    with connect(newest.url(schema)) as store:
        before = [*store.replay()]
        with pytest.raises(
            EvstoreError
        ) as caught:  # a rule is refused by the server, where rows are to be returned
            store.append("Stock-1", [EventData("Taken", n) for n in range(count)])
        assert names(caught.value, store.location)
        assert names(caught.value, "swallows", "evstore verify") or (count == 1 and "rule" in how)
        assert [*store.replay()] == before


def test_every_table_that_evstore_makes_is_looked_at(newest: Server, schema: str) -> None:
    made = newest.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
    assert {*TABLES} == {name for (name,) in made}
    for table in TABLES[1:]:
        change(newest, schema, moved(table))
        with connect(newest.url(schema)) as store, pytest.raises(CorruptStoreError, match=f'"{table}" is a view'):
            store.head()
        change(newest, schema, f"DROP VIEW {{0}}.{table}; ALTER TABLE {{0}}.moved RENAME TO {table}")
        with connect(newest.url(schema)) as store:
            assert store.head() == 3
