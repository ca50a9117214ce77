"""Projections on PostgreSQL: the schema of their tables, the rights of their readers, and a long reader."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from evstore import UnsupportedError, connect
from tests.support.projected import Balances, BalancesInCents, deposit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server


@pytest.fixture
def database(newest: Server) -> Iterator[str]:
    database = f"projected_{uuid4().hex[:16]}"
    newest.execute(f"CREATE DATABASE {database}")
    yield database
    newest.execute(f"DROP DATABASE {database} WITH (FORCE)")


def kept(server: Server, database: str, projection: type[Balances], **parts: str) -> None:
    """Keep the projection of a store with one event more."""
    with connect(server.url(database=database, **parts)) as store:
        store.initialize()
        deposit(store, 5)
        store.projection(projection).run(once=True)


def rows(server: Server, database: str, statement: str) -> list[tuple[object, ...]]:
    with server.connect(database) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_tables_lie_in_the_first_schema_of_the_path_where_the_role_may_make_some(
    newest: Server, database: str
) -> None:
    with newest.connect(database) as connection:
        connection.execute("CREATE SCHEMA reporting")
        connection.execute(f"ALTER DATABASE {database} SET search_path = absent, reporting, public".encode())
    kept(newest, database, Balances)
    assert rows(newest, database, "SELECT amount FROM reporting.balances") == [(5,)]
    with newest.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET search_path = public".encode())
    kept(newest, database, Balances)  # which is kept where it is
    assert rows(newest, database, "SELECT amount FROM reporting.balances") == [(10,)]
    kept(newest, database, BalancesInCents)
    where = "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relname LIKE 'balances%' AND relkind IN ('r', 'v')"
    assert {*rows(newest, database, where)} == {("public", "balances"), ("public", "balances@balances:2")}


def test_the_schema_of_the_store_is_the_last_choice(newest: Server, database: str) -> None:
    with newest.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET search_path = evstore, public".encode())
    kept(newest, database, Balances)
    assert rows(newest, database, "SELECT amount FROM public.balances") == [(5,)]


def test_a_role_that_may_make_no_table_is_told_so(newest: Server, database: str) -> None:
    with newest.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET search_path = absent".encode())
    with pytest.raises(UnsupportedError, match="GRANT CREATE ON SCHEMA"):
        kept(newest, database, Balances)


def test_a_role_that_may_append_keeps_a_projection_where_it_may_make_tables(newest: Server, database: str) -> None:
    role = f"keeping_{uuid4().hex[:16]}"
    with newest.connect(database) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
    try:
        with connect(newest.url(database=database)) as store:
            store.initialize(grant_append=[role])
        with newest.connect(database) as connection:
            connection.execute(f"CREATE SCHEMA AUTHORIZATION {role}".encode())
        url = newest.url(database=database, user=role, password="x", tcp=True)
        with connect(url) as store:
            for projection in (Balances, BalancesInCents):
                deposit(store, 5)
                store.projection(projection).run(once=True)
            assert [each.name for each in store.consumers.all()] == ["projection:balances@2"]
        assert rows(newest, database, f"SELECT amount, cents FROM {role}.balances") == [(10, 100)]
    finally:
        with newest.connect(database) as connection:
            connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_whoever_may_read_a_view_still_may_when_it_has_other_columns(newest: Server, database: str) -> None:
    role = f"reporting_{uuid4().hex[:16]}"
    kept(newest, database, Balances)
    with newest.connect(database) as connection:
        connection.execute(f"CREATE ROLE {role}".encode())
        connection.execute(f"GRANT SELECT ON balances TO {role} WITH GRANT OPTION".encode())
        connection.execute(b"GRANT SELECT ON balances TO PUBLIC")
    asked = (
        "SELECT grantee, privilege_type, is_grantable FROM information_schema.role_table_grants"
        f" WHERE table_name = 'balances' AND grantee IN ('{role}', 'PUBLIC') ORDER BY grantee"
    )
    before = rows(newest, database, asked)
    assert before == [("PUBLIC", "SELECT", "NO"), (role, "SELECT", "YES")]

    class Fewer(Balances):
        version = 3

    try:
        for projection in (BalancesInCents, Fewer):  # a column more, and one less
            kept(newest, database, projection)
            assert rows(newest, database, asked) == before
    finally:
        with newest.connect(database) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_tables_beside_those_of_the_store_are_no_damage(newest: Server, database: str) -> None:
    kept(newest, database, Balances, schema="public")
    with connect(newest.url("public", database=database)) as store:
        assert [*store.verify()] == []
    assert rows(newest, database, "SELECT amount FROM public.balances") == [(5,)]


def test_tables_that_somebody_reads_are_removed_later(newest: Server, database: str) -> None:
    kept(newest, database, Balances)
    remaining = "SELECT count(*) FROM pg_class WHERE relname LIKE 'balances@%' AND relkind = 'r'"
    with newest.connect(database) as connection:
        with connection.transaction():
            connection.execute('SELECT * FROM "balances@balances:1"')
            with connect(newest.url(database=database), timeout=0.2) as store:
                store.projection(BalancesInCents).run(once=True)
            assert rows(newest, database, "SELECT cents FROM balances") == [(100,)]
            assert rows(newest, database, remaining) == [(2,)]
    kept(newest, database, BalancesInCents)
    assert rows(newest, database, remaining) == [(1,)]
