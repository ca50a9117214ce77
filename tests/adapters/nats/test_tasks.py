"""Tasks of asyncio on a store in NATS: on the thread of their loop, over a connection that lives there."""

from __future__ import annotations

import asyncio
import threading

import pytest

import evstore.aio
from evstore import ConcurrencyError, EventData, StoreClosedError
from evstore.adapters.nats.loops import THREAD
from evstore.testing.builders import an_id
from tests.support.tasks import EVENT, append, in_loop, until, with_store


@pytest.fixture
def run(nats_server):
    """Runs a coroutine function with an empty store, which is closed after it. No thread may be made for it."""

    def ran(main):
        result = in_loop(with_store(nats_server.place(), main))
        assert not any(THREAD in each.name for each in threading.enumerate())
        return result

    return ran


def test_tasks_append_and_read_on_the_thread_of_their_loop(run):
    async def main(store):
        before = threading.active_count()
        await asyncio.gather(*(append(store, f"Order-{n % 2}", 5) for n in range(4)))
        with pytest.raises(ConcurrencyError):
            await store.append("Order-0", [EVENT], 3)
        assert [event.version async for event in store.read("Order-1")] == [*range(1, 11)]
        assert [event.global_position async for event in store.replay()] == [*range(1, 21)]
        assert (await store.info()).head == 20
        assert threading.active_count() == before

    run(main)


def test_a_follower_gets_what_other_tasks_append(run):
    async def main(store):
        positions = []

        async def follow():
            async for event in store.subscribe():
                positions.append(event.global_position)

        task = asyncio.create_task(follow())
        await append(store, "Order-1", 3)
        await until(lambda: positions == [1, 2, 3])
        task.cancel()
        await asyncio.wait([task])
        await append(store, "Order-1", 1)

    run(main)


def test_a_consumer_of_a_task_keeps_its_checkpoint(run):
    async def main(store):
        await append(store, "Order-1", 3)
        for wanted in ([1, 2, 3], []):
            handled = []

            async def handle(events, handled=handled):
                await asyncio.sleep(0)
                handled += [event.global_position for event in events]

            async with store.consumer("mailer") as consumer:
                await consumer.run(handle, once=True)
            assert handled == wanted

    run(main)


def test_a_cancelled_append_is_stored_whole_or_not_at_all_and_a_retry_tells(run):
    async def main(store):
        await append(store, "Order-0", 1)
        for n in range(30):
            events = [EventData("Counted", {"n": n}, id=an_id()) for _ in range(2)]
            task = asyncio.create_task(store.append(f"Order-{n % 3}", events))
            await asyncio.sleep(n / 3000)
            task.cancel()
            await asyncio.wait([task])
            stored = await store.get_many([each.id for each in events])
            assert len(stored) in (0, 2)
            again = await store.append(f"Order-{n % 3}", events)
            assert again.duplicate == bool(stored)
        assert [found async for found in store.verify()] == []

    run(main)


def test_whatever_waits_ends_when_the_store_is_closed(nats_server):
    async def main():
        store = evstore.aio.connect(nats_server.place())
        await store.initialize()

        async def follow():
            async for _ in store.subscribe():
                pass

        task = asyncio.create_task(follow())
        await append(store, "Order-1", 1)
        await store.aclose()
        await task
        with pytest.raises(StoreClosedError):
            await store.head()

    in_loop(main())


def test_a_store_serves_one_loop_after_another(nats_server):
    store = evstore.aio.connect(nats_server.place())

    async def first():
        await store.initialize()
        await append(store, "Order-1", 1)

    async def second():
        await append(store, "Order-1", 1)
        assert await store.head() == 2
        await store.aclose()

    asyncio.run(first())
    asyncio.run(second())
