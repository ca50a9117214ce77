"""The schema defends itself against whoever comes without evstore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from evstore import CorruptStoreError, EventData, SchemaTooNewError, connect
from tests.support.postgres_roles import TO_ALL, a_role
from tests.support.sentences import names

if TYPE_CHECKING:
    from tests.support.servers import Server

AN_EVENT = [EventData("Placed", {})]
TABLES = ("events", "streams", "categories", "types", "tags", "event_tags", "sources")


def filled(server: Server) -> str:
    """The schema of a store with three events."""
    schema = server.schema()
    with connect(server.url(schema)) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", {"n": n}) for n in range(3)])
    server.execute(f"INSERT INTO {schema}.tags (key, name) VALUES (1, 'order:1')")
    server.execute(f"INSERT INTO {schema}.event_tags (tag_key, global_position) VALUES (1, 3)")
    server.execute(f"INSERT INTO {schema}.sources (name, position, global_position) VALUES ('orders.csv', 1, 3)")
    return schema


@pytest.fixture
def schema(newest: Server) -> str:
    return filled(newest)


def test_what_is_stored_is_not_changed_deleted_or_truncated(server: Server) -> None:
    schema = filled(server)
    for table in TABLES:
        key = {"events": "global_position", "event_tags": "tag_key", "sources": "position"}.get(table, "key")
        conflict = {"event_tags": "tag_key, global_position", "sources": "name, position"}.get(table, key)
        for cheat in (
            f"UPDATE {schema}.{table} SET {key} = {key}",
            f"UPDATE {schema}.{table} SET {key} = 7 WHERE {key} = 1",
            f"DELETE FROM {schema}.{table}",
            f"DELETE FROM {schema}.{table} WHERE false",
            f"TRUNCATE {schema}.{table}",
            f"INSERT INTO {schema}.{table} TABLE {schema}.{table} ON CONFLICT ({conflict}) DO UPDATE SET {key} = 7",
        ):
            with pytest.raises(psycopg.Error) as caught:
                server.execute(cheat)
            assert caught.value.sqlstate == "EV009"
            assert names(caught.value, "evstore", table)
    with connect(server.url(schema)) as store:
        assert [event.data["n"] for event in store.read("Order-1")] == [0, 1, 2]


FINE: dict[str, object] = {
    "global_position": 4, "stream_key": 1, "version": 4, "category_number": 4, "timestamp": 1, "category_key": 1,
    "type_key": 1, "id": "gen_random_uuid()", "metadata": "'{}'", "data": "'{}'",
}  # fmt: skip


def insert(**changed: object) -> str:
    row = {**FINE, **changed}
    return f"events ({', '.join(row)}) VALUES ({', '.join(str(each) for each in row.values())})"


def test_the_tables_refuse_rows_that_break_their_rules(newest: Server) -> None:
    streams = "streams (key, category_key, category_number, stream_id) VALUES"
    rows = [
        insert(global_position=3), insert(global_position=0), insert(version=3), insert(version=0),
        insert(id="(SELECT id FROM events WHERE global_position = 1)"), insert(id="'not an id'"), insert(id="NULL"),
        insert(data="NULL"), insert(data="'{'"), insert(metadata="NULL"), insert(timestamp="NULL"),
        insert(category_number=0), insert(type_key="NULL"),
        f"{streams} (2, 1, 2, 'Order-1')", f"{streams} (2, 1, 1, 'Order-2')", f"{streams} (1, 1, 2, 'Order-2')",
        f"{streams} (2, 1, 0, 'Order-2')",
        "categories VALUES (2, 'Order')", "categories VALUES (1, 'Other')",
        "types VALUES (2, 'Placed')", "types VALUES (1, 'Other')",
        "store VALUES (1, 'EVST', 1, 1, 1)", "store VALUES (2, 'EVST', 1, 1, 1)",
    ]  # fmt: skip
    with newest.connect() as connection:
        connection.execute(f"SET search_path = {filled(newest)}".encode())
        for row in rows:
            with pytest.raises((psycopg.IntegrityError, psycopg.DataError)):
                connection.execute(f"INSERT INTO {row}".encode())
        connection.execute(f"INSERT INTO {insert()}".encode())  # so it was not the rest of the row


def test_nobody_else_has_any_right_to_anything_of_a_store(server: Server) -> None:
    schema = filled(server)
    # NULL is the default: nothing for a table or a schema, but a routine may be called by everybody.
    public = """
    SELECT 'schema', nspname, privilege_type
    FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE grantee = 0 AND oid = {0}
    UNION ALL
    SELECT 'relation', relname, privilege_type
    FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) WHERE grantee = 0 AND relnamespace = {0}
    UNION ALL
    SELECT 'routine', proname, privilege_type
    FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0 AND pronamespace = {0}
    """
    found = server.execute(public.format(f"'{schema}'::regnamespace"))
    assert set(found) == {("routine", *each) for each in TO_ALL}  # which only who may read can use
    theirs = server.schema("theirs")
    server.execute(f"CREATE SCHEMA {theirs}")
    server.execute(f"CREATE FUNCTION {theirs}.open() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert server.execute(public.format(f"'{theirs}'::regnamespace")) == [("routine", "open", "EXECUTE")]


@pytest.mark.parametrize("made_before", [False, True])
def test_default_privileges_give_nobody_a_right_to_a_store(server: Server, made_before: bool) -> None:
    """What somebody granted on a schema that stood there before the store is the owner's word, and stays."""
    schema = server.schema()
    with a_role(server, "SUPERUSER") as owner, a_role(server) as other:
        for things in ("SCHEMAS", "TABLES", "ROUTINES", "TYPES"):
            for grantee in (other.name, "PUBLIC"):
                server.execute(
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner.name} GRANT ALL ON {things} TO {grantee}"
                )
        if made_before:
            server.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {owner.name}")
            server.execute(f"GRANT USAGE ON SCHEMA {schema} TO {other.name}")
        with connect(owner.url(schema)) as store:
            store.initialize()
        granted = """
        SELECT 'schema' FROM pg_namespace, aclexplode(nspacl) WHERE grantee <> nspowner AND oid = {0}
        UNION ALL SELECT relname FROM pg_class, aclexplode(relacl) WHERE grantee <> relowner AND relnamespace = {0}
        UNION ALL SELECT proname FROM pg_proc, aclexplode(proacl) WHERE grantee <> proowner AND pronamespace = {0}
        """
        rows = server.execute(granted.format(f"'{schema}'::regnamespace"))
        assert {name for (name,) in rows} == {name for name, _ in TO_ALL} | ({"schema"} if made_before else set())
        with connect(owner.url(schema)) as store:
            assert store.append("Order-1", AN_EVENT)[0].version == 1


