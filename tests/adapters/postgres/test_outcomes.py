"""Connections that end at the worst moment: an append is made once, or nobody is told that it was."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from evstore import (
    STREAM_EXISTS,
    AppendOutcomeUnknownError,
    ConcurrencyError,
    EventData,
    EvstoreError,
    PositionConflictError,
    StoreBusyError,
    StoreClosedError,
    UnavailableError,
    connect,
)
from evstore.adapters.postgres.batches import MOST_EVENTS
from evstore.adapters.postgres.errors import Meaning
from evstore.adapters.postgres.outcomes import Failed, tried
from evstore.cli.output.receipts import ReceiptFacts
from evstore.port import Receipt
from tests.support.changed_procedures import Gate, with_a_gate
from tests.support.postgres_roles import WRITER, a_role, grant, revoke
from tests.support.postgres_sessions import waiting, writing
from tests.support.proxies import CLIENT, SERVER, Proxy, before_answer, before_call, while_copying
from tests.support.sentences import names
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    from psycopg import Connection

    from tests.support.proxies import Message, Rule
    from tests.support.servers import Server

pytestmark = pytest.mark.long("connections are lost, and tried again after pauses")

SMALL = 3
LARGE = MOST_EVENTS * 2 + 1
"""Events that do not go in one call, and are staged."""

CUTS: dict[str, tuple[int, Rule]] = {
    "before the call": (SMALL, before_call("append_v1")),
    "before the answer": (SMALL, before_answer("append_v1")),
    "before the copy": (LARGE, before_call("COPY")),
    "while copying": (LARGE, while_copying),
    "before the copy is answered": (LARGE, before_answer("COPY")),
    "before the call of what was staged": (LARGE, before_call("append_staged_v1")),
    "before the answer to what was staged": (LARGE, before_answer("append_staged_v1")),
    "before the sweep": (LARGE, before_call("sweep_staged_v1")),
    "before the hint": (SMALL, before_call("pg_notify")),
}


@pytest.fixture
def schema(newest: Server) -> Iterator[str]:
    with newest.emptied.lent() as schema:
        with connect(newest.url(schema)) as store:
            store.append("Order-1", [EventData("Placed", 0)])
        yield schema


def some(count: int) -> list[EventData]:
    return [EventData("Placed", n, id=str(uuid4())) for n in range(1, count + 1)]


def stored(server: Server, schema: str) -> list[int]:
    """What a reader behind no proxy sees."""
    with connect(server.url(schema)) as store:
        events = [*store.read("Order-1")]
        assert [event.version for event in events] == [*range(1, len(events) + 1)]
        assert [*store.replay()] == events
        return [event.data for event in events]


@pytest.mark.parametrize(
    ("name", "pool_size"), [*((name, 1) for name in CUTS), ("before the answer", 2), ("while copying", 2)]
)
def test_an_append_that_is_cut_off_is_made_once_by_itself(
    newest: Server, schema: str, name: str, pool_size: int
) -> None:
    count, rule = CUTS[name]
    events = some(count)
    with Proxy(newest, rule) as proxy, connect(proxy.url(schema), pool_size=pool_size) as store:
        appended = store.append("Order-1", events, expected_version=1)
        assert [each.id for each in appended] == [each.id for each in events]
        assert [each.version for each in appended] == [*range(2, count + 2)]
    assert proxy.cuts == 1
    assert stored(newest, schema) == [*range(count + 1)]
    left = LARGE if name == "before the sweep" else 0  # for whoever appends next
    assert newest.execute(f"SELECT count(*) FROM {schema}.staged") == [(left,)]


@pytest.mark.parametrize("name", [name for name in CUTS if name != "before the hint"])
def test_an_append_that_is_cut_off_takes_its_source_once(newest: Server, schema: str, name: str) -> None:
    count, rule = CUTS[name]
    events = [EventData("Placed", n) for n in range(1, count + 1)]
    with Proxy(newest, rule) as proxy, connect(proxy.url(schema)) as store:
        appended = store.append("Order-1", events, source=("orders.csv", count))
        assert (len(appended), appended.duplicate) == (count, False)
        again = store.append("Order-1", events, source=("orders.csv", count))
        assert (len(again), again.duplicate) == (0, True)
        assert store.source_position("orders.csv") == count
    assert proxy.cuts == 1
    assert stored(newest, schema) == [*range(count + 1)]


@pytest.mark.parametrize("name", ["before the copy", "while copying", "before the copy is answered"])
def test_an_append_that_is_cut_off_before_its_call_each_time_is_not_stored_and_leaves_no_doubt(
    newest: Server, schema: str, name: str
) -> None:
    count, rule = CUTS[name]
    with Proxy(newest, rule, cuts=1000) as proxy, connect(proxy.url(schema)) as store:
        with pytest.raises(UnavailableError) as caught:
            store.append("Order-1", some(count))
        assert stored(newest, schema) == [0]
        store.append("Order-1", some(1))  # sweeps what a COPY left that was not answered
    assert proxy.cuts > 1
    assert not isinstance(caught.value, AppendOutcomeUnknownError)
    assert stored(newest, schema) == [0, 1]
    assert newest.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


@pytest.mark.parametrize("count", [SMALL, LARGE], ids=["small", "staged"])
def test_only_an_append_whose_ids_can_be_those_of_an_earlier_one_is_called_a_duplicate_after_a_cut(
    newest: Server, schema: str, count: int
) -> None:
    """Ids that evstore makes are known to nobody else: what is stored under them, this append has stored."""
    lost = before_answer("append_v1" if count == SMALL else "append_staged_v1")
    events = [EventData("Placed", n) for n in range(1, count + 1)]
    with Proxy(newest, lost) as proxy, connect(proxy.url(schema)) as store:
        appended = store.append_many([("Order-1", events[:-1], 1), ("Order-2", events[-1:], 0)])
        assert appended == [*store.replay(after=1)]
        assert not appended.duplicate
    assert proxy.cuts == 1
    for last in ({"id": str(uuid4())}, {}):
        given = [*some(2), EventData("Placed", 0, **last)]
        with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
            assert store.append("Order-3", given).duplicate == bool(last)
        assert proxy.cuts == 1
    with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
        assert store.append("Order-4", events[:2], key="once").duplicate
        assert proxy.cuts == 1


def connecting(message: Message) -> bool:
    return message.sender == CLIENT and not message.kind


@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_read_that_is_cut_off_is_made_again_as_soon_as_there_is_a_connection(
    newest: Server, schema: str, pool_size: int
) -> None:
    """As over a restart of the server: where one connection was, there will be another."""
    away = False

    def rule(message: Message) -> bool:
        return away and (before_call("SELECT")(message) or connecting(message))

    with Proxy(newest, rule, cuts=3) as proxy, connect(proxy.url(schema), pool_size=pool_size) as store:
        assert [event.version for event in store.read("Order-1")] == [1]
        away = True
        assert [event.version for event in store.read("Order-1")] == [1]
    assert proxy.cuts == 3


def test_a_first_connection_that_is_refused_is_told_at_once(newest: Server, schema: str) -> None:
    with Proxy(newest, connecting) as proxy, connect(proxy.url(schema)) as store:
        with pytest.raises(UnavailableError):
            store.head()
        assert proxy.connections == 1
        assert store.head() == 1


@pytest.mark.parametrize("which", [1, 2])
def test_a_connection_that_is_lost_over_its_password_is_not_called_denied(
    newest: Server, schema: str, which: int
) -> None:
    """Else a follower whose network fails at that moment ends, instead of trying again."""
    passwords = 0

    def rule(message: Message) -> bool:
        nonlocal passwords
        passwords += message.sender == CLIENT and message.kind == b"p"
        return passwords == which

    with Proxy(newest, rule) as proxy, connect(proxy.url(schema), pool_size=1) as store:
        with pytest.raises(UnavailableError) as caught:
            store.head()
        assert caught.value.retryable
        assert store.head() == 1
    assert proxy.cuts == 1


def test_a_unit_that_is_submitted_again_is_a_duplicate_though_an_answer_to_it_was_lost_before(
    newest: Server, schema: str
) -> None:
    with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
        units = [store.appender.unit([("Order-1", [EventData("Placed", n)], -1)]) for n in range(1, SMALL + 1)]
        assert [each.by_earlier_append for each in store.appender.submit(units)] == [False] * SMALL
        assert [each.by_earlier_append for each in store.appender.submit(units)] == [True] * SMALL
        assert [each.by_earlier_append for each in store.appender.submit_in_order(units)] == [True] * SMALL
    assert proxy.cuts == 1
    assert stored(newest, schema) == [0, 1, 2, 3]


REFUSED = {
    "behind": ("Order-1", 0, None, ConcurrencyError),
    "behind in the log": ("Order-1", -1, 1, PositionConflictError),
    "ahead": ("Order-1", 7, None, AppendOutcomeUnknownError),
    "not there yet": ("Order-9", STREAM_EXISTS, None, AppendOutcomeUnknownError),
    "ahead in the log": ("Order-1", -1, 7, AppendOutcomeUnknownError),
}


@pytest.mark.parametrize("cut", [before_call("append_v1"), before_answer("append_v1")], ids=["call", "answer"])
@pytest.mark.parametrize(("stream_id", "expected", "position", "error"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_after_a_cut_is_final_unless_what_was_cut_off_could_pass_later(
    newest: Server,
    schema: str,
    cut: Rule,
    stream_id: str,
    expected: int,
    position: int | None,
    error: type[EvstoreError],
) -> None:
    """Whoever loses a connection cannot know whether the server has done what it was asked, does it, or will do it
    when a stopped process or a pooler goes on. A stream never shrinks, but it may still grow to what is expected."""
    with Proxy(newest, cut) as proxy, connect(proxy.url(schema)) as store:
        events = some(2)
        unit = store.appender.unit([(stream_id, events, expected)])._replace(first_position=position)
        refused, other = store.appender.submit([unit, store.appender.unit([("Order-1", some(1), 1)])])
        assert type(refused) is error
        if isinstance(refused, AppendOutcomeUnknownError):
            assert [*refused.ids] == [event.id for event in events]
        assert other.first_versions == [2] if isinstance(other, Receipt) else other.first.version == 2
    assert proxy.cuts == 1
    assert stored(newest, schema) == [0, 1]


def test_appends_in_turn_are_all_in_doubt_where_the_first_was_cut_off_and_could_pass_later(
    newest: Server, schema: str
) -> None:
    for expected, doubted in (([7, 8], 2), ([1, 7], 0)):
        with Proxy(newest, before_call("append_v1")) as proxy, connect(proxy.url(schema)) as store:
            events = some(2)
            units = [store.appender.unit([("Order-1", [e], n)]) for e, n in zip(events, expected, strict=True)]
            with pytest.raises((AppendOutcomeUnknownError, ConcurrencyError)) as caught:
                list(store.appender.submit_in_order(units))
            assert list(getattr(caught.value, "ids", [])) == [event.id for event in events[:doubted]]
    assert stored(newest, schema) == [0, 1]


def test_each_append_of_a_batch_that_is_cut_off_is_made_once_and_judged_alone(newest: Server, schema: str) -> None:
    with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
        first, second = some(2)
        units = [
            store.appender.unit([("Order-1", [first], 1)]),
            store.appender.unit([("Order-1", some(1), 1)]),
            store.appender.unit([("Order-1", [second], 2)]),
        ]
        one, two, three = store.appender.submit(units)
        assert isinstance(two, ConcurrencyError)
        assert [
            [each.version for each in store.appender.stored_of(units[n], of)] for n, of in ((0, one), (2, three))
        ] == [
            [2],
            [3],
        ]
    assert proxy.cuts == 1
    assert stored(newest, schema) == [0, 1, 2]


def test_appends_in_turn_that_are_cut_off_are_all_made_once(newest: Server, schema: str) -> None:
    events = some(MOST_EVENTS + 500)
    with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
        units = [store.appender.unit([("Order-1", [event], -1)]) for event in events]
        assert len([*store.appender.submit_in_order(units)]) == len(events)
    assert stored(newest, schema) == [*range(len(events) + 1)]
    events = [EventData("Placed", each.data) for each in events]
    with Proxy(newest, before_answer("append_v1")) as proxy, connect(proxy.url(schema)) as store:
        units = [store.appender.unit([("Order-2", [event], -1)]) for event in events]
        told = [*store.appender.submit_in_order(units)]
    assert proxy.cuts == 1
    assert [ReceiptFacts.of(each)[1:-1] for each in told] == [
        (n, n, n + len(events) + 1, n + len(events) + 1, False) for n in range(1, len(events) + 1)
    ]


def test_what_was_staged_and_is_gone_before_the_call_is_staged_again(newest: Server, schema: str) -> None:
    taken = []

    def take_it_away(message: Message) -> bool:
        if not taken and before_call("append_staged_v1")(message):
            taken.extend(newest.execute(f"DELETE FROM {schema}.staged RETURNING number"))
        return False

    with Proxy(newest, take_it_away) as proxy, connect(proxy.url(schema)) as store:
        store.append("Order-1", some(LARGE))
    assert len(taken) == LARGE
    assert stored(newest, schema) == [*range(LARGE + 1)]
    assert newest.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


def test_what_a_cut_left_staged_is_swept_with_the_next_append(newest: Server, schema: str) -> None:
    with Proxy(newest, before_call("sweep_staged_v1")) as proxy, connect(proxy.url(schema)) as store:
        store.append("Order-1", some(LARGE))
        store.append("Order-1", some(1))
    assert newest.execute(f"SELECT count(*) FROM {schema}.staged") == [(0,)]


def test_what_a_lost_call_still_reads_is_not_swept(server: Server) -> None:
    schema = server.schema()
    with connect(server.url(schema, application_name=schema), pool_size=1) as store, ExitStack() as meanwhile:
        store.initialize()
        threads = meanwhile.enter_context(ThreadPoolExecutor())
        sweep = (
            f"SELECT append_id, {schema}.sweep_staged_v1(append_id) FROM (SELECT DISTINCT append_id FROM {{}}) s"
        )
        with writing(server, schema):
            appended = threads.submit(store.append, "Order-1", some(LARGE))
            wait_for(lambda: waiting(server, "advisory", schema))
            ((_, swept),) = server.execute(sweep.format(f"{schema}.staged"))
            assert not swept
        assert len(appended.result()) == LARGE


def failing_later(server: Server, schema: str, how: str, meanwhile: ExitStack) -> Proxy:
    """Behind it the first call succeeds, and no later one does."""
    calls = 0

    def fail(message: Message) -> bool:
        nonlocal calls
        if before_call("append_v1")(message):
            calls += 1
            if how == "busy" and calls == 2:
                meanwhile.enter_context(writing(server, schema))
        return how == "lost" and calls > 1 and before_answer("append_v1")(message)

    return meanwhile.enter_context(Proxy(server, fail, cuts=1000))


@pytest.fixture
def filling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit may fill a call, and is not staged."""
    monkeypatch.setattr("evstore.adapters.postgres.batches.MOST_IN_UNIT", MOST_EVENTS)


