"""A step on PostgreSQL is one durable transaction, whatever the role's defaults are and whatever its handler does."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from evstore.adapters.postgres import connect
from evstore.adapters.postgres.batches import MOST_CHARACTERS, MOST_EVENTS
from evstore.appending.preparing import unit_of
from evstore.errors import (
    ConcurrencyError,
    DeniedError,
    EvstoreError,
    IncompleteLogError,
    LogDivergedError,
    UnavailableError,
    UnsupportedError,
)
from evstore.model.consumers import WHOLE, Parked
from evstore.model.events import EventData
from evstore.model.filters import Filter
from evstore.port import AlreadyStored, Initialization, Page, Receipt
from tests.support.consuming import EVENTS, NAME, a_unit, consuming, expire, move, position
from tests.support.postgres_roles import a_role
from tests.support.postgres_sessions import locked, writing
from tests.support.proxies import Proxy, before_answer, before_call
from tests.support.role_defaults import ODD
from tests.support.sentences import names
from tests.support.servers import another, pgbouncer, replica
from tests.support.unflushed_appends import crashing
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.port import Consumers, Hold
    from tests.support.servers import Server

ALL = Filter()
AN_ID = "00000000-0000-7000-8000-000000000001"
LARGE = {
    "many": [EventData("Sent", n) for n in range(2 * MOST_EVENTS + 1)],
    "long": [EventData("Sent", "x" * (MOST_CHARACTERS // 2)) for _ in range(3)],
}


@pytest.fixture
def schema(newest: Server) -> str:
    schema = newest.schema()
    newest.execute(f"CREATE SCHEMA {schema}_app")
    newest.execute(f"CREATE TABLE {schema}_app.sums (n integer PRIMARY KEY)")
    return schema


@pytest.fixture
def sums(newest: Server, schema: str) -> Iterator[str]:
    """A table of the application."""
    yield f"{schema}_app.sums"
    newest.execute(f"DROP SCHEMA {schema}_app CASCADE")


def everything(server: Server, schema: str, table: str) -> list[Any]:
    """The rows that a step may change."""
    asked = "SELECT json_agg(t ORDER BY t::text)::text FROM (TABLE {}) AS t"
    tables = (table, *(f"{schema}.{name}" for name in ("consumers", "checkpoints", "parked", "events", "staged")))
    return [server.execute(asked.format(name)) for name in tables]


def changes(consumers: Consumers, hold: Hold) -> list[Callable[[], object]]:
    """All that changes a consumer."""
    return [
        lambda: consumers.add("another", "{}", 0),
        lambda: consumers.hold(NAME, [WHOLE]),
        lambda: move(consumers, hold, 3),
        lambda: consumers.mark(NAME, AN_ID, "drop"),
    ]


@pytest.mark.parametrize("settings", ODD.values(), ids=ODD)
def test_the_defaults_of_a_role_change_nothing(newest: Server, settings: dict[str, object]) -> None:
    with (
        a_role(newest, "SUPERUSER", **settings) as role,
        consuming(role.url(newest.schema())) as (adapter, consumers),
    ):
        hold = consumers.hold(NAME, [WHOLE])
        parked = Parked("Order-1", 2, adapter.read_all(Page(1, 1), ALL)[0].id, "no", 7)
        with consumers.step(hold) as step:
            assert isinstance(step.append(a_unit()), Receipt)
            ((isolation,),) = step.connection.execute("SHOW transaction_isolation").fetchall()
            assert isolation == "read committed"
            assert isinstance(step.append(unit_of([("Mail-2", LARGE["many"], 0)])), Receipt)
            assert isinstance(step.append(unit_of([("Mail-2", [EventData("Sent", 0)], 1)])), ConcurrencyError)
            step.park(parked)
            step.move({WHOLE: 2})
        assert consumers.parked(NAME) == [parked]
        assert consumers.mark(NAME, parked.event_id, "drop")
        with consumers.step(hold) as step:
            step.divide()
        assert len(hold.extend(range(64))) == 63
        with consumers.step(hold) as step:
            step.unpark("Order-1")
            step.refilter('{"types":["Sent"]}')
            step.move({7: 3})
        found = consumers.find(NAME)
        assert found is not None
        assert [each.global_position for each in found.checkpoints] == [*[2] * 7, 3, *[2] * 56]
        with consumers.step(hold) as step:
            step.reset(1)
        assert position(consumers) == 1
        with consumers.step(hold) as step:
            step.remove()
        hold.release()
        assert adapter.head(0, 0) == EVENTS + 1 + len(LARGE["many"])
        assert consumers.find(NAME) is None


@pytest.mark.parametrize("commit", ["off", "local"])
def test_a_step_is_on_disk_when_it_is_acknowledged_whatever_the_role_waits_for(
    newest: Server, commit: str
) -> None:
    with another(newest) as own:
        schema = own.schema()
        url = own.url(schema, options=f"-c synchronous_commit={commit}")
        with consuming(url) as (_, consumers):
            hold = consumers.hold(NAME, [WHOLE])
            with crashing(own):
                with consumers.step(hold) as step:
                    step.append(a_unit())
                    step.connection.execute("CREATE TABLE public.made (n integer)")
                    step.connection.execute("SET synchronous_commit = off")
                    step.move({WHOLE: 2})
            assert position(consumers) == 2
        assert own.execute("SELECT to_regclass('public.made')::text") == [("made",)]
        with consuming(own.url(schema)) as (adapter, consumers):
            assert (position(consumers), adapter.head(0, 0)) == (2, EVENTS + 1)


def test_a_handler_has_the_settings_of_its_role_and_evstore_its_own(
    newest: Server, schema: str, sums: str
) -> None:
    app = sums.partition(".")[0]
    with (
        a_role(newest, "SUPERUSER", search_path=app, row_security="on") as role,
        consuming(role.url(schema), pool_size=1) as (adapter, consumers),
    ):
        newest.execute(f"CREATE TABLE {app}.checkpoints AS SELECT 'not evstore''s' AS text")
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            shown = "SELECT current_setting('search_path'), current_setting('row_security')"
            step.move({WHOLE: 1})
            connection = step.connection
            before = connection.execute(shown).fetchone()
            connection.execute("INSERT INTO sums VALUES (1)")
            connection.execute("SET LOCAL search_path = elsewhere")
            connection.execute("SET LOCAL timezone = 'Asia/Kathmandu'")
            connection.execute("SET LOCAL datestyle = 'German, DMY'")
            connection.execute("SET LOCAL extra_float_digits = -15")
            step.move({WHOLE: 2})
            step.append(a_unit())
            after = connection.execute(shown).fetchone()
            a_uuid = connection.execute("SELECT gen_random_uuid(), '[1]'::json").fetchone()
        assert before == (app, "on")
        assert after == ("elsewhere", "on")
        assert a_uuid is not None
        assert (type(a_uuid[0]).__name__, a_uuid[1]) == ("UUID", [1])
        assert newest.execute(f"SELECT n FROM {sums}") == [(1,)]
        assert (position(consumers), adapter.head(0, 0)) == (2, EVENTS + 1)


def test_whatever_a_handler_sets_for_the_session_ends_with_the_step(
    newest: Server, schema: str, sums: str
) -> None:
    with consuming(newest.url(schema), pool_size=1) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            connection = step.connection
            connection.row_factory = dict_row
            for setting in (
                "search_path = nowhere",
                "row_security = on",
                "lock_timeout = 1",
                "role = 'pg_monitor'",
            ):
                connection.execute(f"SET {setting}".encode())
            connection.execute("RESET ROLE")
            step.move({WHOLE: 1})
        settings = "SELECT current_setting('search_path'), current_setting('row_security'), current_setting('lock_timeout')"
        assert connection.execute(settings).fetchone() == ("pg_catalog, pg_temp", "off", "30s")
        assert [event.global_position for event in adapter.read_all(Page(9), ALL)] == [*range(1, EVENTS + 1)]
        move(consumers, hold, 2)
        assert position(consumers) == 2


@pytest.mark.parametrize("words", ["COMMIT", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK; BEGIN", "COMMIT AND CHAIN"])
@pytest.mark.parametrize("moves", [True, False])
def test_a_handler_that_ends_the_transaction_is_told_so_and_the_checkpoint_stays(
    newest: Server, schema: str, sums: str, words: str, moves: bool
) -> None:
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        with pytest.raises(UnsupportedError) as raised, consumers.step(hold) as step:
            step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
            step.connection.execute(words.encode())
            step.connection.execute("SELECT 1")
            if moves:
                step.move({WHOLE: 1})
        assert names(raised.value, NAME, "ended the transaction")
        assert position(consumers) == 0
        assert newest.execute(f"SELECT n FROM {sums}") == ([(1,)] if words.startswith("COMMIT") else [])
        move(consumers, hold, 2)


def test_a_handler_cannot_commit_or_close_by_the_driver_either(newest: Server, schema: str, sums: str) -> None:
    before: Any = None
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(psycopg.ProgrammingError), consumers.step(hold) as step:
            step.move({WHOLE: 1})
            step.connection.commit()
        with pytest.raises(UnsupportedError), consumers.step(hold) as step:
            step.move({WHOLE: 1})
            step.connection.close()
        assert everything(newest, schema, sums) == before
        move(consumers, hold, 1)


def test_a_handler_that_goes_on_after_a_failed_statement_is_told_so(
    newest: Server, schema: str, sums: str
) -> None:
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(UnsupportedError) as raised, consumers.step(hold) as step:
            step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
            with pytest.raises(psycopg.errors.DivisionByZero):
                step.connection.execute("SELECT 1 / 0")
            step.move({WHOLE: 1})
        assert names(raised.value, NAME, "transaction()")
        assert everything(newest, schema, sums) == before
        with consumers.step(hold) as step:
            with pytest.raises(psycopg.errors.DivisionByZero), step.connection.transaction():
                step.connection.execute("SELECT 1 / 0")
            step.move({WHOLE: 1})
        assert position(consumers) == 1


def test_the_error_of_a_handler_comes_out_as_the_driver_raised_it(newest: Server, schema: str, sums: str) -> None:
    newest.execute(f"ALTER TABLE {sums} ADD FOREIGN KEY (n) REFERENCES {sums} DEFERRABLE INITIALLY DEFERRED")
    newest.execute(f"CREATE TABLE {sums}_of (n integer REFERENCES {sums} DEFERRABLE INITIALLY DEFERRED)")
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(psycopg.errors.DivisionByZero), consumers.step(hold) as step:
            step.move({WHOLE: 1})
            step.connection.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.ForeignKeyViolation), consumers.step(hold) as step:
            step.connection.execute(f"INSERT INTO {sums}_of VALUES (3)".encode())  # refused at the commit
            step.move({WHOLE: 1})
        assert everything(newest, schema, sums) == before
        move(consumers, hold, 1)


@pytest.mark.parametrize("swallows", [True, False])
def test_a_step_whose_session_is_ended_leaves_nothing_and_can_be_tried_again(
    newest: Server, schema: str, sums: str, swallows: bool
) -> None:
    with consuming(newest.url(schema)) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(UnavailableError) as raised, consumers.step(hold) as step:
            step.append(a_unit())
            step.move({WHOLE: 1})
            step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
            try:
                step.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            except psycopg.Error:
                if not swallows:
                    raise KeyError from None
        assert raised.value.retryable
        assert everything(newest, schema, sums) == before
        with consumers.step(hold) as step:
            step.append(a_unit())
            step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
            step.move({WHOLE: 1})
        assert (position(consumers), adapter.head(0, 0)) == (1, EVENTS + 1)


def test_a_step_whose_answer_was_lost_is_found_again(newest: Server, schema: str, sums: str) -> None:
    cuts = threading.Event()
    rule = before_answer("COMMIT\0")
    with (
        Proxy(newest, lambda message: cuts.is_set() and rule(message)) as proxy,
        consuming(proxy.url(schema)) as (_, consumers),
    ):
        hold = consumers.hold(NAME, [WHOLE])
        with pytest.raises(UnavailableError) as raised, consumers.step(hold) as step:
            step.move({WHOLE: 2})
            cuts.set()
        assert raised.value.retryable
        assert (proxy.cuts, position(consumers)) == (1, 2)


@pytest.mark.parametrize("lost", ["BEGIN", "FROM", "FOR SHARE", "COMMIT\0"])
def test_a_step_that_never_came_to_its_end_is_not_stored(
    newest: Server, schema: str, sums: str, lost: str
) -> None:
    """A connection that is lost before anything was done is another connection's beginning."""
    cuts = threading.Event()
    with (
        Proxy(newest, lambda message: cuts.is_set() and before_call(lost)(message)) as proxy,
        consuming(proxy.url(schema)) as (_, consumers),
    ):
        hold = consumers.hold(NAME, [WHOLE])
        cuts.set()
        if lost in ("BEGIN", "FROM"):
            move(consumers, hold, 2)
        else:
            with pytest.raises(UnavailableError):
                move(consumers, hold, 2)
            assert position(consumers) == 0
            move(consumers, hold, 2)
        assert (proxy.cuts, position(consumers)) == (1, 2)


