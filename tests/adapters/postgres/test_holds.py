"""A hold on PostgreSQL is a lease: renewed while its process lives, and fenced by a token once another takes over."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from evstore.adapters.postgres import holding
from evstore.adapters.postgres.hold_statements import RENEW
from evstore.adapters.postgres.statements import in_schema
from evstore.errors import ConsumerHeldError, ConsumerNotFoundError
from evstore.model.consumers import SLOTS, WHOLE
from tests.support.consuming import NAME, a_unit, consuming, expire, move, position
from tests.support.daemons import freeze
from tests.support.proxies import Proxy, before_answer
from tests.support.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.port import Consumers, Hold
    from tests.support.proxies import Message, Rule
    from tests.support.servers import Server

SOON: Final = 0.02
"""Seconds between renewals, where a test waits for some."""
LEASE_SECONDS: Final = 10


def row(server: Server, schema: str) -> tuple[int, int]:
    """The token of the only slot, and when it was renewed."""
    ((token, renewed_at),) = server.execute(f"SELECT token, renewed_at FROM {schema}.holds")
    return token, renewed_at


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "RENEWAL_SECONDS", SOON)


def test_each_holder_of_a_slot_has_a_higher_token(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers):
        for token in (1, 2, 3):
            hold = consumers.hold(NAME, [WHOLE])
            assert row(newest, schema)[0] == token
            hold.release()
            assert row(newest, schema) == (token, 0)
        first = consumers.hold(NAME, [WHOLE])
        expire(newest, schema)
        second = consumers.hold(NAME, [WHOLE])
        assert row(newest, schema)[0] == 5
        first.release()  # which is not its to give back any more
        with pytest.raises(ConsumerHeldError):
            consumers.hold(NAME, [WHOLE])
        move(consumers, second, 1)


def test_a_holder_whose_slot_was_taken_changes_nothing_and_is_told_by_whom(server: Server) -> None:
    schema = server.schema()
    with consuming(server.url(schema)) as (adapter, consumers), consuming(server.url(schema)) as (_, others):
        stale = consumers.hold(NAME, [WHOLE])
        move(consumers, stale, 1)
        expire(server, schema)
        assert consumers.holders(NAME) == {}
        successor = others.hold(NAME, [WHOLE])
        with pytest.raises(ConsumerHeldError) as raised, consumers.step(stale) as step:
            step.move({WHOLE: 2})
        assert raised.value.holder == holding.this_process()
        assert consumers.holders(NAME) == {WHOLE: raised.value.holder}
        assert str(os.getpid()) in raised.value.holder
        assert (position(consumers), adapter.head(0, 0)) == (1, 4)
        move(others, successor, 3)
        assert position(consumers) == 3


def test_a_step_whose_slot_is_taken_meanwhile_leaves_nothing(server: Server) -> None:
    schema = server.schema()
    with consuming(server.url(schema)) as (adapter, consumers), consuming(server.url(schema)) as (_, others):
        stale = consumers.hold(NAME, [WHOLE])
        with pytest.raises(ConsumerHeldError), consumers.step(stale) as step:
            step.append(a_unit())
            step.connection.execute("CREATE TABLE public.never_made (n integer)")
            step.move({WHOLE: 2})
            expire(server, schema)
            successor = others.hold(NAME, [WHOLE])
        assert (position(consumers), adapter.head(0, 0)) == (0, 4)
        assert server.execute("SELECT to_regclass('public.never_made')") == [(None,)]
        move(others, successor, 1)


def test_a_lease_that_ran_out_is_good_as_long_as_nobody_took_it(newest: Server, often: None) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        expire(newest, schema)
        move(consumers, hold, 2)
        assert position(consumers) == 2
        wait_for(lambda: consumers.holders(NAME))  # it was renewed again
        hold.check()


def test_a_lease_of_a_time_that_is_still_to_come_is_free_for_its_clock_was_set_back(server: Server) -> None:
    """Else nobody could follow a holder that died before, until the clock has come to where it was."""
    schema = server.schema()
    with consuming(server.url(schema)) as (_, consumers), consuming(server.url(schema)) as (_, others):
        stale = consumers.hold(NAME, [WHOLE])
        set_back(server, schema, seconds=LEASE_SECONDS / 2)
        with pytest.raises(ConsumerHeldError):
            others.hold(NAME, [WHOLE])
        set_back(server, schema, seconds=3600)
        assert others.holders(NAME) == {}
        successor = others.hold(NAME, [WHOLE])
        move(others, successor, 1)
        with pytest.raises(ConsumerHeldError):
            move(consumers, stale, 2)
        assert position(consumers) == 1


def set_back(server: Server, schema: str, seconds: float) -> None:
    """Let leases be as if the clock of the server had been set back by so much."""
    server.execute(f"UPDATE {schema}.holds SET renewed_at = renewed_at + {round(seconds * 1e6)}")


def commits_after(statement: bytes, then: Callable[[], None]) -> Rule:
    """Call `then` before the server hears of a COMMIT that follows this statement on its connection."""
    last: dict[int, bytes] = {}

    def rule(message: Message) -> bool:
        if message.calls:
            before = last.get(threading.get_ident(), b"")
            last[threading.get_ident()] = message.asked
            if b"COMMIT" in message.asked and statement in before:
                then()
        return False

    return rule


def test_nobody_takes_a_slot_while_a_step_commits(newest: Server) -> None:
    schema = newest.schema()
    reached, goes_on = threading.Event(), threading.Event()

    def hold_back() -> None:
        reached.set()
        assert goes_on.wait(PATIENCE)

    with (
        Proxy(newest, commits_after(b"FOR SHARE", hold_back)) as proxy,
        consuming(newest.url(schema)) as (_, others),
        consuming(proxy.url(schema)) as (_, consumers),
        ThreadPoolExecutor() as threads,
    ):
        stale = consumers.hold(NAME, [WHOLE])
        expire(newest, schema)
        stepped = threads.submit(move, consumers, stale, 2)
        try:
            assert reached.wait(PATIENCE)
            taken = threads.submit(others.hold, NAME, [WHOLE])
            waits = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%AS held%'"
            wait_for(lambda: newest.execute(waits))
            assert not taken.done()
        finally:
            goes_on.set()
        stepped.result()
        successor = taken.result()
        assert position(others) == 2
        move(others, successor, 3)
        with pytest.raises(ConsumerHeldError):
            move(consumers, stale, 4)
        assert position(others) == 3


@pytest.mark.parametrize("pool_size", [1, 10])
def test_a_hold_is_renewed_while_a_step_takes_long(newest: Server, often: None, pool_size: int) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema), pool_size=pool_size) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.move({WHOLE: 1})
            step.connection.execute("SELECT 1")
            for _ in range(2):
                expire(newest, schema)
                wait_for(lambda: consumers.holders(NAME))
        assert row(newest, schema)[0] == 1
        hold.check()


def test_a_hold_is_renewed_again_after_its_connection_was_lost(newest: Server, often: None) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema, application_name="renewing")) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        for _ in range(3):
            expire(newest, schema)
            wait_for(lambda: consumers.holders(NAME))
            newest.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'renewing'"
            )
        hold.check()
        move(consumers, hold, 1)


def test_a_renewal_that_finds_the_slot_taken_says_so(newest: Server, often: None) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), consuming(newest.url(schema)) as (_, others):
        stale = consumers.hold(NAME, [WHOLE])
        while not others.holders(NAME) or not (successor := taken(newest, schema, others)):
            continue
        wait_for(lambda: is_lost(stale))
        successor.check()
        move(others, successor, 1)


def taken(server: Server, schema: str, consumers: Consumers) -> Hold | None:
    """The hold, None if its holder renewed it in time."""
    expire(server, schema)
    try:
        return consumers.hold(NAME, [WHOLE])
    except ConsumerHeldError:
        return None


def is_lost(hold: Hold) -> bool:
    try:
        hold.check()
    except ConsumerHeldError:
        return True
    return False


def test_what_was_given_back_is_not_renewed_by_a_call_that_comes_late(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), newest.connect() as late:
        hold = consumers.hold(NAME, [WHOLE])
        assert isinstance(hold, holding.PostgresHold)
        given = hold.given()
        renew = in_schema(RENEW, schema)
        assert len(late.execute(renew, given).fetchall()) == 1
        hold.release()
        assert late.execute(renew, given).fetchall() == []
        assert row(newest, schema) == (1, 0)


def test_a_hold_that_is_forgotten_is_renewed_no_more(newest: Server, often: None) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        (thread,) = renewing()
        del hold
        gc.collect()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        expire(newest, schema)
        consumers.hold(NAME, [WHOLE]).release()


def test_a_hold_ends_with_its_adapter_and_its_thread_with_it(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers):
        held = consumers.hold(NAME, [WHOLE])
        (thread,) = renewing()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert row(newest, schema) == (1, 0)
    held.release()


def renewing() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == holding.THREAD]


def test_a_forked_child_frees_nothing(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (adapter, consumers):
        hold = consumers.hold(NAME, [WHOLE])
        child = os.fork()
        if child == 0:
            try:
                hold.release()
                adapter.close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert {*consumers.holders(NAME)} == {WHOLE}
        move(consumers, hold, 2)
        hold.check()


def test_a_hold_whose_answer_was_lost_is_had_by_the_next_try(newest: Server) -> None:
    schema = newest.schema()
    cuts = threading.Event()
    rule = before_answer("COMMIT\0")
    with (
        Proxy(newest, lambda message: cuts.is_set() and rule(message)) as proxy,
        consuming(proxy.url(schema)) as (_, consumers),
    ):
        cuts.set()
        hold = consumers.hold(NAME, [WHOLE])
        assert proxy.cuts == 1
        assert row(newest, schema)[0] == 2  # it was taken twice
        move(consumers, hold, 1)


def test_an_old_hold_does_not_meet_the_next_consumer_of_the_name(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), consuming(newest.url(schema)) as (_, others):
        stale = consumers.hold(NAME, [WHOLE])
        expire(newest, schema)
        successor = others.hold(NAME, [WHOLE])
        with others.step(successor) as step:
            step.remove()
        successor.release()
        assert newest.execute(f"SELECT count(*) FROM {schema}.holds") == [(0,)]
        others.add(NAME, "{}", 0)
        with pytest.raises(ConsumerNotFoundError):
            move(consumers, stale, 1)
        again = others.hold(NAME, [WHOLE])
        with pytest.raises(ConsumerNotFoundError):
            move(consumers, stale, 1)
        stale.release()
        move(others, again, 2)
        assert position(others) == 2


def test_a_consumer_that_is_missing_is_not_held(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers):
        with pytest.raises(ConsumerNotFoundError):
            consumers.hold("absent", [WHOLE])
        assert newest.execute(f"SELECT count(*) FROM {schema}.holds") == [(0,)]


def test_members_that_take_and_renew_all_slots_at_once_do_not_wait_for_each_other(
    newest: Server, often: None
) -> None:
    """A deadlock would be an error of the server, and is one in its log."""
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), consuming(newest.url(schema)) as (_, others):
        hold = consumers.hold(NAME, [WHOLE])
        with consumers.step(hold) as step:
            step.divide()
        assert len(hold.extend(range(SLOTS))) == SLOTS - 1
        before = deadlocks(newest)

        def grab() -> None:
            for _ in range(20):
                with pytest.raises(ConsumerHeldError):
                    others.hold(NAME, [*reversed(range(SLOTS))])

        def step_on() -> None:
            for n in range(40):
                with consumers.step(hold) as step:
                    step.move(dict.fromkeys(reversed(range(SLOTS)), n % 5))

        with ThreadPoolExecutor() as threads:
            for done in [threads.submit(grab), threads.submit(grab), threads.submit(step_on)]:
                done.result()
        hold.check()
        assert deadlocks(newest) == before


def deadlocks(server: Server) -> int:
    ((count,),) = server.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def test_checkpoints_and_holds_are_updated_without_entries_in_their_indexes(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (adapter, consumers):
        adapter.append([a_unit("Order-2", 100)])
        hold = consumers.hold(NAME, [WHOLE])
        for n in range(100):
            move(consumers, hold, n + 1)
    asked = """
    SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
    WHERE schemaname = %s AND relname = 'checkpoints' AND n_tup_upd >= 100
    """
    ((updates, cheap),) = wait_for(lambda: newest.execute(asked, schema))
    assert updates == cheap


HOLDER: Final = """
import sys
from evstore.errors import ConsumerHeldError
from tests.support.consuming import NAME, consuming, move
with consuming(sys.argv[1]) as (_, consumers):
    hold = consumers.hold(NAME, [0])
    print("held", flush=True)
    sys.stdin.readline()
    try:
        move(consumers, hold, 4)
        print("moved", flush=True)
    except ConsumerHeldError as error:
        print(f"lost to {error.holder}", flush=True)
