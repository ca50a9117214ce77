"""The servers that tests run on are real: they stop, recover, replicate and pool as those of users do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import servers
from tests.support.servers import another, needs, pgbouncer, replica

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import OwnServer, Server

pytestmark = pytest.mark.long("it tries the tests' own servers")


@pytest.fixture
def own(server: Server) -> Iterator[OwnServer]:
    """A server that no other test sees."""
    with another(server) as made:
        yield made


@pytest.fixture
def table(server: Server) -> str:
    """A table in a schema that ends with the test."""
    schema = server.schema()
    server.execute(f"CREATE SCHEMA {schema}")
    server.execute(f"CREATE TABLE {schema}.numbers (number int)")
    return f"{schema}.numbers"


def test_a_server_is_the_version_that_its_name_says(server: Server) -> None:
    needs(servers.NOT_OWNED, server.owned)
    assert server.name == f"postgres-{server.version.partition('.')[0]}"
    assert server.execute("SHOW server_encoding") == [("UTF8",)]
    assert server.execute("SHOW fsync") == [("on",)]


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_a_stop_of_any_kind(own: OwnServer, mode: str) -> None:
    own.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with own.connect() as open_still:
        own.stop(mode)
        with pytest.raises(psycopg.OperationalError):
            own.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            open_still.execute("SELECT 1")
    own.start()
    assert own.execute("SELECT number FROM kept") == [(7,)]
    assert any("not properly shut down" in line for line in own.daemon.log) == (mode != "fast")


def test_the_same_key_is_the_same_place_until_the_places_are_dropped(own: OwnServer) -> None:
    schema = own.schema("a key")
    assert own.schema("a key") == schema
    assert own.schema("another") != schema != own.schema()
    assert own.place("a key", application_name="x").endswith(f"application_name=x&schema={schema}")
    own.execute(f"CREATE SCHEMA {schema}")
    own.drop_places()
    assert own.execute("SELECT FROM pg_namespace WHERE nspname = %s", schema) == []


def test_over_tcp_the_password_has_to_be_right(server: Server) -> None:
    needs(servers.NOT_OWNED, server.owned)
    with psycopg.connect(server.url(tcp=True)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(tcp=True, password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(server.url(tcp=True, user="nobody"))


def test_another_server_has_settings_of_its_own(server: Server) -> None:
    with another(server, default_transaction_isolation="serializable") as made:
        assert made.execute("SHOW default_transaction_isolation") == [("serializable",)]
        assert made.version == server.version
    assert not made.running
    assert not made.folder.exists()


def test_a_replica_shows_what_its_primary_commits_and_writes_nothing(server: Server, table: str) -> None:
    with replica(server) as follower:
        server.execute(f"INSERT INTO {table} VALUES (7)")
        follower.caught_up()
        assert follower.execute(f"SELECT number FROM {table}") == [(7,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            follower.execute(f"INSERT INTO {table} VALUES (8)")


def test_pgbouncer_keeps_no_state_of_a_session_between_transactions(server: Server) -> None:
    with pgbouncer(server) as pooler, pooler.connect() as one, pooler.connect() as other:
        backend = one.execute("SELECT pg_backend_pid()").fetchone()
        assert other.execute("SELECT pg_backend_pid()").fetchone() == backend
        one.execute("SET application_name = 'one'")
        other.execute("SET application_name = 'other'")
        with one.transaction():
            assert one.execute("SELECT pg_backend_pid()").fetchone() == backend
            assert other.execute("SELECT pg_backend_pid()").fetchone() != backend
