"""What `initialize` grants: to each role what it needs to read or to append, and nothing else to anybody."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from evstore import (
    DeniedError,
    EventData,
    InvalidInputError,
    NotInitializedError,
    RoleNotFoundError,
    SchemaTooNewError,
    connect,
)
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.testing.asking import together
from tests.support.command import Command
from tests.support.postgres_roles import CHANGING, TO_ALL, TO_APPEND, TO_READ, a_role
from tests.support.sentences import names
from tests.support.servers import NO_AMCHECK, another, needs, pgbouncer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_roles import Role
    from tests.support.servers import Server

PATIENCE: Final = 60
TABLES: Final = ("store", "categories", "types", "tags", "streams", "events", "event_tags", "sources", "staged")
VIEWS: Final = ("log", "log_tags")
RIGHTS: Final = """
SELECT made.name, acl.privilege_type
FROM (
  SELECT 'its schema' AS name, nspowner AS owner, nspacl AS acl, oid AS schema FROM pg_namespace
  UNION ALL
  SELECT relname, relowner, relacl, relnamespace FROM pg_class
  UNION ALL
  SELECT proname, proowner, coalesce(proacl, acldefault('f', proowner)), pronamespace FROM pg_proc
) AS made
CROSS JOIN LATERAL aclexplode(made.acl) AS acl
WHERE made.schema = %s::regnamespace AND acl.grantee <> made.owner
  AND acl.grantee = coalesce((SELECT oid FROM pg_roles WHERE rolname = %s), 0)