@pytest.mark.parametrize("events", LARGE.values(), ids=LARGE)
def test_a_large_unit_is_stored_with_the_step_or_not_at_all(
    newest: Server, schema: str, sums: str, events: list[EventData]
) -> None:
    unit = unit_of([("Mail-1", events, 0)])
    with consuming(newest.url(schema)) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(KeyError), consumers.step(hold) as step:
            assert isinstance(step.append(unit), Receipt)
            raise KeyError
        assert everything(newest, schema, sums) == before
        with consumers.step(hold) as step:
            receipt = step.append(unit)
            again = step.append(unit)
            refused = step.append(unit_of([("Mail-1", [EventData("Sent", e.data) for e in events], 0)]))
            assert adapter.head(0, 0) == EVENTS
            step.move({WHOLE: 1})
        assert isinstance(receipt, Receipt)
        assert isinstance(again, AlreadyStored)
        assert isinstance(refused, ConcurrencyError)
        assert (receipt.first_position, receipt.size) == (EVENTS + 1, len(events))
        assert adapter.head(0, 0) == EVENTS + len(events)
        assert newest.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_read_within_a_step_sees_what_is_committed(
    newest: Server, schema: str, sums: str, pool_size: int
) -> None:
    with consuming(newest.url(schema), pool_size=pool_size) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        for n in range(3):
            with consumers.step(hold) as step:
                step.append(a_unit())
                step.move({WHOLE: n + 1})
                assert adapter.head(0, 0) == EVENTS + n
                assert position(consumers) == n
                assert consumers.holders(NAME)
        assert (adapter.head(0, 0), position(consumers)) == (EVENTS + 3, 3)