@pytest.mark.usefixtures("filling")
@pytest.mark.parametrize("how", ["busy", "lost"])
def test_what_was_stored_before_a_call_that_fails_is_told_and_so_is_what_became_of_each_of_the_others(
    newest: Server, schema: str, how: str
) -> None:
    with ExitStack() as meanwhile:
        proxy = failing_later(newest, schema, how, meanwhile)
        store = meanwhile.enter_context(connect(proxy.url(schema), timeout=0.05))
        parts = [some(MOST_EVENTS), some(2), some(3), some(MOST_EVENTS)]
        one, two, three, four = store.appender.submit(
            [store.appender.unit([("Order-1", part, -1)]) for part in parts]
        )
        assert isinstance(one, Receipt)
        for part, each in ((parts[1], two), (parts[2], three)):
            assert type(each) is (StoreBusyError if how == "busy" else AppendOutcomeUnknownError)
            assert getattr(each, "ids", ()) == (tuple(e.id for e in part) if how == "lost" else ())
        assert type(four) is UnavailableError
        assert "not tried" in str(four)
    expected = [*range(MOST_EVENTS + 1)] + ([1, 2, 1, 2, 3] if how == "lost" else [])
    assert stored(newest, schema) == expected


@pytest.mark.parametrize("how", ["busy", "lost"])
def test_appends_in_turn_that_are_stored_are_told_before_the_call_that_fails(
    newest: Server, schema: str, how: str
) -> None:
    with ExitStack() as meanwhile:
        proxy = failing_later(newest, schema, how, meanwhile)
        store = meanwhile.enter_context(connect(proxy.url(schema), timeout=0.05))
        events = some(2 * MOST_EVENTS + 1)
        told = []
        with pytest.raises(UnavailableError) as caught:
            for each in store.appender.submit_in_order(
                [store.appender.unit([("Order-1", [event], -1)]) for event in events]
            ):
                told.append(ReceiptFacts.of(each).version)
        assert told == [*range(2, MOST_EVENTS + 2)]
        assert type(caught.value) is (StoreBusyError if how == "busy" else AppendOutcomeUnknownError)
        doubted = events[MOST_EVENTS : 2 * MOST_EVENTS] if how == "lost" else []
        assert list(getattr(caught.value, "ids", [])) == [event.id for event in doubted]
    assert len(stored(newest, schema)) == 1 + MOST_EVENTS * (2 if how == "lost" else 1)


