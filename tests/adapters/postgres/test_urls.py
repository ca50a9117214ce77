"""From a URL to a store: what libpq understands, and the schema, which is evstore's own."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pytest

from evstore import EventData, InvalidUrlError, NotAStoreError, NotInitializedError, UnavailableError, connect
from evstore.adapters.postgres.location import location_of
from tests.support.daemons import free_port
from tests.support.postgres_roles import a_role
from tests.support.sentences import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Server

AN_EVENT = [EventData("Placed", {})]
PROCESSES = 8


@pytest.fixture
def schema(newest: Server) -> str:
    schema = newest.schema("named")
    with connect(newest.url(schema)) as store:
        store.initialize()
        store.append("Order-1", AN_EVENT)
    return schema


def head(url: str, **options: int) -> int:
    with connect(url, **options) as store:
        return store.head()


def test_every_spelling_of_the_scheme_is_the_same_store(newest: Server, schema: str) -> None:
    rest = newest.url(schema).removeprefix("postgresql:")
    for scheme in ("postgresql", "postgres", "postgresql+psycopg", "POSTGRESQL", "Postgres"):
        assert head(f"{scheme}:{rest}") == 1


def test_every_place_of_a_part_is_understood(newest: Server, schema: str) -> None:
    parts = urlsplit(newest.url(tcp=True))
    host, port, name = parts.hostname, parts.port, parts.path[1:]
    who, rest = f"{parts.username}:{parts.password}", f"schema={schema}&{parts.query}".rstrip("&")
    where, apart = f"host={host}&port={port}", f"user={parts.username}&password={parts.password}"
    for url in (
        f"postgresql://{who}@{host}:{port}/{name}?{rest}",
        f"postgresql://{who}@/{name}?{where}&{rest}",
        f"postgresql:///{name}?{apart}&{where}&{rest}",
        f"postgresql://?dbname={name}&{apart}&{where}&{rest}",
        f"postgresql://{parts.username}@{host}:{port}/{name}?{rest}&password={parts.password}",
        f"postgresql://{who}@{host}:{port}/{name}?application_name=a%26schema%3Db&{rest}",
        f"postgresql://{who}@nowhere.invalid:{port}/{name}?hostaddr={host}&{rest}",
        f"postgresql://{who}@{host}:{free_port()},{host}:{port}/{name}?{rest}",
        f"postgresql://{who}@/{name}?host=nowhere.invalid,{host}&port={port},{port}&{rest}",
    ):
        assert head(url) == head(url, pool_size=1) == 1, url


def test_a_socket_is_a_host(newest: Server, schema: str) -> None:
    folder = urlsplit(newest.url()).query
    if "host=/" not in folder:
        pytest.skip("EVSTORE_TEST_POSTGRES_URL gives no socket")
    parts = dict(each.split("=") for each in folder.split("&"))
    user, encoded = urlsplit(newest.url()).username, quote(parts["host"], safe="")
    assert head(f"postgresql://{user}@{encoded}:{parts['port']}/postgres?schema={schema}") == 1


def test_files_of_libpq_name_servers_and_passwords(
    newest: Server, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = newest.url(tcp=True)
    known = psycopg.conninfo.conninfo_to_dict(url)
    (tmp_path / "service").write_text(
        "[events]\n" + "".join(f"{name}={value}\n" for name, value in known.items() if name != "password")
    )
    passwords = tmp_path / "pass"
    passwords.write_text(f"*:*:*:*:{known['password']}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "service"))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert head(f"postgresql:///?service=events&schema={schema}") == 1
    monkeypatch.delenv("PGPASSFILE")
    assert head(f"postgresql:///?service=events&schema={schema}&passfile={passwords}") == 1
    monkeypatch.setenv("PGPASSWORD", str(known["password"]))
    assert head(f"postgresql:///?service=events&schema={schema}", pool_size=1) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a-b",
        "a b",
        'a"b',
        "a'b",
        "a;b",
        "a.b",
        "é",
        "a" * 64,
        "pg_x",
        "pg_temp",
        "%00",
        "a%20b",
        "a\n",
        "$a",
    ],
)
def test_a_name_that_cannot_be_a_schema_is_refused_before_anything_is_asked(name: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        connect(f"postgresql://nowhere.invalid/db?schema={name}")
    assert caught.value.code == "usage"
    assert f'"{unquote(name)}"' in str(caught.value)
    assert names(caught.value, "schema")


@pytest.mark.parametrize("name", ["Events", "user", "_" + "e" * 62, "EVSTORE2", "%61bc"])
def test_a_name_that_can_be_a_schema_is_one_in_its_own_case(newest: Server, name: str) -> None:
    place = location_of(f"postgresql://h/db?application_name=x&schema={name}&sslmode=disable")
    assert place.schema == name.replace("%61", "a")
    assert "schema" not in place.conninfo
    assert (place.conninfo["application_name"], place.conninfo["sslmode"]) == ("x", "disable")
    try:
        with connect(newest.url(place.schema)) as store:
            store.initialize()
            store.append("Order-1", AN_EVENT)
            store.append("Order-2", [EventData("Placed", n) for n in range(1001)])
            assert store.head() == 1002
        assert newest.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", place.schema) == [(1,)]
    finally:
        newest.execute(f'DROP SCHEMA IF EXISTS "{place.schema}" CASCADE')


def test_without_a_name_the_schema_is_called_evstore() -> None:
    assert location_of("postgresql://h/db").schema == "evstore"
    assert "schema" not in location_of("postgresql://h/db").conninfo


def test_two_schemas_of_a_database_are_stores_that_know_nothing_of_each_other(newest: Server) -> None:
    one, other = newest.place(), newest.place()
    with connect(one) as first, connect(other) as second:
        first.initialize()
        with pytest.raises(NotInitializedError):
            second.head()
        second.initialize()
        unit = first.appender.unit([("Order-1", AN_EVENT, 0)])
        for store in (first, second):
            store.appender.submit([unit])
            assert [event.global_position for event in store.replay()] == [1]
        heard = second.subscribe(after=1, timeout=0.05)
        first.append("Order-1", AN_EVENT)
        assert [*heard] == []
        assert (first.head(), second.head()) == (2, 1)


def test_one_store_is_made_by_all_who_initialize_it_at_once(newest: Server) -> None:
    url = newest.place()
    script = """
