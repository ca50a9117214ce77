"""Tasks of one loop share a store: none blocks the others, and all see what any of them appends."""

from __future__ import annotations

import asyncio
import fcntl
import threading
import time
from contextlib import contextmanager

import pytest

import evstore.aio
from evstore import ConcurrencyError, EventData, InvalidInputError, Query, StoreClosedError, Write
from evstore.adapters.sqlite.location import lock_of
from tests.support.postgres_sessions import waiting, writing
from tests.support.tasks import EVENT, append, in_loop, until, with_store


class Follower:
    """A task that follows the log, and the positions that it got."""

    def __init__(self, store, **given):
        self.positions = []
        self.waits = asyncio.Event()
        self.task = asyncio.create_task(self._follow(store, given))

    async def _follow(self, store, given):
        async for event in store.subscribe(on_idle=self.waits.set, **given):
            self.positions.append(event.global_position)

    async def cancel(self):
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()


def test_what_tasks_append_at_once_every_follower_gets_once_and_in_order(run):
    async def main(store):
        followers = [Follower(store) for _ in range(3)]
        async with asyncio.TaskGroup() as tasks:
            for n in range(8):
                tasks.create_task(append(store, f"Order-{n}", 12))
        for each in followers:
            await until(lambda each=each: len(each.positions) >= 96)
            assert each.positions == [*range(1, 97)]
            await each.cancel()
        for n in range(8):
            assert [event.version async for event in store.read(f"Order-{n}")] == [*range(1, 13)]

    run(main)


def test_a_follower_that_waits_gets_what_another_task_appends(run):
    async def main(store):
        follower = Follower(store, types=["Counted"])
        await follower.waits.wait()
        for n in range(1, 4):
            await store.append("Order-1", [EVENT])
            await until(lambda n=n: follower.positions == [*range(1, n + 1)])
        await follower.cancel()

    run(main)


def test_many_followers_leave_appends_and_reads_their_turn(run):
    async def main(store):
        followers = [Follower(store) for _ in range(50)]
        await asyncio.gather(*(each.waits.wait() for each in followers))
        await append(store, "Order-1", 5)
        assert await store.head() == 5
        await until(lambda: all(each.positions == [1, 2, 3, 4, 5] for each in followers))
        began = time.monotonic()
        await asyncio.gather(*(each.cancel() for each in followers))
        assert time.monotonic() - began < 5

    run(main)


def test_closing_the_store_ends_its_followers(run):
    ended = []

    async def main(store):
        async def follow():
            async for _ in store.subscribe(on_idle=waits.set):
                pass
            ended.append(True)

        waits = asyncio.Event()
        task = asyncio.create_task(follow())
        await waits.wait()
        await store.aclose()
        await task
        with pytest.raises(StoreClosedError):
            await store.head()
        with pytest.raises(StoreClosedError):
            await append(store, "Order-1", 1)
        await store.aclose()

    run(main)
    assert ended == [True]


def test_a_follower_that_was_cancelled_is_followed_by_another_without_gap(run):
    async def main(store):
        first = Follower(store)
        writer = asyncio.create_task(append(store, "Order-1", 60))
        await until(lambda: len(first.positions) > 10)
        await first.cancel()
        second = Follower(store, after=first.positions[-1])
        await writer
        await until(lambda: len(first.positions) + len(second.positions) >= 60)
        await second.cancel()
        assert first.positions + second.positions == [*range(1, 61)]

    run(main)


def test_an_iterator_that_is_left_early_holds_nothing(run):
    async def main(store):
        await append(store, "Order-1", 5)
        for _ in range(3):
            async for event in store.replay():
                assert event.global_position == 1
                break
            events = store.read("Order-1")
            assert (await anext(events)).version == 1
            await events.aclose()
        await append(store, "Order-1", 1)
        assert await store.head() == 6

    run(main)