def test_a_step_that_waits_for_a_writer_ends_when_its_time_is_over(newest: Server, schema: str, sums: str) -> None:
    with consuming(newest.url(schema), timeout=0.2) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        with writing(newest, schema), pytest.raises(UnavailableError) as raised, consumers.step(hold) as step:
            step.move({WHOLE: 1})
            step.append(a_unit())
        assert raised.value.retryable
        with locked(newest, f"{schema}.checkpoints"), pytest.raises(UnavailableError):
            move(consumers, hold, 1)
        move(consumers, hold, 1)


@pytest.mark.parametrize("asks", [True, False])
def test_a_handler_that_takes_longer_than_its_role_may_is_told_which_limit_it_met(
    newest: Server, schema: str, sums: str, asks: bool
) -> None:
    """And is not called again and again, as after a connection that was lost."""
    limited = newest.url(schema, options="-c idle_in_transaction_session_timeout=300")
    with consuming(limited) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        before = everything(newest, schema, sums)
        with pytest.raises(UnsupportedError) as raised, consumers.step(hold) as step:
            step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
            session = step.connection.info.backend_pid
            wait_for(lambda: not newest.execute("SELECT pid FROM pg_stat_activity WHERE pid = %s", session))
            if asks:
                step.connection.execute("SELECT 1")
            step.move({WHOLE: 1})
        assert not raised.value.retryable
        assert names(raised.value, NAME, "idle_in_transaction_session_timeout")
        assert everything(newest, schema, sums) == before
        move(consumers, hold, 1)