import sys
from evstore import EventData, connect
with connect(sys.argv[1], pool_size=1) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    store.initialize()
    print(store.append("Order-1", [EventData("Placed", {})])[0].version)
"""
    argv = [sys.executable, "-c", script, url]
    started = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    said = []
    for each in started:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in started:
        said.append(int(each.communicate(timeout=60)[0]))
        assert each.returncode == 0
    assert sorted(said) == [*range(1, PROCESSES + 1)]
    assert head(url) == PROCESSES


@pytest.mark.parametrize("sslmode", ["prefer", "disable"])
def test_what_answers_and_is_no_server_of_postgresql_is_unavailable(sslmode: str) -> None:
    """As a balancer whose servers are all away: the URL is right, and another try is worth it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:

        def answer() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")

        threads.submit(answer)
        with pytest.raises(UnavailableError):
            head(f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/db?sslmode={sslmode}")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused_and_left_as_it_was(newest: Server, encoding: str) -> None:
    name = newest.schema()
    newest.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        for ask in ("initialize", "head"):
            with connect(newest.url(database=name)) as store, pytest.raises(NotAStoreError, match=encoding):
                getattr(store, ask)()
        assert newest.execute("SELECT FROM pg_namespace WHERE nspname = 'evstore'", database=name) == []
    finally:
        newest.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_empty_schema_is_filled_by_a_role_that_may_make_none(newest: Server) -> None:
    schema = newest.schema()
    with a_role(newest) as role:
        newest.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {role.name}")
        with connect(role.url(schema)) as store:
            store.initialize()
            assert store.append("Order-1", AN_EVENT)[0].global_position == 1
        newest.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.parametrize(
    "theirs",
    [
        "TABLE {}.store (id int)",
        "VIEW {}.seen AS SELECT 1",
        "SEQUENCE {}.counted",
        "FUNCTION {}.called() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "TYPE {}.mood AS ENUM ('glad')",
        "DOMAIN {}.year AS int",
    ],
)
def test_what_holds_something_else_is_refused_and_left_as_it_was(newest: Server, theirs: str) -> None:
    schema = newest.schema()
    newest.execute(f"CREATE SCHEMA {schema}")
    newest.execute(f"CREATE {theirs.format(schema)}")
    with connect(newest.url(schema)) as store:
        for ask in (store.initialize, store.head, lambda: store.append("Order-1", AN_EVENT)):
            with pytest.raises(NotAStoreError) as caught:
                ask()
            assert names(caught.value, store.location, schema, "something else")
    assert newest.execute("SELECT to_regclass(%s)", f"{schema}.events") == [(None,)]


def test_another_programs_table_called_store_is_not_taken_for_one(newest: Server) -> None:
    schema = newest.schema()
    newest.execute(f"CREATE SCHEMA {schema}")
    columns = "'SHOP' AS application, 1 AS schema_version, 1 AS min_reader, 1 AS min_writer"
    newest.execute(f"CREATE TABLE {schema}.store AS SELECT {columns}")
    with connect(newest.url(schema)) as store:
        for ask in (store.initialize, store.head):
            with pytest.raises(NotAStoreError):
                ask()
    newest.execute(f"DELETE FROM {schema}.store")
    with connect(newest.url(schema)) as store, pytest.raises(NotAStoreError):
        store.head()


def test_the_connection_that_shows_whether_a_server_is_there_is_the_first_of_the_pool(
    newest: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[type] = []
    connected = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    def noted(kind: type, *given: object, **named: object) -> psycopg.Connection:
        made.append(kind)
        found: psycopg.Connection = connected(kind, *given, **named)
        return found

    url = newest.place()
    with connect(url) as store:
        store.initialize()
    monkeypatch.setattr(psycopg.Connection, "connect", classmethod(noted))
    with connect(url) as store:
        store.append("Order-1", AN_EVENT)
        assert store.head() == len(made) == 1