def test_every_function_says_where_its_names_are_looked_up(server: Server) -> None:
    """Whatever the search path of the caller. A procedure that commits cannot; it says so once it has begun."""
    asked = """
    SELECT proname FROM pg_proc
    WHERE pronamespace = %s::regnamespace AND NOT coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
    """
    assert {name for (name,) in server.execute(asked, filled(server))} == {"append_v1", "append_staged_v1"}


def test_who_touches_the_log_calls_nothing_of_somebody_elses(newest: Server) -> None:
    theirs, schema = newest.schema(), filled(newest)
    newest.execute(f"CREATE SCHEMA {theirs}")
    newest.execute(
        f"CREATE FUNCTION {theirs}.format(text, name, text) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$"
    )
    with newest.connect() as session:
        session.execute(f"SET search_path = {theirs}, public".encode())
        with pytest.raises(psycopg.Error) as caught:
            session.execute(f"DELETE FROM {schema}.events".encode())
        assert caught.value.sqlstate == "EV009"
        assert names(caught.value, "events", "DELETE")


def test_an_insert_that_the_tables_refuse_is_called_damage_not_conflict(newest: Server, schema: str) -> None:
    """Known ids and versions are looked for first; what is refused then was put there by another hand."""
    newest.execute(
        f"INSERT INTO {schema}.streams (key, category_key, category_number, stream_id) VALUES (9, 1, 2, 'Order-9')"
    )
    newest.execute(
        f"INSERT INTO {schema}.events (global_position, stream_key, version, category_number, timestamp, category_key,"
        f" type_key, id, metadata, data) VALUES (4, 9, 1, 7, 1, 2, 1, gen_random_uuid(), '{{}}', '1')"
    )
    newest.execute(f"ALTER TABLE {schema}.events ADD CHECK (global_position < 5)")
    with connect(newest.url(schema)) as store:
        with pytest.raises(CorruptStoreError) as caught:
            store.append("Order-1", AN_EVENT)
        assert caught.value.code == "damaged"
        assert names(caught.value, store.location, "damaged")
        assert store.info().head == 4  # `head` refuses a log whose event has no category


def test_a_store_whose_tables_were_dropped_is_called_damaged(newest: Server, schema: str) -> None:
    newest.execute(f"ALTER TABLE {schema}.events RENAME TO gone")
    with connect(newest.url(schema)) as store:
        for ask in (lambda: list(store.read("Order-1")), lambda: store.append("Order-1", AN_EVENT)):
            with pytest.raises(CorruptStoreError) as caught:
                ask()
            assert caught.value.code == "damaged"
            assert names(caught.value, store.location, "damaged")


def test_a_store_is_refused_by_the_readers_and_writers_it_admits_and_by_nothing_else(
    newest: Server, schema: str
) -> None:
    newest.execute(f"UPDATE {schema}.store SET schema_version = 7")  # a later schema that old clients can use
    with connect(newest.url(schema)) as store:
        store.append("Order-1", AN_EVENT)
        assert store.info().schema_version == 7
    newest.execute(f"UPDATE {schema}.store SET min_writer = 7")
    with connect(newest.url(schema)) as store:
        assert len(list(store.read("Order-1"))) == 4
        with pytest.raises(SchemaTooNewError) as caught:
            store.append("Order-1", AN_EVENT)
        assert names(caught.value, store.location, "writers", 7, 1)
    newest.execute(f"UPDATE {schema}.store SET min_reader = 7")
    with connect(newest.url(schema)) as store:
        for ask in (
            lambda: list(store.read("Order-1")),
            lambda: store.append("Order-1", AN_EVENT),
            store.initialize,
        ):
            with pytest.raises(SchemaTooNewError) as caught:
                ask()
            assert names(caught.value, store.location, "readers", 7, 1)