@pytest.mark.usefixtures("filling")
def test_only_what_was_sent_is_in_doubt_where_the_first_of_several_calls_is_lost(
    newest: Server, schema: str
) -> None:
    with Proxy(newest, before_answer("append_v1"), cuts=1000) as proxy, connect(proxy.url(schema)) as store:
        first, second = some(MOST_EVENTS), some(MOST_EVENTS)
        with pytest.raises(AppendOutcomeUnknownError) as caught:
            store.appender.submit([store.appender.unit([("Order-1", part, -1)]) for part in (first, second)])
        assert [*caught.value.ids] == [event.id for event in first]
    assert len(stored(newest, schema)) == 1 + MOST_EVENTS


def after_a_failure_to_flush(server: Server, failure: str) -> None:
    schema, events = server.schema(), some(SMALL)
    with connect(server.url(schema)) as store:
        store.initialize()
        ((mended,),) = server.execute(f"SELECT pg_get_functiondef('{schema}.make_durable_v1'::regproc)")
        server.execute(mended.replace("BEGIN\n", f"BEGIN\n  RAISE EXCEPTION USING ERRCODE = '{failure}';\n"))
        with pytest.raises(AppendOutcomeUnknownError) as caught:
            store.append("Order-1", events)
        assert [*caught.value.ids] == [event.id for event in events]
        server.execute(mended)
        assert store.append("Order-1", events).duplicate


