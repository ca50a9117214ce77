"""Whatever an evstore has made, this one opens, migrates, verifies, reads and appends to."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, Final

import pytest

from evstore import EventData, connect
from evstore.adapters.postgres import connect as connect_postgres
from evstore.adapters.sqlite import connect as connect_sqlite
from evstore.adapters.sqlite.location import SCHEMA
from evstore.testing.asking import everything
from evstore.testing.contract import ReadClauses
from tests.stores import AGAIN, EMPTY, FOLDER, FULL, RestoredStores, export_file, restore, unpack
from tests.stores.make import EXACT, MOST_BYTES
from tests.support.command import Command
from tests.support.command_store import server_of
from tests.support.places import lose_in_postgres, lose_in_sqlite, occupy_postgres, occupy_sqlite
from tests.support.servers import newest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import Servers

LONG: Final = pytest.mark.long(
    "it shows something only where a migration lies between the kept store and this schema"
)
SELDOM: Final = pytest.mark.seldom if SCHEMA == 1 else LONG


@pytest.fixture(params=FULL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kept(evstore: Command, name: str) -> Command:
    """The command with a copy of a kept store, migrated."""
    if evstore.database:
        restore(name, *server_of(evstore))
    else:
        unpack(name, evstore.folder / "evstore.db")
    evstore.ok("migrate")
    return evstore


@pytest.fixture
def export(backend: str, name: str) -> Path:
    return export_file(backend, name)


def test_the_stores_are_of_this_schema_until_the_first_release(evstore: Command, name: str) -> None:
    if evstore.database:
        restore(name, *server_of(evstore))
    else:
        unpack(name, evstore.folder / "evstore.db")
    with connect(evstore.url) as opened:
        assert [*opened.verify()] == [], f"the schema has changed: {AGAIN}"


def test_the_stores_are_small() -> None:
    assert sum(each.stat().st_size for each in FOLDER.iterdir() if each.suffix == ".gz") < MOST_BYTES


def test_a_kept_store_verifies_and_has_the_tables_and_rights_of_a_new_one(
    kept: Command, request: pytest.FixtureRequest
) -> None:
    done = kept.ok("verify", "--engine")
    assert done.lines == []
    assert "not compared" not in done.err
    if kept.database:
        with newest_of(request.getfixturevalue("servers")).lent_store() as url:
            assert rights(kept) == rights(Command(kept.folder, url)) != []


def rights(store: Command) -> list[tuple[str, str]]:
    """Who has which right to each object of a store, by its schema's name."""
    server, schema = server_of(store)
    return server.execute(
        """
        SELECT its.name, right_.grantee::regrole::text || ' ' || right_.privilege_type FROM (
          SELECT relname::text, relacl FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'v')
          UNION ALL
          SELECT proname::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE pronamespace = %s::regnamespace
        ) AS its (name, acl)
        CROSS JOIN LATERAL aclexplode(its.acl) AS right_
        WHERE right_.grantee <> (SELECT nspowner FROM pg_namespace WHERE nspname = %s)
        ORDER BY 1, 2
        """,
        schema,
        schema,
        schema,
    )


def test_a_kept_store_exports_what_it_did_byte_for_byte(kept: Command, export: Path) -> None:
    assert kept.ok("export", "-O", "-").out == gzip.decompress(export.read_bytes())


def test_a_kept_store_answers_every_read_as_its_export_does(kept: Command, export: Path) -> None:
    with connect(kept.url) as store, connect(f"memory:{export}") as model:
        found, wanted = everything(store._adapter), everything(model._adapter)
        assert found._replace(sources=[]) == wanted
        for stream in found.streams:
            assert store.stream_info(stream.stream_id) == model.stream_info(stream.stream_id)
            assert [*store.read(stream.stream_id, backward=True)] == [*model.read(stream.stream_id, backward=True)]
        wheres: list[dict[str, Any]] = [
            *({"categories": [each.category]} for each in found.categories),
            *({"types": [each.type]} for each in found.types),
            *({"tags": [each.tag]} for each in found.tags),
            {"correlation_id": "correlation-1"},
            {"categories": ["Order"], "types": ["OrderPaid", "OrderPlaced"], "user_id": "user-1"},
        ]
        for where in wheres:
            events = [*model.replay(**where)]
            assert events
            assert [*store.replay(**where)] == events
            assert [*store.replay(**where, backward=True)] == events[::-1]
            assert store.count(**where) == len(events)


def test_a_kept_store_has_what_stands_beside_its_events(kept: Command) -> None:
    with connect(kept.url) as store:
        assert store.source_position("orders.csv") == 9
        assert [(each.name, each.parked) for each in store.consumers.all()] == [("counter", 0), ("mailer", 1)]
        ((parked),) = store.consumers.parked("mailer")
        assert (parked.stream_id, parked.reason) == ("Order-2", "ValueError: no such customer")
        found = store._adapter.snapshots().find("Order-1", "shop.Order")
        assert found is not None
        assert (found.version, found.state) == (3, '{"shipped":true}')
        assert EXACT in kept.ok("read", "Amount-1").out.decode()


def test_a_kept_store_is_appended_to_and_consumed(kept: Command, name: str) -> None:
    with connect(kept.url) as store:
        head = store.head()
        event = EventData("OrderPlaced", {"n": 1}, tags=["order:1"])
        (stored,) = store.append("Order-1", [event], 3)
        assert (stored.version, stored.global_position) == (4, head + 1)
        assert store.append("Order-1", [EventData("OrderPlaced", {"n": 1}, id=stored.id)]).duplicate
        assert store.append("Order-9", [event], source=("orders.csv", 9)) == []
        seen: list[int] = []
        store.consumer("mailer", categories=["Order"]).run(
            lambda events: seen.extend(each.global_position for each in events), once=True
        )
        assert seen == [head + 1]
        assert store.info().tamper_evident == (name != FULL[0])
        assert [*store.verify()] == []


# --- the contract's reads, on a store that another evstore has made ---


@LONG
@SELDOM
class TestKeptSqlite(ReadClauses):
    @pytest.fixture(autouse=True)
    def _kept(self, tmp_path, request):
        if "adapter" in request.fixturenames:
            unpack(EMPTY, tmp_path / "events.db")
            with connect(f"sqlite:{tmp_path}/events.db") as store:
                store.migrate()

    def open(self, tmp_path):
        return connect_sqlite(f"sqlite:{tmp_path}/events.db")

    reopen = open

    def lose(self, tmp_path, what, name):
        lose_in_sqlite(tmp_path, what, name)

    def occupy(self, tmp_path):
        return occupy_sqlite(tmp_path)


@pytest.fixture(scope="module")
def restored(servers: Servers) -> Iterator[RestoredStores]:
    made = RestoredStores(newest_of(servers))
    yield made
    made.drop()


@LONG
@SELDOM
class TestKeptPostgres(ReadClauses):
    @pytest.fixture(autouse=True)
    def _kept(self, newest, restored, tmp_path, request):
        self.server, self.made = newest, {}
        if "adapter" not in request.fixturenames:
            yield
            return
        with restored.lent() as schema:
            self.made[tmp_path] = schema
            yield

    def schema(self, tmp_path):
        return self.made.get(tmp_path) or self.server.schema(tmp_path)

    def open(self, tmp_path):
        return connect_postgres(self.server.url(self.schema(tmp_path)))

    reopen = open

    def lose(self, tmp_path, what, name):
        lose_in_postgres(self.server, self.schema(tmp_path), what, name)

    def occupy(self, tmp_path):
        return occupy_postgres(self.server, self.schema(tmp_path))