def test_a_follower_is_woken_by_what_a_step_appends(newest: Server, schema: str, sums: str) -> None:
    with newest.connect() as listener, consuming(newest.url(schema)) as (_, consumers):
        listener.execute("LISTEN evstore")
        hold = consumers.hold(NAME, [WHOLE])
        move(consumers, hold, 1)
        for _ in listener.notifies(timeout=0.1):
            continue
        with consumers.step(hold) as step:
            step.append(a_unit())
        assert [each.payload for each in listener.notifies(timeout=20, stop_after=1)] == [schema]


# --- behind a pooler, on a standby, with few rights ---


def test_behind_a_pooler_everything_of_a_step_happens_in_one_session(
    newest: Server, schema: str, sums: str
) -> None:
    with pgbouncer(newest, default_pool_size=3) as pooler:
        with consuming(pooler.url(schema), pool_size=4) as (adapter, consumers):
            others = [pooler.connect() for _ in range(2)]
            hold = consumers.hold(NAME, [WHOLE])
            for n in range(1, 4):
                with consumers.step(hold) as step:
                    sessions = {step.connection.execute("SELECT pg_backend_pid()").fetchone()}
                    step.append(a_unit())
                    step.append(unit_of([(f"Mail-{n}", LARGE["many"], -1)]))
                    step.connection.execute(f"INSERT INTO {sums} VALUES ({n})".encode())
                    for other in others:
                        other.execute("SELECT 1")
                    step.move({WHOLE: n})
                    sessions.add(step.connection.execute("SELECT pg_backend_pid()").fetchone())
                assert len(sessions) == 1
            expire(newest, schema)
            with pytest.raises(UnsupportedError), consumers.step(hold) as step:
                step.connection.execute("COMMIT")
                step.move({WHOLE: 4})
            for other in others:
                other.close()
            assert (position(consumers), len(newest.execute(f"SELECT n FROM {sums}"))) == (3, 3)
            assert adapter.head(0, 0) == EVENTS + 3 * (1 + len(LARGE["many"]))
            hold.release()
            assert consumers.holders(NAME) == {}
        with pooler.connect() as session:
            changed = """SELECT name FROM pg_settings
            WHERE source = 'session' AND setting <> reset_val AND name <> 'application_name'"""
            assert session.execute(changed).fetchall() == []
            assert session.execute("SELECT name FROM pg_prepared_statements").fetchall() == []