@pytest.mark.parametrize("count", [SMALL, LARGE], ids=["small", "staged"])
def test_what_cannot_be_made_durable_at_first_is_tried_again(newest: Server, schema: str, count: int) -> None:
    ((mended,),) = newest.execute(f"SELECT pg_get_functiondef('{schema}.make_durable_v1'::regproc)")
    fails = "BEGIN\n  RAISE EXCEPTION USING ERRCODE = '53100';\n"
    newest.execute(mended.replace("BEGIN\n", fails))

    def mend(message: Message) -> bool:
        if message.sender == SERVER and message.kind == b"E":
            newest.execute(mended)
        return False

    with Proxy(newest, mend) as proxy, connect(proxy.url(schema)) as store:
        appended = store.append("Order-1", [EventData("Placed", n) for n in range(1, count + 1)], 1)
        assert not appended.duplicate
    assert stored(newest, schema) == [*range(count + 1)]


def test_what_is_stored_and_cannot_be_made_durable_is_not_called_refused(newest: Server) -> None:
    failures = ("42501", "53100", "58030", "XX000", "23505")  # no right, no room, no disk, a bug
    with ThreadPoolExecutor() as threads:  # each tries for seconds
        for each in [threads.submit(after_a_failure_to_flush, newest, failure) for failure in failures]:
            each.result()