"""
EVERYBODY: Final = ""


def rights(server: Server, schema: str, role: str) -> set[tuple[str, str]]:
    """What the role, or everybody, may do there; what everybody may counts for each role."""
    return {(name, right) for name, right in server.execute(RIGHTS, schema, role)}


def some(count: int) -> list[EventData]:
    return [EventData("Placed", n) for n in range(count)]


@pytest.fixture
def schema(server: Server) -> str:
    schema = server.schema("granted")
    with connect(server.url(schema)) as store:
        store.initialize()
        store.append("Order-1", some(2))
    return schema


@pytest.fixture
def roles(server: Server) -> Iterator[tuple[Role, Role]]:
    with a_role(server) as reader, a_role(server) as appender:
        yield reader, appender


def test_each_role_gets_exactly_what_it_needs_with_a_new_store(server: Server, roles: tuple[Role, Role]) -> None:
    reader, appender = roles
    schema = server.schema()
    with connect(server.url(schema)) as store:
        store.initialize(grant_read=[reader.name], grant_append=[appender.name])
    assert rights(server, schema, reader.name) == TO_READ
    assert rights(server, schema, appender.name) == TO_APPEND
    assert rights(server, schema, EVERYBODY) == TO_ALL


def test_a_store_that_exists_grants_the_same_however_often(
    server: Server, schema: str, roles: tuple[Role, Role]
) -> None:
    reader, appender = roles
    with connect(server.url(schema)) as store:
        for _ in range(2):
            store.initialize(grant_read=reader.name, grant_append=[appender.name, appender.name])
        assert rights(server, schema, reader.name) == TO_READ
        store.initialize(grant_append=[reader.name])
        store.initialize(grant_read=[reader.name])  # which takes nothing away
        store.initialize()
        assert store.head() == 2
    assert rights(server, schema, reader.name) == rights(server, schema, appender.name) == TO_APPEND
    assert rights(server, schema, EVERYBODY) == TO_ALL


def test_every_routine_is_for_appending_or_for_the_owner_alone(server: Server, schema: str) -> None:
    """A new one is granted, or belongs to this list."""
    routines = {name for (name,) in server.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace", schema
    )}  # fmt: skip
    granted = {name for name, right in TO_APPEND | TO_ALL if right == "EXECUTE"}
    assert routines - granted == {
        "refuse_change_v1", "refused_v1", "swallowed_v1", "check_unfilled_v1", "keys_v1", "add_names_v1",
        "tag_v1", "taken_v1", "take_v1", "guarded_v1", "content_hash_v1", "digests_v1", "redact_v1",
    }  # fmt: skip


FORBIDDEN: Final = (
    *(f"INSERT INTO {{0}}.{table} SELECT * FROM {{0}}.{table}" for table in TABLES if table != "staged"),
    "INSERT INTO {0}.types (key, name) VALUES (9, 'Cheated')",
    "INSERT INTO {0}.event_tags (tag_key, global_position) VALUES (1, 1)",
    "INSERT INTO {0}.sources (name, position, global_position) VALUES ('orders.csv', 1, 1)",
    """SELECT {0}.take_v1('["orders.csv",9]', 1)""",
    "COPY {0}.events FROM STDIN",
    *(f"DELETE FROM {{0}}.{table}" for table in TABLES),
    *(f"TRUNCATE {{0}}.{table}" for table in TABLES),
    *(f"DO 'BEGIN LOCK TABLE {{0}}.{table} IN ACCESS EXCLUSIVE MODE; END'" for table in TABLES),
    "UPDATE {0}.events SET data = 'null'",
    "UPDATE {0}.events SET global_position = global_position",
    "UPDATE {0}.streams SET stream_id = 'Other-1'",
    "UPDATE {0}.types SET name = 'Other'",
    "UPDATE {0}.tags SET name = 'Other'",
    "UPDATE {0}.store SET min_reader = 9",
    "UPDATE {0}.store SET tamper_evident = true",
    "UPDATE {0}.staged SET data = 'null'",
    "SELECT * FROM {0}.events FOR UPDATE",
    "SELECT * FROM {0}.staged",
    "COPY {0}.staged TO STDOUT",
    *(f"ALTER TABLE {{0}}.{table} DISABLE TRIGGER ALL" for table in TABLES),
    *(f"ALTER TABLE {{0}}.{table} ADD COLUMN mine integer" for table in TABLES),
    *(f"DROP TABLE {{0}}.{table} CASCADE" for table in TABLES),
    *(f"DROP VIEW {{0}}.{view}" for view in VIEWS),
    "ALTER VIEW {0}.log RENAME TO other",
    "CREATE OR REPLACE VIEW {0}.log AS SELECT 1 AS position",
    "ALTER TABLE {0}.events OWNER TO CURRENT_USER",
    "DROP TRIGGER events_never_change ON {0}.events",
    "CREATE TRIGGER mine BEFORE INSERT ON {0}.events FOR EACH STATEMENT EXECUTE FUNCTION {0}.refuse_change_v1()",
    "CREATE RULE mine AS ON INSERT TO {0}.events DO INSTEAD NOTHING",
    "CREATE INDEX mine ON {0}.events (version)",
    "DROP INDEX {0}.events_by_id",
    "CREATE TABLE {0}.mine (x integer)",
    "CREATE VIEW {0}.mine AS SELECT 1 AS x",
    "CREATE SEQUENCE {0}.mine",
    "CREATE TYPE {0}.mine AS (x integer)",
    "CREATE FUNCTION {0}.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION {0}.make_durable_v1() RETURNS void LANGUAGE sql AS ''",
    "ALTER FUNCTION {0}.make_durable_v1() RESET ALL",
    "DROP FUNCTION {0}.make_durable_v1()",
    "ALTER SCHEMA {0} RENAME TO mine",
    "DROP SCHEMA {0} CASCADE",
    "SELECT {0}.add_names_v1('{{}}', '{{}}', '{{Cheated}}')",
    "SELECT {0}.keys_v1('{{}}', '{{}}', '{{Placed}}')",
    "SELECT {0}.refused_v1('{{1}}', '{{1}}')",
    *(f"TRUNCATE {{0}}.{table}" for table in CHANGING),
    *(f"ALTER TABLE {{0}}.{table} ADD COLUMN mine integer" for table in CHANGING),
    *(f"DROP TABLE {{0}}.{table} CASCADE" for table in CHANGING),
    *(f"CREATE INDEX mine ON {{0}}.{table} (xmin)" for table in CHANGING),
)
APPENDS: Final = (
    "INSERT INTO {0}.staged (append_id, number) VALUES (gen_random_uuid(), 1)",
    "CALL {0}.append_v1('{{}}', '{{}}', '{{}}', false, 1, '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', NULL, '{{}}', NULL)",
    "SELECT {0}.append_unit_v1('{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', NULL, NULL, NULL)",
    "CALL {0}.append_staged_v1(gen_random_uuid(), 1, NULL, 1, 1, NULL, NULL)",
    "SELECT {0}.append_staged_unit_v1(gen_random_uuid(), 1, NULL, 1, NULL)",
    "SELECT {0}.sweep_staged_v1(gen_random_uuid())",
    "SELECT {0}.make_durable_v1()",
    *(f"INSERT INTO {{0}}.{table} SELECT * FROM {{0}}.{table}" for table in CHANGING),
    *(f"DELETE FROM {{0}}.{table}" for table in CHANGING),
    "UPDATE {0}.consumers SET filter = filter",
    "UPDATE {0}.checkpoints SET global_position = global_position",
    "UPDATE {0}.parked SET state = state",
    "UPDATE {0}.holds SET token = token",
    "UPDATE {0}.snapshots SET state = state",
)
EVERYTHING: Final = """
SELECT
  (SELECT json_agg(t ORDER BY t.global_position) FROM {0}.events AS t)::text,
  (SELECT json_agg(t) FROM {0}.streams AS t)::text, (SELECT json_agg(t) FROM {0}.types AS t)::text,
  (SELECT json_agg(t) FROM {0}.store AS t)::text, (SELECT count(*) FROM {0}.staged),
  (SELECT json_agg((relname, relacl, relowner) ORDER BY relname) FROM pg_class
   WHERE relnamespace = '{0}'::regnamespace)::text,
  (SELECT json_agg((proname, proacl, prosrc) ORDER BY proname) FROM pg_proc
   WHERE pronamespace = '{0}'::regnamespace)::text