def test_a_standby_shows_consumers_and_lets_nobody_work_for_them(newest: Server) -> None:
    with another(newest) as own, replica(own) as standby:
        schema = own.schema()
        with consuming(own.url(schema)) as (_, consumers):
            hold = consumers.hold(NAME, [WHOLE])
            move(consumers, hold, 2)
            standby.caught_up()
            wait_for(lambda: standby.execute("SELECT to_regclass(%s)::text", f"{schema}.holds") != [(None,)])
            with closing(connect(standby.url(schema))) as reader:
                there = reader.consumers()
                assert position(there) == 2
                assert there.add(NAME, "{}", 0) == consumers.find(NAME)
                assert {*there.holders(NAME)} == {WHOLE}
                assert there.parked(NAME) == []
                for change in changes(there, hold):
                    with pytest.raises(DeniedError) as raised:
                        change()
                    assert names(raised.value, "read replica")


def test_who_may_only_read_sees_consumers_and_is_denied_the_rest(newest: Server, schema: str, sums: str) -> None:
    with consuming(newest.url(schema)) as (adapter, consumers), a_role(newest) as role:
        adapter.initialize(Initialization(grant_read=[role.name]))
        hold = consumers.hold(NAME, [WHOLE])
        move(consumers, hold, 2)
        before = everything(newest, schema, sums)
        with closing(connect(role.url(schema))) as reader:
            there = reader.consumers()
            assert position(there) == 2
            assert there.add(NAME, "{}", 0) == consumers.find(NAME)
            assert {*there.holders(NAME)} == {WHOLE}
            for change in changes(there, hold):
                with pytest.raises(DeniedError) as raised:
                    change()
                assert names(raised.value, "permission denied")
        assert everything(newest, schema, sums) == before


def test_who_may_append_may_consume(newest: Server, schema: str, sums: str) -> None:
    with consuming(newest.url(schema)) as (adapter, _), a_role(newest) as role:
        adapter.initialize(Initialization(grant_append=[role.name]))
        newest.execute(f"GRANT USAGE ON SCHEMA {schema}_app TO {role.name}")
        newest.execute(f"GRANT INSERT ON {sums} TO {role.name}")
        with closing(connect(role.url(schema))) as appender:
            consumers = appender.consumers()
            consumers.add("another", "{}", 1)
            hold = consumers.hold("another", [WHOLE])
            event = appender.read_all(Page(1, 1), ALL)[0]
            with consumers.step(hold) as step:
                step.append(a_unit())
                step.append(unit_of([("Mail-2", LARGE["many"], 0)]))
                step.connection.execute(f"INSERT INTO {sums} VALUES (1)".encode())
                step.park(Parked("Order-1", 2, event.id, "no", 7))
                step.move({WHOLE: 3})
            assert consumers.mark("another", event.id, "retry")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), consumers.step(hold) as step:
                step.move({WHOLE: 4})
                step.connection.execute(f"SELECT * FROM {sums}".encode())  # with the rights of the role
            with consumers.step(hold) as step:
                step.divide()
                step.unpark("Order-1")
                step.refilter("{}")
                step.reset(2)
            with consumers.step(hold) as step:
                step.remove()
            hold.release()
            assert consumers.find("another") is None