def test_an_error_that_ends_the_connection_tells_nothing_of_what_was_committed_before(
    newest: Server, schema: str
) -> None:
    """As a server does that cannot write its log any more."""

    def panic(connection: Connection) -> NoReturn:
        connection.close()
        raise psycopg.errors.DiskFull

    with newest.connect() as connection:
        failed = tried(connection, panic)
    assert isinstance(failed, Failed)
    assert (failed.meaning, failed.may_still_run) == (Meaning.UNKNOWN, True)


def test_a_warning_of_somebody_else_makes_no_outcome_unknown(newest: Server, schema: str) -> None:
    warns = f"{schema}.warns"
    newest.execute(
        f"CREATE FUNCTION {warns}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'full soon'; "
        f"RETURN NULL; END $$; CREATE TRIGGER warns AFTER INSERT ON {schema}.events EXECUTE FUNCTION {warns}()"
    )
    for count in (SMALL, LARGE):
        with connect(newest.url(schema)) as store:
            assert not store.append("Order-2", some(count)).duplicate


OBSTACLES = ("busy", "denied", "not admitted", "gone", "closed")


def outcome_after(server: Server, obstacle: str) -> None:
    """An append that is stored when its connection is lost, and something in the way of trying again."""
    schema, other, events = server.schema(), server.schema(), some(SMALL)
    with connect(server.url(schema)) as made:
        made.initialize()
    with ExitStack() as meanwhile:
        role = meanwhile.enter_context(a_role(server))
        grant(role, schema, *WRITER)

        def then(message: Message) -> bool:
            lost = before_answer("append_v1")(message)
            if lost:
                begin[obstacle]()
            return lost

        proxy = meanwhile.enter_context(Proxy(server, then))
        # A connection that stands alone is closed after what is done with it; those of a pool are not waited for.
        pool_size = 2 if obstacle == "closed" else 1
        store = meanwhile.enter_context(connect(proxy.url(schema, role), timeout=0.05, pool_size=pool_size))
        begin = {
            "busy": lambda: meanwhile.enter_context(writing(server, schema)),
            "denied": lambda: revoke(role, schema, "EXECUTE ON PROCEDURE {0}.append_v1"),
            "not admitted": lambda: server.execute(f"ALTER ROLE {role.name} NOLOGIN"),
            "gone": lambda: server.execute(f"ALTER SCHEMA {schema} RENAME TO {other}"),
            "closed": store.close,
        }
        with pytest.raises(AppendOutcomeUnknownError) as caught:
            store.append("Order-1", events)
    assert [*caught.value.ids] == [each.id for each in events]


