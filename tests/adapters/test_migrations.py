"""Migrations with made-up steps, for there are none yet: on both databases, with old and new processes at once."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from evstore import (
    DeniedError,
    EventData,
    EventStore,
    Metadata,
    MigrationError,
    SchemaTooNewError,
    SchemaTooOldError,
    StoreBusyError,
    UnsupportedError,
    connect,
)
from evstore.adapters.migrating import folder_of, step_files
from evstore.adapters.postgres.location import SCHEMA_NUMBER
from evstore.adapters.postgres.migrating import OUTSIDE
from evstore.adapters.sqlite.location import SCHEMA
from tests.support.command_store import server_of
from tests.support.made_up_steps import (
    ALL,
    FINISH,
    INDEXES,
    LATER,
    OURS,
    POSTGRES,
    READINGS,
    VERSIONS,
    kept,
    killed_before,
    newer,
    recorded,
    rows,
    schema_number,
    written,
)
from tests.support.postgres_roles import a_role
from tests.support.servers import pgbouncer
from tests.support.users import ANNE, AS_ROOT, doing, start
from tests.support.users import folder_of as folder_of_user
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Command
    from tests.support.servers import Server


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("steps"))


@pytest.fixture
def store(evstore: Command) -> Command:
    """An old store, with events, tags, metadata, a redaction and a checkpoint."""
    with connect(evstore.url) as made:
        made.initialize()
        made.append("A-1", [EventData("T", {"n": 1.10}, Metadata(correlation_id="c"), tags=["x", "y"])] * 2)
        made.append("B-1", [EventData("U", "é\\u0000" * 9)])
        made.redact([made.append("A-2", [EventData("T", 1)])[0].id], "a reason")
        made.consumer("mailer", categories=["A"]).run(lambda _: None, once=True)
    return evstore


def migrate(store: Command, *, finish: bool = False) -> list[str]:
    """The names of the steps that were applied."""
    with connect(store.url) as opened:
        return [each.step for each in opened.migrate(finish=finish)]


def steps(opened: EventStore) -> dict[str, bool]:
    """Whether each step is applied."""
    return {each.step: each.applied_us is not None for each in opened.migrations()}


def has_index(store: Command, name: str) -> bool:
    if not store.database:
        return rows(store, f"SELECT 1 FROM sqlite_schema WHERE name = '{name}'") == [(1,)]
    _, schema = server_of(store)
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{schema}.{name}')"
    return rows(store, valid) == [(True,)]


def is_migrated(store: Command) -> bool:
    """True if all that the steps make is there, once."""
    names = rows(store, "SELECT note FROM {}readings ORDER BY stream_key") if recorded(store) else []
    backend = "postgres" if store.database else "sqlite"
    return bool(names) and names[0] == ("A-1",) and all(has_index(store, each) for each in INDEXES[backend])


# --- steps ---


def test_steps_are_applied_in_order_and_those_that_finish_wait(store: Command, folder: Path) -> None:
    before = kept(store)
    with newer(folder), connect(store.url) as opened:
        assert steps(opened) == dict.fromkeys(ALL, False)
        seen: list[tuple[int, int]] = []
        applied = opened.migrate(on_progress=lambda done, total: seen.append((done, total)))
        assert [(each.step, each.schema, each.finishes) for each in applied] == [
            (READINGS, 2, False),
            (VERSIONS, 3, False),
        ]
        assert seen == [(0, 2), (1, 2), (2, 2)]
        assert steps(opened) == {READINGS: True, VERSIONS: True, FINISH: False}
        assert opened.info().schema_version == LATER
        assert opened.migrate() == []
        assert [each.step for each in opened.migrate(finish=True)] == [FINISH]
        assert steps(opened) == dict.fromkeys(ALL, True)
        assert recorded(store) == ALL
        assert is_migrated(store)
        assert kept(store) == before
        opened.append("C-1", [EventData("T", 1)])
        assert [*opened.verify()] == []


def test_finish_brings_the_store_up_first(store: Command, folder: Path) -> None:
    with newer(folder):
        assert migrate(store, finish=True) == ALL


def test_a_store_that_is_made_new_needs_no_step(evstore: Command, folder: Path) -> None:
    with newer(folder, OURS), connect(evstore.url) as made:  # a schema.sql of schema 3 would say so
        made.initialize()
    number = "UPDATE {}store SET schema_version = 3 RETURNING 1" if evstore.database else "PRAGMA user_version = 3"
    rows(evstore, number)
    with newer(folder), connect(evstore.url) as made:
        assert made.migrations() == []
        assert made.migrate(finish=True) == []


def test_a_step_that_fails_leaves_those_before_it_and_nothing_of_itself(store: Command, folder: Path) -> None:
    table = "CREATE TABLE evstore.half (n integer); " if store.database else "CREATE TABLE half (n INTEGER); "
    written(folder, versions=f"{table}INSERT INTO nowhere VALUES (1);")
    before = kept(store)
    with newer(folder), connect(store.url) as opened:
        with pytest.raises(MigrationError, match=r"0003_versions.*nowhere") as caught:
            opened.migrate()
        assert caught.value.step == VERSIONS
        assert steps(opened) == {READINGS: True, VERSIONS: False, FINISH: False}
        assert (schema_number(store), recorded(store)) == (2, [READINGS])
        opened.append("C-1", [EventData("T", 1)])
    exists = (
        f"SELECT to_regclass('{server_of(store)[1]}.half')::text" if store.database else "SELECT NULL FROM store"
    )
    assert rows(store, exists) == [(None,)]
    assert kept(store)[: len(before)] != []
    with newer(written(folder)):
        assert migrate(store) == [VERSIONS]
    assert is_migrated(store)


def test_a_step_that_was_changed_since_it_was_applied_is_refused(store: Command, folder: Path) -> None:
    written(folder, versions=None)
    with newer(folder, 2):
        assert migrate(store) == [READINGS]
    written(folder, readings="SELECT 1;")
    with newer(folder), connect(store.url) as opened:
        for ask in (opened.migrations, opened.migrate):
            with pytest.raises(MigrationError, match="0002_readings: its text has changed since it was applied"):
                ask()
        assert opened.count() == 5  # whoever only uses the store is not concerned
    assert (schema_number(store), recorded(store)) == (2, [READINGS])


def test_a_step_that_was_applied_and_is_not_there_is_refused(store: Command, folder: Path) -> None:
    with newer(folder):
        migrate(store)
    with newer(written(folder, readings=None)), connect(store.url) as opened:
        with pytest.raises(MigrationError, match=r"0002_readings.*has no such step"):
            opened.migrate()


# --- old and new ---


def test_old_readers_and_writers_go_on_until_it_is_finished(store: Command, folder: Path) -> None:
    with connect(store.url) as reader, connect(store.url) as writer:
        writer.append("Old-1", [EventData("T", 1)])
        assert reader.count() == 6
        with newer(folder):
            migrate(store)
        writer.append("Old-1", [EventData("T", 2)])
        assert [each.version for each in reader.read("Old-1")] == [1, 2]
        store.ok("append", "Old-2", "-t", "T", "-d", "1")
        assert len(store.ok("replay", "--all").lines) == 8
        with newer(folder), connect(store.url) as new:
            new.append("New-1", [EventData("T", 1)])
            assert new.migrate(finish=True)
            new.append("New-1", [EventData("T", 2)])
        with pytest.raises(SchemaTooNewError, match="of schema 2 and later, this evstore has schema 1"):
            writer.append("Old-1", [EventData("T", 3)])
    for words in (("append", "Old-2", "-t", "T", "-d", "1"), ("replay", "--all"), ("migrate", "--status")):
        done = store(*words, "--errors", "json")
        assert (done.code, done.out) == (6, b"")
        assert json.loads(done.err)["error"]["class"] == "SchemaTooNewError"


def test_an_old_evstore_leaves_what_a_newer_one_migrated(store: Command, folder: Path) -> None:
    with newer(folder):
        migrate(store)
    with connect(store.url) as old:
        assert steps(old) == {READINGS: True, VERSIONS: True}
        assert old.migrate(finish=True) == []
    done = store.ok("verify")
    assert done.lines == []
    assert "were not compared: the store has schema 3, this evstore makes 1" in done.err


def test_a_store_with_pending_steps_is_used_and_verified_but_not_made(store: Command, folder: Path) -> None:
    with newer(folder), connect(store.url) as new:
        assert new.count() == 5
        verification = new.verify()
        assert [*verification] == []
        assert verification.uncompared.endswith("evstore migrate brings it up")
        with pytest.raises(SchemaTooOldError, match="its schema is 1, this evstore makes 3"):
            new.initialize()


def test_a_store_that_is_too_old_to_be_used_is_migrated(store: Command, folder: Path) -> None:
    with newer(folder, oldest=2), connect(store.url) as new:
        for refused in (new.count, lambda: new.append("A-1", [EventData("T", 1)]), new.info):
            with pytest.raises(SchemaTooOldError, match="its schema is 1, the oldest known is 2"):
                refused()
        assert not any(steps(new).values())
        assert [each.step for each in new.migrate()] == [READINGS, VERSIONS]
        assert new.count() == 5
        new.append("A-1", [EventData("T", 1)])


# --- kill -9, and several at once ---


@pytest.mark.parametrize(
    "stride", [5, pytest.param(1, marks=pytest.mark.long("a process for each of its statements", by_hand=True))]
)
def test_a_migration_that_is_killed_before_any_of_its_statements_goes_on(
    store: Command, folder: Path, stride: int
) -> None:
    before = kept(store)
    with newer(folder):
        number, kills, there = 1, 0, (OURS, [])
        while killed_before(number, lambda: migrate(store, finish=True)):
            kills += 1
            found = schema_number(store), recorded(store)
            assert found == (min(len(found[1]) + 1, LATER), ALL[: len(found[1])])
            # Each state of the store meets a kill before each statement that leads on from it.
            number, there = (number + stride, there) if found == there else (1, found)
        assert kills > 40 / stride
        assert recorded(store) == ALL
        assert migrate(store, finish=True) == []
        assert is_migrated(store)
        assert kept(store) == before
        with connect(store.url) as opened:
            assert [*opened.verify()] == []


def test_of_processes_that_migrate_at_once_one_applies_each_step(
    store: Command, folder: Path, tmp_path: Path
) -> None:
    written(folder, readings_finish="SELECT 1;")
    ready, go = os.pipe()

    def work(number: int) -> None:
        os.close(go)
        assert os.read(ready, 1) == b""  # all begin when the pipe is closed
        applied = migrate(store, finish=True)
        (tmp_path / f"applied-{number}").write_text("\n".join(applied))

    with newer(folder):
        children = [start(None, lambda number=number: work(number)) for number in range(4)]
        os.close(go)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    os.close(ready)
    applied = [line for number in range(4) for line in (tmp_path / f"applied-{number}").read_text().splitlines()]
    assert sorted(applied) == sorted(ALL)
    assert recorded(store) == ALL
    assert is_migrated(store)


# --- who may not ---


def test_a_role_that_may_only_use_a_store_sees_its_steps_and_applies_none(newest: Server, folder: Path) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as made, a_role(newest) as role:
        made.initialize(grant_append=[role.name])
        with newer(folder), connect(role.url(schema)) as other:
            assert steps(other) == dict.fromkeys(ALL, False)
            with pytest.raises(DeniedError):
                other.migrate()
            assert steps(other) == dict.fromkeys(ALL, False)


@AS_ROOT
def test_a_store_that_may_only_be_read_shows_its_steps_and_is_not_migrated() -> None:
    with folder_of_user(ANNE, 0o555) as place:
        path = place / "events.db"
        with connect(f"sqlite:{path}") as made:
            made.initialize()
        before = path.read_bytes()
        path.chmod(0o444)

        def work() -> None:
            with connect(f"sqlite:{path}") as other:
                assert steps(other) == dict.fromkeys(ALL, False)
                with pytest.raises(DeniedError):
                    other.migrate()

        with newer(written(place)):
            doing(ANNE, work)
        assert path.read_bytes() == before


# --- PostgreSQL ---


def test_a_step_whose_process_is_killed_while_the_server_works_leaves_nothing(
    newest: Server, folder: Path
) -> None:
    schema = newest.schema()
    store = newest.url(schema)
    with connect(store) as made, newest.connect() as gate:
        made.initialize()
        gate.execute("SELECT pg_advisory_lock(4711)")
        written(folder, readings="CREATE TABLE evstore.half (n integer); SELECT pg_advisory_xact_lock(4711);")
        waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"

        def work() -> None:
            with connect(store) as opened:
                opened.migrate()

        with newer(folder):
            child = start(None, work)
            ((pid,),) = wait_for(lambda: newest.execute(waiting))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            gate.execute("SELECT pg_advisory_unlock(4711)")
            wait_for(lambda: not newest.execute("SELECT FROM pg_stat_activity WHERE pid = %s", pid))
            assert newest.execute(f"SELECT to_regclass('{schema}.half')") == [(None,)]
            assert not any(steps(made).values())
        with newer(written(folder)):
            assert [each.step for each in made.migrate()] == [READINGS, VERSIONS]


@pytest.mark.parametrize(
    "text", ["", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON evstore.events (version);", "SELECT 1;"]
)
def test_outside_a_transaction_nothing_but_an_index_is_made(newest: Server, folder: Path, text: str) -> None:
    written(folder, versions=f"{POSTGRES[VERSIONS]}\n{text}" if text else OUTSIDE)
    with connect(newest.place()) as made:
        made.initialize()
        with newer(folder), pytest.raises(MigrationError, match="it may only build indexes"):
            made.migrate()


def test_behind_a_pooler_steps_are_applied_but_no_index_is_built(newest: Server, folder: Path) -> None:
    schema = newest.schema()
    with connect(newest.url(schema)) as made:
        made.initialize()
    with newer(folder), pgbouncer(newest) as pooler, connect(pooler.url(schema)) as opened:
        with pytest.raises(UnsupportedError, match="step 0003_versions builds an index beside its use"):
            opened.migrate()
        assert steps(opened) == {READINGS: True, VERSIONS: False, FINISH: False}
        with connect(newest.url(schema)) as direct:
            assert [each.step for each in direct.migrate()] == [VERSIONS]
        assert [each.step for each in opened.migrate(finish=True)] == [FINISH]


def test_an_index_that_a_killed_build_left_invalid_is_built_anew(newest: Server, folder: Path) -> None:
    schema = newest.schema()
    store = newest.url(schema)
    building = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%%' AND wait_event_type = 'Lock'"
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{schema}.events_by_version')"
    with connect(store) as made:
        made.initialize()
        made.append("A-1", [EventData("T", 1)])

    def work() -> None:
        with connect(store) as opened:
            opened.migrate()

    with newer(folder):
        with newest.connect() as old:
            old.execute(
                f"BEGIN; LOCK TABLE {schema}.events IN ROW EXCLUSIVE MODE".encode()
            )  # the build waits for its end
            child = start(None, work)
            ((pid,),) = wait_for(lambda: newest.execute(building))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            newest.execute("SELECT pg_terminate_backend(%s)", pid)
            wait_for(lambda: not newest.execute(building))
            assert newest.execute(valid) == [(False,)]
        with connect(store) as opened:
            assert steps(opened) == {READINGS: True, VERSIONS: False, FINISH: False}
            assert [each.step for each in opened.migrate()] == [VERSIONS]
    assert newest.execute(valid) == [(True,)]


def test_a_step_that_waits_for_a_table_lets_others_pass(newest: Server, folder: Path) -> None:
    written(folder, versions="ALTER TABLE evstore.events ADD COLUMN later integer;")
    schema = newest.schema()
    with connect(newest.url(schema)) as made:
        made.initialize()
        made.append("A-1", [EventData("T", 1)])
        with newest.connect() as old, newer(folder):
            old.execute(f"BEGIN; SELECT FROM {schema}.events".encode())

            def work() -> None:
                with connect(newest.url(schema), timeout=30) as opened:
                    opened.migrate()

            child = start(None, work)
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            wait_for(lambda: newest.execute(waiting, f"{schema}.events"))
            wait_for(lambda: not newest.execute(waiting, f"{schema}.events"))  # it has stepped back
            old.execute("COMMIT")
            assert os.waitpid(child, 0)[1] == 0
        with newer(folder):
            assert steps(made) == {READINGS: True, VERSIONS: True, FINISH: False}


def test_another_migration_is_waited_for_no_longer_than_the_timeout(newest: Server, folder: Path) -> None:
    schema = newest.schema()
    with newest.connect() as other, newer(folder), connect(newest.url(schema), timeout=0.2) as opened:
        with newer(folder, OURS):
            opened.initialize()
        other.execute("SELECT pg_advisory_lock(1163285332, hashtext('migrate ' || %s))", [schema])
        with pytest.raises(StoreBusyError):
            opened.migrate()
        other.execute("SELECT pg_advisory_unlock_all()")
        assert opened.migrate()


# --- what is shipped ---


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_the_shipped_steps_are_in_the_package_and_lead_from_schema_to_schema(engine: str) -> None:
    assert os.path.exists(os.path.join(folder_of(engine), "README.md"))
    files = step_files(engine)
    assert [each.schema for each in files if not each.finishes] == [*range(2, SCHEMA + 1)]
    assert SCHEMA == SCHEMA_NUMBER
    begun = {each.step for each in files if not each.finishes}
    assert all(each.step.removesuffix(".finish") in begun for each in files)