"""


@contextmanager
def a_holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the consumer, and makes a step when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_was_stopped_and_replaced_changes_nothing_when_it_goes_on(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), a_holder(newest.url(schema)) as process:
        freeze(process.pid)
        assert consumers.holders(NAME)[WHOLE].startswith(f"process {process.pid} on ")
        with pytest.raises(ConsumerHeldError) as raised:
            consumers.hold(NAME, [WHOLE])
        assert raised.value.holder == consumers.holders(NAME)[WHOLE]
        expire(newest, schema)
        successor = consumers.hold(NAME, [WHOLE])
        move(consumers, successor, 1)
        os.kill(process.pid, signal.SIGCONT)
        out, _ = process.communicate("go on\n", timeout=PATIENCE)
        assert out == f"lost to {holding.this_process()}\n"
        assert position(consumers) == 1
        move(consumers, successor, 2)


@pytest.mark.long("a lease of ten seconds runs out")
def test_the_hold_of_a_process_that_was_killed_is_free_within_ten_seconds(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), a_holder(newest.url(schema)) as process:
        process.kill()
        killed = time.monotonic()
        with pytest.raises(ConsumerHeldError):
            consumers.hold(NAME, [WHOLE])
        hold = wait_for(lambda: free(consumers))
        assert time.monotonic() - killed < LEASE_SECONDS + 1
        move(consumers, hold, 1)


def free(consumers: Consumers) -> Hold | None:
    try:
        return consumers.hold(NAME, [WHOLE])
    except ConsumerHeldError:
        return None


@pytest.mark.long("a lease of ten seconds would run out")
def test_the_hold_of_a_process_that_lives_is_not_free(newest: Server) -> None:
    schema = newest.schema()
    with consuming(newest.url(schema)) as (_, consumers), a_holder(newest.url(schema)) as process:
        until = time.monotonic() + LEASE_SECONDS + 2
        while time.monotonic() < until:
            assert free(consumers) is None
            time.sleep(0.1)
        out, _ = process.communicate("go on\n", timeout=PATIENCE)
        assert out == "moved\n"