def test_what_comes_in_the_way_of_trying_again_does_not_make_an_unknown_outcome_a_refusal(newest: Server) -> None:
    """Whoever hears "busy" or "denied" takes it that nothing is stored, and appends again with ids that are new."""
    with ThreadPoolExecutor() as threads:  # each tries for seconds
        tried = {name: threads.submit(outcome_after, newest, name) for name in OBSTACLES}
    for name, each in tried.items():
        assert each.exception() is None, name


@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_writer_that_is_ended_while_it_waits_for_others_tries_again(
    newest: Server, schema: str, end: str
) -> None:
    with ThreadPoolExecutor() as threads, connect(newest.url(schema, application_name=schema)) as store:
        with writing(newest, schema):
            appended = threads.submit(store.append, "Order-1", some(SMALL), 1)
            (pid,) = wait_for(lambda: waiting(newest, "advisory", schema))
            newest.execute(f"SELECT {end}(%s)", pid)
            wait_for(lambda: end == "pg_cancel_backend" or waiting(newest, "advisory", schema) not in ([], [pid]))
        assert [each.version for each in appended.result()] == [2, 3, 4]
    assert stored(newest, schema) == [*range(SMALL + 1)]


@pytest.mark.parametrize("end", [None, "pg_cancel_backend"])
def test_a_writer_that_is_cancelled_twice_is_told_so_and_that_nothing_is_stored(
    newest: Server, schema: str, end: str | None
) -> None:
    """By an administrator, or by the statement_timeout of its role."""
    options = "" if end else "-c statement_timeout=50ms"
    url = newest.url(schema, application_name=schema, options=options)
    with ThreadPoolExecutor() as threads, connect(url) as store, writing(newest, schema):
        appended = threads.submit(store.append, "Order-1", some(SMALL), 1)
        asked = (
            "SELECT pid, query_start FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name = %s"
        )
        seen: list[Any] = []

        def anew() -> list[Any]:
            return [each for each in newest.execute(asked, schema) if each not in seen]

        for _ in range(2 if end else 0):
            seen += wait_for(anew)
            newest.execute(f"SELECT {end}(%s)", seen[-1][0])
        error = appended.exception()
    assert type(error) is UnavailableError
    assert names(error, "statement_timeout")
    assert stored(newest, schema) == [0]