def test_policies_that_hide_rows_of_consumers_are_refused(newest: Server, schema: str, sums: str) -> None:
    with consuming(newest.url(schema)) as (adapter, _), a_role(newest) as role:
        adapter.initialize(Initialization(grant_append=[role.name]))
        with closing(connect(role.url(schema))) as appender:
            consumers = appender.consumers()
            hold = consumers.hold(NAME, [WHOLE])
            newest.execute(f"ALTER TABLE {schema}.checkpoints ENABLE ROW LEVEL SECURITY")
            for ask in (lambda: consumers.find(NAME), lambda: move(consumers, hold, 1)):
                with pytest.raises(DeniedError) as raised:
                    ask()
                assert names(raised.value, "row level security")
            with pytest.raises(DeniedError), consumers.step(hold) as step:
                step.connection.execute("SET row_security = on")
                step.move({WHOLE: 1})
            newest.execute(f"ALTER TABLE {schema}.checkpoints DISABLE ROW LEVEL SECURITY")
            assert position(consumers) == 0
            move(consumers, hold, 1)


# --- where rows are missing, or the schema was renamed ---


@pytest.mark.parametrize(
    ("table", "missing"), [("checkpoints", "checkpoint"), ("events", "event"), ("streams", "name of the stream")]
)
def test_a_copy_that_is_not_complete_yet_shows_no_consumer_without_its_rows(
    newest: Server, schema: str, sums: str, table: str, missing: str
) -> None:
    with consuming(newest.url(schema)) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        event = adapter.read_all(Page(1, 1), ALL)[0]
        with consumers.step(hold) as step:
            step.park(Parked(event.stream_id, event.global_position, event.id, "no", 7))
            step.move({WHOLE: 2})
        if table != "checkpoints":
            newest.execute(f"ALTER TABLE {schema}.{table} DISABLE TRIGGER ALL")
        newest.execute(f"DELETE FROM {schema}.{table}")
        with pytest.raises(IncompleteLogError) as raised:
            consumers.find(NAME) if table == "checkpoints" else consumers.parked(NAME)
        assert missing in raised.value.missing


def test_where_the_log_lost_the_event_of_a_checkpoint_a_step_is_refused(
    newest: Server, schema: str, sums: str
) -> None:
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        move(consumers, hold, 2)
        newest.execute(f"ALTER TABLE {schema}.events DISABLE TRIGGER ALL")
        newest.execute(f"DELETE FROM {schema}.events WHERE global_position > 1")
        for to in (2, 1):
            with pytest.raises(LogDivergedError) as raised:
                move(consumers, hold, to)
            assert (raised.value.position, raised.value.head) == (2, 1)
        newest.execute(f"UPDATE {schema}.events SET global_position = 2, id = gen_random_uuid()")
        with pytest.raises(LogDivergedError) as raised:
            move(consumers, hold, 2)
        assert (raised.value.position, raised.value.head) == (2, 2)
        assert position(consumers) == 2


def test_in_a_renamed_schema_consumers_are_seen_and_do_not_work(newest: Server, schema: str, sums: str) -> None:
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        move(consumers, hold, 2)
        renamed = newest.schema()
        newest.execute(f"ALTER SCHEMA {schema} RENAME TO {renamed}")
        with closing(connect(newest.url(renamed))) as moved:
            there = moved.consumers()
            assert position(there) == 2
            for change in changes(there, hold):
                with pytest.raises(EvstoreError) as raised:
                    change()
                assert names(raised.value, schema)
        newest.execute(f"ALTER SCHEMA {renamed} RENAME TO {schema}")