"""


DENIED: Final = psycopg.errors.InsufficientPrivilege.sqlstate


def code_of(session: psycopg.Connection, statement: str) -> str | None:
    """The SQLSTATE that the server answers with, None if it does what it is told."""
    try:
        session.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate
    return None


@pytest.mark.parametrize("what", ["read", "append"])
def test_a_role_is_denied_all_that_was_not_granted(
    server: Server, schema: str, roles: tuple[Role, Role], what: str
) -> None:
    role = roles[what == "append"]
    with connect(server.url(schema)) as store:
        store.initialize(**{f"grant_{what}": [role.name]})
    everything = EVERYTHING.format(schema)
    before = server.execute(everything)
    with role.session() as session:
        tried = {cheat: code_of(session, cheat.format(schema)) for cheat in FORBIDDEN + APPENDS}
        session.execute(f"GRANT SELECT ON {schema}.events TO PUBLIC".encode())  # a warning, and nothing granted
    assert server.execute(everything) == before
    allowed = APPENDS if what == "append" else ()
    assert {cheat: code for cheat, code in tried.items() if code != DENIED and cheat not in allowed} == {}
    assert [cheat for cheat in allowed if tried[cheat] == DENIED] == []


def test_a_reader_reads_and_verifies_by_command_and_appends_nothing(
    server: Server, schema: str, roles: tuple[Role, Role], tmp_path: Path
) -> None:
    reader, _ = roles
    Command(tmp_path, server.url(schema)).ok("init", "--grant-read", reader.name)
    command = Command(tmp_path, reader.url(schema))
    assert len(command.ok("replay", "--all").lines) == len(command.ok("read", "Order-1").lines) == 2
    for words in (("info",), ("categories",), ("streams",), ("types",), ("count",), ("export",), ("init",)):
        command.ok(*words)
    done = command.ok("verify", "--engine")
    assert done.out == b""
    assert "2 events checked" in done.err
    assert "the engine's own check was skipped" in done.err
    for words in (("append", "Order-1", "-t", "A", "-d", "1"), ("append", "Order-1", "-t", "A", "--each", "-")):
        done = command(*words, stdin=b"1\n2\n" if words[-1] == "-" else b"")
        assert (done.code, done.out) == (77, b"")
        assert names(done.err, "permission denied")
    assert len(command.ok("replay", "--all").lines) == 2


def test_verify_skips_the_check_of_the_engine_that_a_reader_may_not_use(
    server: Server, roles: tuple[Role, Role], tmp_path: Path
) -> None:
    needs(NO_AMCHECK, server.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"))
    reader, _ = roles
    schema = server.schema()
    server.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    try:
        Command(tmp_path, server.url(schema)).ok("init", "--grant-read", reader.name)
        done = Command(tmp_path, reader.url(schema)).ok("verify", "--engine")
    finally:
        server.execute("DROP EXTENSION amcheck")
    assert "skipped: this role may not execute amcheck's bt_index_check" in done.err


def test_an_appender_appends_what_is_small_large_or_comes_bit_by_bit_by_command(
    server: Server, schema: str, roles: tuple[Role, Role], tmp_path: Path
) -> None:
    _, appender = roles
    done = Command(tmp_path, server.url(schema)).ok("init", "--grant-append", appender.name)
    assert f'role "{appender.name}" may read and append' in done.err
    command = Command(tmp_path, appender.url(schema))
    command.ok("append", "Order-2", "-t", "Placed", "-d", "1", "--expect", "no-stream")
    many = b"".join(b"%d\n" % n for n in range(MOST_EVENTS + 1))
    command.ok("append", "Order-3", "-t", "Imported", "-", stdin=many)
    command.ok("append", "Order-4", "-t", "Placed", "--each", "-", stdin=b"1\n2\n3\n")
    lines = b'{"streamId":"User-1","type":"Named","data":1}\n{"streamId":"User-2","type":"Named","data":2}\n'
    command.ok("append", "--many", "-", stdin=lines)
    done = command("append", "Order-1", "-t", "Placed", "-d", "1", "--expect", "no-stream")
    assert done.code == 4
    count = 2 + 1 + MOST_EVENTS + 1 + 3 + 2
    assert json.loads(command.ok("count").out) == {"events": count}
    assert f"{count} events checked" in command.ok("verify").err
    assert server.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


ODD: Final = (
    'Re"porting-',
    "UPPER-",
    "o'brien; DROP TABLE x; -- ",
    "é{} %s ",
    "select",
    "a.b:c@d/e?f&g#h ",
    "public",
)


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_taken_as_it_is(server: Server, schema: str, name: str, tmp_path: Path) -> None:
    with a_role(server, named=name) as reader, a_role(server, named=name) as appender:
        done = Command(tmp_path, server.url(schema)).ok(
            "init", "--grant-read", reader.name, "--grant-append", appender.name
        )
        assert done.lines == Command(tmp_path, server.url(schema)).ok("info").lines
        assert rights(server, schema, reader.name) == TO_READ
        assert rights(server, schema, appender.name) == TO_APPEND
        with connect(appender.url(schema)) as store:
            assert store.append("Order-2", some(1))[0].version == 1


ABSENT: Final = (
    "nobody",
    "public",
    "PUBLIC",
    "none",
    "CURRENT_USER",
    "session_user",
    "",
    "a" * 70,
    'a"b',
    "a; --",
)


@pytest.mark.parametrize("what", ["read", "append"])
@pytest.mark.parametrize("absent", ABSENT)
def test_a_role_that_does_not_exist_changes_nothing(
    server: Server, schema: str, roles: tuple[Role, Role], absent: str, what: str, tmp_path: Path
) -> None:
    role, _ = roles
    given = {"grant_read": [role.name], "grant_append": [role.name]}
    given[f"grant_{what}"].append(absent)
    new = server.schema()
    for each in (schema, new):
        with connect(server.url(each)) as store, pytest.raises(RoleNotFoundError) as caught:
            store.initialize(**given)
        assert (caught.value.code, caught.value.roles) == ("usage", (absent,))
        assert names(caught.value, f'"{absent}"', store.location)
        done = Command(tmp_path, server.url(each))(
            "init", "--grant-read", role.name, f"--grant-{what}", absent, "--errors", "json"
        )
        assert (done.code, done.out) == (2, b"")
        error = json.loads(done.err)["error"]
        assert (error["class"], error["roles"]) == ("RoleNotFoundError", [absent])
        assert "CREATE ROLE" in error["hint"]
    assert rights(server, schema, role.name) == set()
    assert rights(server, schema, EVERYBODY) == TO_ALL
    with connect(server.url(new)) as store, pytest.raises(NotInitializedError):
        store.info()
    assert server.execute("SELECT FROM pg_namespace WHERE nspname = %s", new) == []


@pytest.mark.parametrize("role", ["a\0b", "\ud800", 7])
def test_what_can_be_no_name_is_refused_before_anything_is_made(newest: Server, role: object) -> None:
    with connect(newest.place()) as store:
        with pytest.raises((RoleNotFoundError, InvalidInputError)):
            store.initialize(grant_read=[role])  # type: ignore[list-item]
        with pytest.raises(NotInitializedError):
            store.info()


def test_who_does_not_own_the_store_grants_nothing(
    server: Server, schema: str, roles: tuple[Role, Role], tmp_path: Path
) -> None:
    mine, other = roles
    for before in (set(), TO_READ, TO_APPEND):
        with connect(mine.url(schema)) as store, pytest.raises(DeniedError) as caught:
            store.initialize(grant_append=[other.name])
        assert caught.value.code == "denied"
        assert names(caught.value, store.location)
        assert rights(server, schema, mine.name) == before
        assert rights(server, schema, other.name) == set()
        with connect(server.url(schema)) as store:
            store.initialize(
                **({"grant_append": [mine.name]} if before == TO_READ else {"grant_read": [mine.name]})
            )
    done = Command(tmp_path, mine.url(schema))("init", "--grant-read", other.name)
    assert (done.code, done.out) == (77, b"")
    assert f'this role may not grant "{other.name}" its rights' in done.err
    assert "hint: grant them as the role that owns the store" in done.err


def test_an_owner_without_other_rights_grants(server: Server, roles: tuple[Role, Role]) -> None:
    owner, other = roles
    schema = server.schema()
    server.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {owner.name}")
    with connect(owner.url(schema)) as store:
        store.initialize(grant_append=[other.name])
    with connect(other.url(schema)) as store:
        store.append("Order-1", some(1))
    assert rights(server, schema, other.name) == TO_APPEND


def test_where_another_owns_the_schema_its_use_is_for_that_owner_to_grant(
    server: Server, roles: tuple[Role, Role]
) -> None:
    owner, other = roles
    schema = server.schema()
    server.execute(f"CREATE SCHEMA {schema}")
    server.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner.name}")
    with connect(owner.url(schema)) as store:
        with pytest.raises(DeniedError):
            store.initialize(grant_read=[other.name])
        assert rights(server, schema, other.name) == set()
        server.execute(f"GRANT USAGE ON SCHEMA {schema} TO {other.name}")
        store.initialize(grant_read=[other.name])
    with connect(other.url(schema)) as store:
        assert [*store.replay()] == []
        assert [*store.verify()] == []


def test_a_store_that_is_too_new_is_left_as_it_is(server: Server, schema: str, roles: tuple[Role, Role]) -> None:
    server.execute(f"UPDATE {schema}.store SET min_reader = 9, schema_version = 9")
    with connect(server.url(schema)) as store, pytest.raises(SchemaTooNewError):
        store.initialize(grant_read=[roles[0].name])
    assert rights(server, schema, roles[0].name) == set()


def test_of_several_at_once_each_grants_what_it_was_asked_for(server: Server, roles: tuple[Role, Role]) -> None:
    """Two grants on one table at the same time would be an error of the server."""
    schema = server.schema()
    reader, appender = roles
    with ExitStack() as opened:
        stores = [opened.enter_context(connect(server.url(schema))) for _ in range(6)]
        together(
            [
                partial(store.initialize, grant_read=[reader.name], grant_append=[appender.name] * (n % 2))
                for n, store in enumerate(stores)
            ],
            PATIENCE,
        )
    assert rights(server, schema, reader.name) == TO_READ
    assert rights(server, schema, appender.name) == TO_APPEND


def test_behind_a_pooler_the_same_is_granted(newest: Server) -> None:
    schema = newest.schema()
    with pgbouncer(newest) as pooler, a_role(newest) as role, connect(pooler.url(schema)) as store:
        store.initialize(grant_read=[role.name])
        assert rights(newest, schema, role.name) == TO_READ
        store.initialize(grant_append=[role.name])
        assert rights(newest, schema, role.name) == TO_APPEND


def test_where_nobody_may_emit_messages_a_reader_may_call_what_does(newest: Server) -> None:
    """It makes durable what it read, where the writer of that has died."""
    with another(newest) as own, ExitStack() as meanwhile:
        for (function,) in own.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'pg_logical_emit_message'"
        ):
            own.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        role = meanwhile.enter_context(a_role(own))
        schema = own.schema()
        store = meanwhile.enter_context(connect(own.url(schema)))
        store.initialize(grant_read=[role.name])
        assert rights(own, schema, role.name) == TO_READ | {("make_durable_v1", "EXECUTE")}


def test_the_views_hide_what_a_policy_hides(server: Server, schema: str, roles: tuple[Role, Role]) -> None:
    if server.execute("SELECT current_setting('server_version_num')::integer < 150000") == [(True,)]:
        pytest.skip("a view asks for the rights of its reader from PostgreSQL 15 on")
    reader, _ = roles
    with connect(server.url(schema)) as store:
        store.initialize(grant_read=[reader.name])
    server.execute(f"ALTER TABLE {schema}.events ENABLE ROW LEVEL SECURITY")
    server.execute(f"CREATE POLICY not_the_first ON {schema}.events USING (global_position <> 1)")
    with reader.session() as session:
        for name, column in (("events", "global_position"), ("log", "position")):
            assert session.execute(f"SELECT {column} FROM {schema}.{name}".encode()).fetchall() == [(2,)]