@pytest.mark.parametrize("count", [SMALL, LARGE], ids=["small", "staged"])
def test_a_writer_that_is_cancelled_behind_its_commit_has_stored(newest: Server, schema: str, count: int) -> None:
    with_a_gate(newest, schema)
    gate = Gate(newest)
    gate.shut()
    with ThreadPoolExecutor() as threads, connect(newest.url(schema, application_name=schema)) as store:
        events = [EventData("Placed", n) for n in range(1, count + 1)]
        appended = threads.submit(store.append, "Order-1", events, 1)
        (pid,) = wait_for(lambda: waiting(newest, "advisory", schema))
        newest.execute("SELECT pg_cancel_backend(%s)", pid)
        gate.open()
        assert not appended.result().duplicate
    assert stored(newest, schema) == [*range(count + 1)]


def test_a_writer_that_waits_for_a_connection_when_the_store_is_closed_is_told_so(
    newest: Server, schema: str
) -> None:
    url = newest.url(schema, application_name=schema)
    with ThreadPoolExecutor() as threads, connect(url, pool_size=2) as store:
        with writing(newest, schema):
            writers = [threads.submit(store.append, f"Order-{n}", some(SMALL), 0) for n in (2, 3, 4)]
            wait_for(lambda: len(waiting(newest, "advisory", schema)) == 2)
            wait_for(lambda: store._adapter._connections._pool.get_stats()["requests_waiting"] == 1)
            store.close()
            (waited,) = wait_for(lambda: [each for each in writers if each.done()])
            assert type(waited.exception()) is StoreClosedError
    assert sorted(type(each.exception()) is StoreClosedError for each in writers) == [False, False, True]


@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_session_that_was_ended_while_nobody_used_it_is_replaced(
    newest: Server, schema: str, pool_size: int
) -> None:
    """As servers, poolers and firewalls do."""
    url = newest.url(schema, application_name=schema)
    with connect(url, pool_size=pool_size) as store:
        idle = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        for n in range(1, 4):
            assert store.append("Order-1", some(1), n)[0].version == n + 1
            newest.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", schema
            )
            wait_for(lambda: not newest.execute(idle, schema))
            if n > 1:
                assert store.head() == n + 1


def test_what_the_driver_logs_is_printed_only_where_somebody_keeps_a_log() -> None:
    says = "import logging, evstore.adapters.postgres\n{}\nlogging.getLogger('psycopg.pool').warning('it is gone')"
    for kept, printed in (("", ""), ("logging.basicConfig(format='%(message)s')", "it is gone\n")):
        done = subprocess.run(
            [sys.executable, "-c", says.format(kept)], capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == ("", printed)
