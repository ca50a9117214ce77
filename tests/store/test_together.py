"""Appends of several threads that share a commit: each is judged, answered and fails as if it were alone."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from evstore import (
    NO_STREAM,
    AppendOutcomeUnknownError,
    ConcurrencyError,
    EventData,
    EvstoreError,
    StorageFullError,
    StoreBusyError,
    StoreClosedError,
)
from evstore.adapters.memory import CAPABILITIES, MemoryAdapter
from evstore.appending import together
from evstore.appending.together import MOST_EVENTS
from evstore.port import outcome_unknown
from evstore.store import EventStore
from tests.support.waiting import PATIENCE, wait_for

ID = "0198e5c4-7a2b-7c3d-8e4f-0123456789ab"


def event(n=1):
    return EventData("Placed", {"n": n})


class Gated(MemoryAdapter):
    """Lets a call in when the test says so, and notes the sizes of the calls.

    `failures` are raised by the calls of several units, one each, `early` or after the units are stored.
    """

    capabilities = CAPABILITIES._replace(shares_commits=True)

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.calls = []
        self.failures = []
        self.early = True

    def append(self, units, *, until_refused=False):
        self._check_open()
        self.calls.append(len(units))
        assert self.gate.wait(PATIENCE)
        failure = self.failures.pop() if self.failures and len(units) > 1 else None
        if failure and self.early:
            raise self.failing(units, failure)
        outcomes = super().append(units, until_refused=until_refused)
        if failure:
            raise self.failing(units, failure)
        return outcomes

    def failing(self, units, failure):
        return failure(units) if callable(failure) else failure


class Crowd:
    """Threads that append while a first one is within the adapter."""

    def __init__(self, store, gated, pool):
        self.store, self.gated, self._pool = store, gated, pool
        gated.gate.clear()
        before = len(gated.calls)
        self.first = pool.submit(store.append, "First-1", [event()])
        wait_for(lambda: len(gated.calls) > before)

    @property
    def waiting(self):
        """The number of appends that wait for the next call."""
        call = self.store.appender._together._next
        return len(call.waiting) if call else 0

    def joins(self, *given, **options):
        """An append that has joined the next call."""
        before = self.waiting
        joined = self._pool.submit(self.store.append, *given, **options)
        wait_for(lambda: self.waiting == before + 1)
        return joined

    def goes_on(self):
        self.gated.gate.set()


@pytest.fixture
def gated():
    return Gated()


@pytest.fixture
def crowd(gated):
    with ThreadPoolExecutor(16) as pool, closing(EventStore(gated)) as store:
        try:
            yield Crowd(store, gated, pool)
        finally:
            gated.gate.set()


def error_of(joined):
    found = joined.exception(PATIENCE)
    assert isinstance(found, EvstoreError), found
    return found


def test_appends_that_come_during_a_call_make_the_next_call_and_each_gets_its_own_events(crowd, gated):
    joined = [crowd.joins(f"Order-{n}", [event(n)] * (n % 3 + 1)) for n in range(7)]
    crowd.goes_on()
    for n, each in enumerate(joined):
        stored = each.result(PATIENCE)
        assert [(e.stream_id, e.data["n"]) for e in stored] == [(f"Order-{n}", n)] * (n % 3 + 1)
        assert not stored.duplicate
    assert gated.calls == [1, 7]
    assert [e for each in (crowd.first, *joined) for e in each.result()] == [*crowd.store.replay()]


def test_appends_that_come_later_share_another_call(crowd, gated):
    for number in range(3):
        rounds = crowd if not number else Crowd(crowd.store, gated, crowd._pool)
        joined = [rounds.joins(f"Order-{n}", [event(n)], expected_version=number) for n in range(4)]
        rounds.goes_on()
        for each in joined:
            assert len(each.result(PATIENCE)) == 1
    assert gated.calls == [1, 4] * 3


def test_an_append_that_meets_nobody_is_a_call_of_its_own(gated):
    gated.gate.set()
    with closing(EventStore(gated)) as store:
        for n in range(3):
            store.append("Order-1", [event(n)], expected_version=n)
    assert gated.calls == [1, 1, 1]


def test_one_conflict_among_many_fails_alone(crowd, gated):
    good = [crowd.joins(f"Order-{n}", [event(n)], expected_version=NO_STREAM) for n in range(3)]
    bad = crowd.joins("Order-1", [event()], expected_version=NO_STREAM)
    good.append(crowd.joins("Order-1", [event(4)], expected_version=1))
    crowd.goes_on()
    refused = error_of(bad)
    assert isinstance(refused, ConcurrencyError)
    assert (refused.stream_id, refused.expected, refused.actual) == ("Order-1", NO_STREAM, 1)
    assert [each.result(PATIENCE)[0].global_position for each in good] == [2, 3, 4, 5]
    assert gated.calls == [1, 5]


def test_an_id_that_two_appends_of_a_call_bring_is_stored_once_and_then_a_duplicate(crowd, gated):
    first, second = [crowd.joins("Order-1", [EventData("Placed", {}, id=ID)]) for _ in range(2)]
    crowd.goes_on()
    assert first.result(PATIENCE) == second.result(PATIENCE)
    assert [first.result().duplicate, second.result().duplicate] == [False, True]
    assert gated.calls == [1, 2]


def test_a_unit_that_is_too_large_for_a_shared_call_goes_alone(crowd, gated):
    small = crowd.joins("Order-1", [event()])
    large = crowd._pool.submit(crowd.store.append, "Order-2", [event()] * (MOST_EVENTS + 1))
    wait_for(lambda: len(gated.calls) == 2)
    assert crowd.waiting == 1
    crowd.goes_on()
    assert len(large.result(PATIENCE)) == MOST_EVENTS + 1
    assert len(small.result(PATIENCE)) == 1
    assert gated.calls == [1, 1, 1]


@pytest.mark.parametrize(
    ("most", "value"), [("MOST_EVENTS", 4), ("MOST_CHARACTERS", 2 * len('{"n":1}{"n":1}{}{}'))]
)
def test_a_call_is_filled_up_to_its_limit(crowd, gated, monkeypatch, most, value):
    monkeypatch.setattr(together, most, value)
    joined = [crowd.joins(f"Order-{n}", [event(), event()]) for n in range(2)]
    joined.append(crowd._pool.submit(crowd.store.append, "Order-3", [event(), event()]))
    wait_for(lambda: crowd.waiting == 1)
    crowd.goes_on()
    assert [len(each.result(PATIENCE)) for each in joined] == [2, 2, 2]
    assert sorted(gated.calls) == [1, 1, 2]  # the two calls that waited may go in either order


@pytest.mark.parametrize(("most", "value"), [("MOST_EVENTS", 4), ("MOST_CHARACTERS", 5 * len('{"n":1}{}') - 1)])
def test_a_call_takes_nothing_that_is_one_beyond_its_limit(crowd, gated, monkeypatch, most, value):
    monkeypatch.setattr(together, most, value)
    joined = [crowd.joins(f"Order-{n}", [event(), event()]) for n in range(2)]
    joined.append(crowd._pool.submit(crowd.store.append, "Order-3", [event()]))
    wait_for(lambda: crowd.waiting == 1)
    crowd.goes_on()
    assert [len(each.result(PATIENCE)) for each in joined] == [2, 2, 1]
    assert sorted(gated.calls) == [1, 1, 2]


def test_appends_that_come_during_the_call_of_one_that_had_waited_alone_share_the_next_call(crowd, gated):
    of_first, gated.gate = gated.gate, threading.Event()
    alone = crowd.joins("Order-1", [event()])
    of_first.set()
    wait_for(lambda: len(gated.calls) == 2)
    joined = [crowd.joins(f"Order-{n}", [event()]) for n in range(2, 4)]
    crowd.goes_on()
    assert [each.result(PATIENCE)[0].stream_id for each in (alone, *joined)] == ["Order-1", "Order-2", "Order-3"]
    assert gated.calls == [1, 1, 2]


def test_a_full_call_takes_no_more_and_the_next_one_does(crowd, gated):
    half = crowd.joins("Order-1", [event()] * (MOST_EVENTS // 2 + 1))
    more = crowd._pool.submit(crowd.store.append, "Order-2", [event()] * (MOST_EVENTS // 2 + 1))
    wait_for(lambda: crowd.store.appender._together._next.waiting[0].unit.writes[0].stream_id == "Order-2")
    crowd.goes_on()
    assert len(half.result(PATIENCE)) == len(more.result(PATIENCE)) == MOST_EVENTS // 2 + 1
    assert gated.calls == [1, 1, 1]


def test_a_store_that_is_busy_gives_each_append_an_error_of_its_own(crowd, gated):
    gated.failures = [StoreBusyError("here", 30.0)]
    joined = [crowd.joins(f"Order-{n}", [event(n)]) for n in range(3)]
    crowd.goes_on()
    errors = [error_of(each) for each in joined]
    assert {type(each) for each in errors} == {StoreBusyError}
    assert len({id(each) for each in errors}) == 3
    assert len({str(each) for each in errors}) == 1
    assert len({len(traceback.extract_tb(each.__traceback__)) for each in errors}) == 1
    assert gated.calls == [1, 3]  # nobody waits a second time
    assert crowd.store.head() == 1


def test_an_unknown_outcome_names_to_each_append_its_own_ids(crowd, gated):
    gated.failures = [lambda units: outcome_unknown(units, "cut")]
    ids = [ID[:-1] + str(n) for n in range(3)]
    joined = [crowd.joins("Order-1", [EventData("Placed", {}, id=each)]) for each in ids]
    crowd.goes_on()
    for each, event_id in zip(joined, ids, strict=True):
        unknown = error_of(each)
        assert isinstance(unknown, AppendOutcomeUnknownError)
        assert (unknown.ids, unknown.reason) == ((event_id,), "cut")


def test_a_failure_that_one_append_brings_is_that_appends_alone(crowd, gated):
    class FullError(StorageFullError):
        pass

    def append(units, *, until_refused=False):
        if any(write.stream_id == "Large-1" for unit in units for write in unit.writes):
            gated.calls.append(len(units))
            raise FullError("no room")
        return Gated.append(gated, units, until_refused=until_refused)

    crowd.store.appender._together._append = append
    small = [crowd.joins(f"Order-{n}", [event(n)]) for n in range(2)]
    large = crowd.joins("Large-1", [event()])
    crowd.goes_on()
    assert isinstance(error_of(large), FullError)
    assert sorted(each.result(PATIENCE)[0].global_position for each in small) == [2, 3]
    assert gated.calls == [1, 3, 1, 1, 1]


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, SystemExit])
def test_what_interrupts_the_thread_that_submits_loses_no_other_append(crowd, gated, early, failure):
    gated.early, gated.failures = early, [failure()]
    first = crowd.joins("Order-0", [EventData("Placed", {}, id=ID)])
    joined = [crowd.joins(f"Order-{n}", [event(n)]) for n in range(1, 5)]
    crowd.goes_on()
    for n, each in enumerate(joined, 1):
        stored = each.result(PATIENCE)
        assert [(e.stream_id, e.version) for e in stored] == [(f"Order-{n}", 1)]
        assert not stored.duplicate
    if failure is MemoryError:
        assert [e.id for e in first.result(PATIENCE)] == [ID]
    else:
        assert isinstance(first.exception(PATIENCE), failure)
    there = failure is MemoryError or not early
    assert sorted(e.stream_id for e in crowd.store.replay()) == [
        "First-1", *(f"Order-{n}" for n in range(0 if there else 1, 5))
    ]  # fmt: skip


def test_an_append_that_is_interrupted_while_it_waits_is_not_stored(gated):
    with ThreadPoolExecutor(4) as pool, closing(EventStore(gated)) as store:
        crowd = Crowd(store, gated, pool)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupt():
            wait_for(lambda: crowd.waiting)
            os.kill(os.getpid(), signal.SIGINT)

        interrupting = pool.submit(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                store.append("Order-1", [event()])
        finally:
            signal.signal(signal.SIGINT, before)
        interrupting.result(PATIENCE)
        assert crowd.waiting == 0
        later = crowd.joins("Order-2", [event()])
        crowd.goes_on()
        assert later.result(PATIENCE)[0].global_position == 2
        assert gated.calls == [1, 1]


def test_an_append_that_is_interrupted_while_its_call_is_under_way_takes_nothing_from_the_others(gated):
    with ThreadPoolExecutor(4) as pool, closing(EventStore(gated)) as store:
        crowd = Crowd(store, gated, pool)
        other = crowd.joins("Order-1", [event()])
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        of_first, gated.gate = gated.gate, threading.Event()

        def interrupt():
            wait_for(lambda: crowd.waiting == 2)
            of_first.set()
            wait_for(lambda: len(gated.calls) == 2)
            os.kill(os.getpid(), signal.SIGINT)

        interrupting = pool.submit(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                store.append("Order-2", [event()])
        finally:
            signal.signal(signal.SIGINT, before)
            crowd.goes_on()
        interrupting.result(PATIENCE)
        assert other.result(PATIENCE)[0].global_position == 2
        assert gated.calls == [1, 2]
        assert [e.stream_id for e in store.replay()] == ["First-1", "Order-1", "Order-2"]


def test_what_interrupts_an_append_before_it_has_joined_is_raised_as_it_is(crowd, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(crowd.store.appender._together, "_join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crowd.store.append("Order-1", [event()])


def test_what_interrupts_an_append_while_it_joins_is_raised_as_it_is(crowd):
    class Interrupted(list):
        def append(self, _):
            raise KeyboardInterrupt

    other = crowd.joins("Order-1", [event()])
    call = crowd.store.appender._together._next
    call.waiting = Interrupted(call.waiting)
    with pytest.raises(KeyboardInterrupt):
        crowd.store.append("Order-2", [event()])
    crowd.goes_on()
    assert other.result(PATIENCE)[0].stream_id == "Order-1"


def test_an_append_that_waited_alone_and_fails_is_not_tried_again(crowd, gated):
    alone = crowd.joins("Order-1", [event()])

    def append(units, *, until_refused=False):
        gated.calls.append(len(units))
        raise StorageFullError("no room")

    crowd.store.appender._together._append = append
    crowd.goes_on()
    assert isinstance(error_of(alone), StorageFullError)
    assert gated.calls == [1, 1]


def test_an_append_out_of_a_signal_that_interrupts_an_append_waits_for_nobody(gated):
    with ThreadPoolExecutor(4) as pool, closing(EventStore(gated)) as store:
        crowd = Crowd(store, gated, pool)
        before = signal.signal(signal.SIGUSR1, lambda *_: store.append("Signal-1", [event()]))

        def interrupt():
            wait_for(lambda: crowd.waiting)
            os.kill(os.getpid(), signal.SIGUSR1)
            wait_for(lambda: crowd.waiting == 2)
            crowd.goes_on()

        interrupting = pool.submit(interrupt)
        try:
            stored = store.append("Order-1", [event()])
        finally:
            signal.signal(signal.SIGUSR1, before)
        interrupting.result(PATIENCE)
        assert [e.stream_id for e in stored] == ["Order-1"]
        assert [e.stream_id for e in store.replay()] == ["First-1", "Order-1", "Signal-1"]


def test_closing_the_store_ends_the_appends_that_wait(crowd):
    joined = [crowd.joins(f"Order-{n}", [event(n)]) for n in range(3)]
    crowd.store.close()
    crowd.goes_on()
    errors = [error_of(each) for each in (crowd.first, *joined)]
    assert {type(each) for each in errors} == {StoreClosedError}
    assert len({id(each) for each in errors}) == 4


def test_a_child_that_is_forked_during_a_call_is_refused_at_once(crowd):
    waits = crowd.joins("Order-1", [event()])
    child = os.fork()
    if not child:
        try:
            crowd.store.append("Order-2", [event()])
        except StoreClosedError:
            os._exit(17)
        finally:
            os._exit(1)
    (ended,) = wait_for(lambda: [status for pid, status in [os.waitpid(child, os.WNOHANG)] if pid])
    assert os.waitstatus_to_exitcode(ended) == 17
    crowd.goes_on()
    assert waits.result(PATIENCE)[0].global_position == 2


@pytest.mark.sqlite_first("on PostgreSQL each thread appends on a connection of its own")
def test_many_threads_append_without_gap_and_each_in_its_own_order(store):
    start = threading.Barrier(8)

    def append(thread):
        start.wait(PATIENCE)
        mine = []
        for n in range(200):
            (stored,) = store.append(f"Order-{thread}", [event(n)], expected_version=n)
            mine.append(stored)
            if n % 20 == 0:
                with pytest.raises(ConcurrencyError):
                    store.append(f"Order-{thread}", [event()], expected_version=n)
        return mine

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(append, range(8))]
    log = [*store.replay()]
    assert [e.global_position for e in log] == [*range(1, 1601)]
    for thread, mine in enumerate(found):
        assert [e.data["n"] for e in mine] == [*range(200)]
        assert mine == [e for e in log if e.stream_id == f"Order-{thread}"]
    assert [*store.verify()] == []