@contextmanager
def somebody_writing(url, newest):
    """Another program has the lock of all writers; a function that tells if somebody waits for it."""
    if url.startswith("postgresql"):
        schema = url.partition("schema=")[2].partition("&")[0]
        with writing(newest, schema):
            yield lambda: waiting(newest, "advisory", "evstore")
    else:
        with open(lock_of(url.removeprefix("sqlite:")), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lambda: "evstore-lock" in [thread.name for thread in threading.enumerate()]


def test_a_statement_that_waits_lets_other_tasks_run(run, url, newest):
    async def main(store):
        await append(store, "Order-1", 1)
        ticks = 0
        with somebody_writing(url, newest) as is_waited_for:
            task = asyncio.create_task(append(store, "Order-1", 1))
            while ticks < 50 or not is_waited_for():
                await asyncio.sleep(0.001)
                ticks += 1
            assert not task.done()
            assert await store.head() == 1
        await task
        assert await store.head() == 2

    run(main)


def test_a_timeout_ends_an_append_that_waits_for_another_writer(run, url, newest):
    async def main(store):
        await append(store, "Order-1", 1)
        with somebody_writing(url, newest) as is_waited_for:
            for _ in range(3):
                task = asyncio.create_task(append(store, "Order-1", 1))
                await until(is_waited_for)
                began = time.monotonic()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await task
                assert time.monotonic() - began < 5
        assert await store.head() == 1
        await append(store, "Order-1", 1)
        assert await store.head() == 2

    run(main)


@pytest.mark.parametrize("pool_size", [1, 2])
def test_more_tasks_than_connections_take_turns(postgres_place, pool_size):
    async def main(store):
        async def work(n):
            await append(store, f"Order-{n}", 3)
            assert [event.version async for event in store.read(f"Order-{n}")] == [1, 2, 3]

        followers = [Follower(store) for _ in range(4)]
        await asyncio.gather(*(work(n) for n in range(20)))
        await until(lambda: all(len(each.positions) == 60 for each in followers))
        for each in followers:
            await each.cancel()

    in_loop(with_store(postgres_place, main, pool_size=pool_size))


def test_a_store_serves_one_loop_after_another(postgres_place):
    store = evstore.aio.connect(postgres_place)
    for n in range(3):
        if n == 0:
            in_loop(store.initialize())
        in_loop(append(store, "Order-1", 2))
        assert in_loop(store.head()) == 2 * (n + 1)
    in_loop(store.aclose())


def test_callbacks_run_on_the_loop_and_may_be_coroutines(run):
    async def main(store):
        threads = set()

        async def idle():
            await asyncio.sleep(0)
            threads.add(threading.current_thread())
            if len(seen) == 2:
                raise ZeroDivisionError

        seen = []
        await append(store, "Order-1", 2)
        with pytest.raises(ZeroDivisionError):
            async for event in store.subscribe(on_idle=idle):
                seen.append(event)
        assert threads == {threading.current_thread()}

    run(main)


def test_every_kind_of_call_does_what_its_synchronous_namesake_does(run, tmp_path):
    async def main(store):
        stored = await store.append_many(
            [Write("Order-1", [EVENT, EVENT]), Write("Seat-1", [EventData("Taken", {}, tags=["seat:1"])])]
        )
        assert [event.global_position for event in stored] == [1, 2, 3]
        with pytest.raises(ConcurrencyError):
            await store.append("Order-1", [EVENT], evstore.NO_STREAM)
        decision = await store.decide(Query(tags=["seat:1"]))
        assert ([event.type for event in decision.events], decision.after) == (["Taken"], 3)
        assert await store.count(types=["Counted"]) == 2
        assert (await store.get(stored[0].id)) == stored[0]
        assert (await store.stream_info("Order-1")).version == 2
        assert [each.stream_id async for each in store.streams()] == ["Order-1", "Seat-1"]
        assert [each.category async for each in store.categories()] == ["Order", "Seat"]
        assert [each.type async for each in store.types()] == ["Counted", "Taken"]
        assert [each.tag async for each in store.tags()] == ["seat:1"]
        assert [event.global_position async for event in store.replay(backward=True)] == [3, 2, 1]
        assert (await store.info()).head == 3
        assert (await store.redact([stored[0].id], "a test")).stream_id == "$redactions"
        verification = store.verify()
        assert [found async for found in verification] == []
        assert (verification.head, verification.checked) == (4, 4)
        async with evstore.aio.connect(f"sqlite:{tmp_path}/copy.db") as copy:
            await copy.initialize()
            assert [each.position async for each in store.mirror(copy, once=True)][-1] == 4
            comparison = store.diff(copy)
            assert [found async for found in comparison] == []
            assert comparison.equal_to == 4
        with pytest.raises(InvalidInputError):
            [event async for event in store.read("")]

    run(main)
