"""A cancelled task leaves all or nothing, and a store that others can use at once."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

import pytest

import evstore.aio
from evstore import EventData, Write
from evstore.model.ids import new_id
from evstore.testing.builders import an_id
from tests.support.tasks import EVENT, append, in_loop, with_store

CANCELLED = 100
"""On each of the two databases."""


def a_unit(rng, n):
    """Writes to one or two streams, and the ids of their events."""
    streams = [f"Order-{rng.randrange(4)}", f"Seat-{n}"][: rng.randint(1, 2)]
    writes = [
        Write(stream, [EventData("Counted", {"n": n}, id=new_id()) for _ in range(rng.randint(1, 3))])
        for stream in streams
    ]
    return writes, [event.id for write in writes for event in write.events]


async def cancelled(task, seconds):
    """Cancel the task after some time, and wait for its end."""
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])


def test_a_cancelled_append_is_stored_whole_or_not_at_all_and_a_retry_tells(run):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)

    async def main(store):
        began = time.perf_counter()
        await append(store, "Order-0", 10)
        longest = 2 * (time.perf_counter() - began) / 10
        outcomes = {True: 0, False: 0}
        writer = asyncio.create_task(append(store, "Other-1", 10**6))
        for n in range(CANCELLED):
            writes, ids = a_unit(rng, n)
            task = asyncio.create_task(store.append_many(writes))
            if n == 0:
                await task
            elif n > 1:
                await asyncio.sleep(rng.random() * longest)
            task.cancel()
            await asyncio.wait([task])
            stored = await store.get_many(ids)
            assert len(stored) in (0, len(ids)), f"seed {seed}"
            if not task.cancelled():
                assert len(stored) == len(ids), f"seed {seed}"
            again = await store.append_many(writes)
            assert again.duplicate == bool(stored), f"seed {seed}"
            assert [event.id for event in again] == ids
            outcomes[bool(stored)] += 1
        await cancelled(writer, 0)
        print("stored and absent", outcomes)
        assert all(outcomes.values())
        assert [found async for found in store.verify()] == []

    run(main)


def test_a_cancelled_large_append_leaves_nothing_staged_and_a_connection_to_go_on_with(postgres_place):
    async def main(store):
        events = [EventData("Counted", {"text": "x" * 1000}) for _ in range(5000)]
        for n in range(6):
            task = asyncio.create_task(store.append(f"Large-{n}", events))
            await cancelled(task, n * 0.02)
            stored = [event.version async for event in store.read(f"Large-{n}")]
            assert len(stored) in (0, 5000)
        await append(store, "Order-1", 1)
        assert [found async for found in store.verify()] == []

    in_loop(with_store(postgres_place, main, pool_size=2))


def test_cancelled_tasks_leave_all_connections_to_others(postgres_place):
    async def main(store):
        async def work():
            while True:
                await append(store, "Order-1", 1)
                [event async for event in store.replay(limit=3)]

        for _ in range(30):
            tasks = [asyncio.create_task(work()) for _ in range(5)]
            await asyncio.sleep(0.01)
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            assert all(each.cancelled() for each in tasks)
            await append(store, "Order-2", 1)
        await asyncio.gather(*(append(store, f"Order-{n}", 2) for n in range(10)))

    in_loop(with_store(postgres_place, main, pool_size=2))


def test_a_task_that_is_cancelled_twice_frees_its_connection(postgres_place):
    async def main(store):
        await append(store, "Order-1", 1)
        for seconds in (0.001, 0.002, 0.004, 0.008):
            task = asyncio.create_task(append(store, "Order-1", 1000))
            await asyncio.sleep(seconds)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([task])
            assert task.cancelled()
        await append(store, "Order-2", 1)

    in_loop(with_store(postgres_place, main, pool_size=1))


def test_a_loop_that_ends_without_its_tasks_leaves_a_store_to_another_loop(postgres_place):
    """As where a program stops its loop, and never cancels what runs."""
    store = evstore.aio.connect(postgres_place, pool_size=2)
    in_loop(store.initialize())
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(append(store, f"Order-{n}", 1000)) for n in range(2)]
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.set_exception_handler(lambda *_: None)  # it reports that the tasks were pending
    loop.close()
    for each in tasks:
        each.get_coro().close()
    tasks.clear()
    in_loop(append(store, "Order-9", 2))
    assert in_loop(store.stream_info("Order-9")).version == 2
    in_loop(store.aclose())


def test_a_loop_that_ends_within_a_handler_frees_the_thread_that_waits_for_it(tmp_path):
    store = evstore.aio.connect(f"sqlite:{tmp_path}/events.db")
    in_loop(store.initialize())
    in_loop(append(store, "Order-1", 2))
    loop = asyncio.new_event_loop()
    reached = []

    async def handle(events, tx):
        await tx.append("Copy-1", [EVENT for _ in events])
        reached.append(loop.stop())
        await asyncio.Event().wait()

    task = loop.create_task(store.consumer("copier").run(handle, transactional=True))
    loop.run_forever()
    loop.set_exception_handler(lambda *_: None)  # it reports that the tasks were pending
    loop.close()
    task.get_coro().close()
    assert reached

    async def look():
        await append(store, "Order-1", 1)
        return [event.stream_id async for event in store.replay()]

    assert in_loop(look()) == ["Order-1"] * 3
    in_loop(store.aclose())


def test_a_cancelled_read_ends_its_iteration(run):
    async def main(store):
        for n in range(30):
            await store.append(f"Order-{n % 3}", [EVENT] * 20)
        ended = 0
        for n in range(20):
            events = store.replay()

            async def read(events=events):
                return [event.global_position async for event in events]

            task = asyncio.create_task(read())
            await cancelled(task, n / 5000)
            if task.cancelled():
                ended += 1
                assert [event async for event in events] == []
            else:
                assert task.result() == [*range(1, 601)]
        assert ended
        assert len([event async for event in store.replay()]) == 600

    run(main)


def test_a_follower_of_a_store_in_memory_is_cancelled_at_once():
    async def main():
        async with evstore.aio.connect("memory:") as store:
            waits = asyncio.Event()

            async def follow():
                async for _ in store.subscribe(on_idle=waits.set):
                    pass

            began = time.monotonic()
            for _ in range(8):
                task = asyncio.create_task(follow())
                await waits.wait()
                waits.clear()
                await cancelled(task, 0)
                assert task.cancelled()
            assert time.monotonic() - began < 8 * 0.5  # each would wait for a second

    in_loop(main())


def test_a_task_cancelled_before_it_began_changes_nothing(run):
    async def main(store):
        ident = an_id()
        task = asyncio.create_task(store.append("Order-1", [EventData("Counted", {}, id=ident)]))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await store.head() == 0
        assert not (await store.append("Order-1", [EventData("Counted", {}, id=ident)])).duplicate

    run(main)


def test_a_subscription_ends_by_its_timeout_without_being_cancelled(run):
    async def main(store):
        await append(store, "Order-1", 2)
        assert [event.version async for event in store.subscribe(timeout=0.01)] == [1, 2]

    run(main)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05])
def test_a_store_that_was_cancelled_while_it_connected_connects_anew(postgres_place, seconds):
    async def main():
        async with evstore.aio.connect(postgres_place) as store:
            task = asyncio.create_task(store.initialize())
            await cancelled(task, seconds)
            await store.initialize()
            await append(store, "Order-1", 1)
            assert await store.head() == 1

    in_loop(main())
