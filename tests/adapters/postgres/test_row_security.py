"""Row level security hides rows in silence; evstore reads a store whole, or refuses and says why."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from evstore import DeniedError, EventData, connect
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.cli.exits import CODES
from tests.support.command import Command
from tests.support.postgres_roles import ALL_READER, ALL_WRITER, a_role, grant
from tests.support.sentences import names
from tests.support.servers import NOT_OWNED, needs, pgbouncer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.postgres_roles import Role
    from tests.support.servers import OwnServer, Server

REASON = "row level security"
TABLES = ("events", "streams", "categories", "types", "store")
POLICIES = {"without a policy": "", "with a policy": "true", "with a policy for some rows": "{key} <> 2"}
KEYS = {"events": "global_position", "store": "id"}

READS: dict[str, Callable[[EventStore], object]] = {
    "the log": lambda store: list(store.replay()),
    "the log backward": lambda store: list(store.replay(backward=True, limit=1)),
    "a category": lambda store: list(store.replay(["Order"])),
    "a type": lambda store: list(store.replay(types=["Placed"])),
    "the head": lambda store: store.head(),
    "what a follower sees": lambda store: list(store.subscribe(timeout=0)),
    "verify": lambda store: list(store.verify()),
}


@pytest.fixture
def owner(server: Server) -> Iterator[Role]:
    """A role that makes stores and is no superuser."""
    with a_role(server) as owner:
        server.execute(f"GRANT CREATE ON DATABASE postgres TO {owner.name}")
        yield owner


@pytest.fixture
def schema(server: Server, owner: Role) -> str:
    schema = server.schema("guarded")
    with connect(owner.url(schema)) as store:
        store.initialize()
        store.append("Order-1", [EventData("Placed", n) for n in range(2)])
        store.append_many([("Order-2", [EventData("Paid", 2)], 0), ("User-1", [EventData("Named", 3)], 0)])
    return schema


@pytest.fixture
def reader(server: Server, schema: str) -> Iterator[Role]:
    with a_role(server) as reader:
        grant(reader, schema, *ALL_READER)
        yield reader


def guard(server: Server, schema: str, table: str, policy: str = "", *, force: bool = False) -> None:
    server.execute(f"ALTER TABLE {schema}.{table} ENABLE ROW LEVEL SECURITY")
    if force:
        server.execute(f"ALTER TABLE {schema}.{table} FORCE ROW LEVEL SECURITY")
    if policy:
        condition = policy.format(key=KEYS.get(table, "key"))
        server.execute(f"CREATE POLICY partly ON {schema}.{table} USING ({condition}) WITH CHECK (true)")


def refused(store: EventStore, read: Callable[[EventStore], object], table: str) -> None:
    with pytest.raises(DeniedError) as caught:
        read(store)
    assert names(caught.value, REASON, table)
    assert caught.value.code == "denied"
    assert not caught.value.retryable


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_log_that_is_filtered_is_not_read(server: Server, schema: str, reader: Role, policy: str) -> None:
    guard(server, schema, "events", policy)
    for read in READS.values():
        with connect(reader.url(schema)) as store:
            refused(store, read, "events")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_filtered_ends_the_reading_of_the_whole_log(
    server: Server, schema: str, reader: Role, table: str, policy: str
) -> None:
    guard(server, schema, table, policy)
    with connect(reader.url(schema)) as store:
        refused(store, READS["the log"], table)
        refused(store, READS["verify"], table)
        if table == "store" and not policy:
            refused(store, lambda store: store.info(), table)
        else:
            assert [each for each in store.info().warnings if names(each, REASON, table)]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_command_is_denied_and_prints_nothing_but_info_warns(
    server: Server, schema: str, reader: Role, tmp_path: Path, policy: str
) -> None:
    guard(server, schema, "events", policy)
    command = Command(tmp_path, reader.url(schema))
    following = ("replay", "--all", "-f", "-n", "1")
    for words in (("export",), ("replay", "--all"), ("verify",), ("export", "-O", "copy.ndjson"), following):
        done = command(*words)
        assert (done.code, done.out) == (CODES["denied"], b""), words
        assert REASON in done.err
    assert not (tmp_path / "copy.ndjson").exists()
    done = command("info")
    assert done.code == 0
    assert any(names(each, REASON, "events") for each in json.loads(done.out)["warnings"])
    assert command("info", "-F", "table").code == 0


def test_the_owner_is_not_filtered_and_appends_for_others(server: Server, schema: str, owner: Role) -> None:
    with a_role(server) as writer:
        grant(writer, schema, *ALL_WRITER)
        guard(server, schema, "events", "false")
        guard(server, schema, "streams", "false")
        with connect(writer.url(schema)) as store:
            assert store.append("Order-1", [EventData("Placed", 4)], 2)[0].version == 3
            assert len(store.append("Order-1", [EventData("Placed", 4)] * (MOST_EVENTS + 1), 3)) == MOST_EVENTS + 1
        with connect(owner.url(schema)) as store:
            assert len([*store.replay()]) == store.head() == 5 + MOST_EVENTS + 1
            assert not [*store.verify()]
            assert not [each for each in store.info().warnings if REASON in each]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("table", ["events", "streams", "categories", "types", "staged"])
def test_an_owner_that_is_filtered_by_force_appends_nothing(
    server: Server, schema: str, owner: Role, table: str, policy: str
) -> None:
    guard(server, schema, table, "" if table == "staged" else policy, force=True)
    count = MOST_EVENTS + 1 if table == "staged" else 1
    with connect(owner.url(schema)) as store:
        refused(store, lambda store: store.append("New-1", [EventData("New", n) for n in range(count)]), table)
        assert [each for each in store.info().warnings if names(each, REASON, table)]
    if table == "events":
        with connect(owner.url(schema)) as store:
            refused(store, READS["the log"], table)
    assert server.execute(f"SELECT count(*) FROM {schema}.events") == [(4,)]
    assert server.execute(f"SELECT count(*) FROM {schema}.streams") == [(3,)]


@pytest.mark.parametrize("table", ["events", "streams", "staged"])
def test_behind_a_pooler_a_filtered_store_is_refused_too(newest: OwnServer, table: str) -> None:
    needs(NOT_OWNED, newest.owned)
    users = newest.account.new_folder() / "users"
    with a_role(newest) as owner, ExitStack() as meanwhile:
        users.write_text(f'"{owner.name}" ""\n')
        pooler = meanwhile.enter_context(pgbouncer(newest, auth_file=users))
        newest.execute(f"GRANT CREATE ON DATABASE postgres TO {owner.name}")
        schema = newest.schema()
        with connect(owner.url(schema)) as store:
            store.initialize()
            store.append("Order-1", [EventData("Placed", n) for n in range(2)])
        guard(newest, schema, table, "" if table == "staged" else "false", force=True)
        with connect(pooler.url(schema, user=owner.name)) as store:
            if table != "staged":
                refused(store, READS["the log"], table)
            assert [each for each in store.info().warnings if names(each, REASON, table)]
            count = MOST_EVENTS + 1 if table == "staged" else 1
            with pytest.raises(DeniedError) as caught:
                store.append("New-1", [EventData("New", n) for n in range(count)])
            assert REASON in str(caught.value)
        assert newest.execute(f"SELECT count(*) FROM {schema}.events") == [(2,)]
