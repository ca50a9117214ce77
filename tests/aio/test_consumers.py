"""Consumers, projections and transactions with coroutines as handlers."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass

import pytest

import evstore
import evstore.aio
from evstore import (
    ConsumerHeldError,
    EventData,
    InvalidInputError,
    Projection,
    SqliteCheckpoint,
    StoredEvent,
    UnsupportedError,
    Write,
)
from tests.support.tasks import EVENT, append, in_loop, until, with_store


class Handler:
    """A coroutine function that keeps the positions it got, and waits at those where it is told to."""

    def __init__(self, waits_at=(), fails_at=()):
        self.positions = []
        self.waits_at = waits_at
        self.fails_at = {*fails_at}
        self.waits = asyncio.Event()

    async def __call__(self, events, *_):
        for event in events:
            if event.global_position in self.waits_at:
                self.waits.set()
                await asyncio.Event().wait()
            if event.global_position in self.fails_at:
                raise ValueError(f"no route for {event.stream_id}")
        await asyncio.sleep(0)
        self.positions += [event.global_position for event in events]


def test_two_consumers_and_an_appending_task_work_side_by_side(run):
    async def main(store):
        handlers = [Handler(), Handler()]
        consumers = [store.consumer(f"c{n}") for n in range(2)]
        tasks = [
            asyncio.create_task(each.run(handler, 5)) for each, handler in zip(consumers, handlers, strict=True)
        ]
        await append(store, "Order-1", 40)
        await until(lambda: all(len(each.positions) >= 40 for each in handlers))
        for each in consumers:
            each.stop()
        assert [await each for each in tasks] == [40, 40]
        assert [each.positions for each in handlers] == [[*range(1, 41)]] * 2
        assert [(each.name, each.lag) async for each in store.consumers.all()] == [("c0", 0), ("c1", 0)]

    run(main)


def test_a_consumer_that_is_cancelled_within_its_handler_begins_again_with_that_event(run):
    async def main(store):
        await append(store, "Order-1", 5)
        handler = Handler(waits_at=[4])
        task = asyncio.create_task(store.consumer("mailer").run(handler))
        await handler.waits.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert handler.positions == [1, 2, 3]
        after = Handler()
        assert await store.consumer("mailer").run(after, once=True) == 2
        assert after.positions == [4, 5]

    run(main)


def test_a_consumer_that_is_cancelled_while_it_waits_lets_go_of_its_name(run):
    async def main(store):
        idle = asyncio.Event()
        task = asyncio.create_task(store.consumer("mailer").run(Handler(), on_idle=idle.set))
        await idle.wait()
        with pytest.raises(ConsumerHeldError):
            await store.consumer("mailer").run(Handler(), once=True)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await append(store, "Order-1", 1)
        assert await store.consumer("mailer").run(Handler(), once=True) == 1

    run(main)


def test_a_handler_that_fails_is_tried_again_and_its_event_is_parked(run):
    async def main(store):
        await append(store, "Order-1", 2)
        await append(store, "Order-2", 1)
        retried = []

        async def note(error, left, _seconds):
            await asyncio.sleep(0)
            retried.append((str(error), left))

        handler = Handler(fails_at=[1])
        with pytest.raises(ValueError, match="no route"):
            await store.consumer("mailer").run(handler, once=True)
        options = {"retries": 2, "backoff": 0.001, "on_failure": "park", "on_retry": note}
        async with store.consumer("mailer") as mailer:
            assert await mailer.run(handler, once=True, **options) == 1
        assert retried == [("no route for Order-1", 2), ("no route for Order-1", 1)]
        (parked,) = await store.consumers.parked("mailer")
        handler.fails_at.clear()
        await store.consumers.retry("mailer", parked.event_id)
        assert await store.consumer("mailer").run(handler, once=True) == 2
        assert handler.positions == [3, 1, 2]

    run(main)


def test_what_a_transactional_handler_writes_commits_with_the_checkpoint(run):
    async def main(store):
        await append(store, "Order-1", 3)
        failing = {2}

        async def handle(events, tx):
            (event,) = events
            await tx.execute("CREATE TABLE IF NOT EXISTS handled (position INTEGER)")
            await tx.execute(f"INSERT INTO handled VALUES ({event.global_position})")
            (stored,) = await tx.append("Copy-1", [EVENT])
            assert stored.stream_id == "Copy-1"
            if event.global_position in failing:
                raise ValueError("in the middle")

        async def look(_events, tx):
            found = await tx.execute("SELECT position FROM handled ORDER BY position")
            seen.append((found.fetchone(), [*found], found.fetchall()))
            with pytest.raises(ZeroDivisionError):
                await tx.connection(lambda _: 1 // 0)
            seen.append(await tx.connection(lambda each: each.execute("SELECT 7").fetchone()))

        seen = []
        consumer = {"categories": ["Order"]}
        with pytest.raises(ValueError, match="in the middle"):
            await store.consumer("copier", **consumer).run(handle, transactional=True, once=True)
        failing.clear()
        assert await store.consumer("copier", **consumer).run(handle, transactional=True, once=True) == 2
        assert (await store.stream_info("Copy-1")).version == 3
        assert await store.consumer("looker", types=["Counted"]).run(look, 9, transactional=True, once=True) == 6
        assert seen == [((1,), [(2,), (3,)], []), (7,)]

    run(main)


def test_within_a_transaction_the_store_itself_refuses_to_append(run):
    """Also in a task that the handler started; one that goes on after the transaction may append."""

    async def main(store):
        await append(store, "Order-1", 1)
        ended = asyncio.Event()
        later = []

        async def append_later():
            await ended.wait()
            await append(store, "Later-1", 1)

        async def handle(_events, tx):
            with pytest.raises(InvalidInputError, match=r"tx\.append"):
                await append(store, "Copy-1", 1)
            with pytest.raises(InvalidInputError, match=r"tx\.append"):
                await asyncio.create_task(append(store, "Copy-1", 1))
            assert await store.head() == 1
            await asyncio.gather(*(tx.append("Copy-1", [EVENT]) for _ in range(3)))
            later.append((tx, asyncio.create_task(append_later())))

        await store.consumer("copier", categories=["Order"]).run(handle, transactional=True, once=True)
        ((tx, task),) = later
        ended.set()
        await task
        with pytest.raises(UnsupportedError, match="ended"):
            await tx.append("Copy-1", [EVENT])
        assert [event.stream_id async for event in store.replay(after=1)] == ["Copy-1"] * 3 + ["Later-1"]

    run(main)


@pytest.mark.parametrize("pool_size", [1, 2])
def test_a_transactional_handler_reads_the_store_though_connections_are_few(postgres_place, pool_size):
    async def main(store):
        await append(store, "Order-1", 3)

        async def handle(events, tx):
            assert [event.version async for event in store.read("Order-1")] == [1, 2, 3]
            if pool_size == 1:  # each gets a connection of its own, since the transaction has the only one
                assert await asyncio.gather(*(store.count(categories=["Order"]) for _ in range(2))) == [3, 3]
            await tx.append("Copy-1", [EVENT for _ in events])

        consumer = store.consumer("copier", categories=["Order"])
        assert await consumer.run(handle, transactional=True, once=True) == 3

    in_loop(with_store(postgres_place, main, pool_size=pool_size))


def test_a_handler_answers_events_with_writes(run):
    async def main(store):
        await append(store, "Order-1", 2)

        async def react(events):
            await asyncio.sleep(0)
            return [Write("Answer-1", [EventData("Answered", each.version)]) for each in events]

        assert await store.consumer("answering", types=["Counted"]).run(react, appends=True, once=True) == 2
        assert [event.data async for event in store.read("Answer-1")] == [1, 2]

    run(main)


def test_a_checkpoint_elsewhere_moves_with_what_the_handler_writes_there(run, tmp_path):
    async def main(store):
        await append(store, "Order-1", 3)
        elsewhere = sqlite3.connect(tmp_path / "elsewhere.db", check_same_thread=False)
        elsewhere.execute("CREATE TABLE handled (position INTEGER)")

        async def handle(events):
            await asyncio.sleep(0)
            elsewhere.executemany("INSERT INTO handled VALUES (?)", [(each.global_position,) for each in events])

        consumer = store.consumer("copier")
        assert await consumer.run(handle, checkpoint=SqliteCheckpoint(elsewhere), once=True) == 3
        assert elsewhere.execute("SELECT * FROM handled").fetchall() == [(1,), (2,), (3,)]
        elsewhere.close()

    run(main)


@evstore.event
@dataclass
class Counted:
    n: int


class Counters(Projection):
    name = "counters"

    def create(self, tx):
        tx.execute(f"CREATE TABLE {tx.table('counters')} (stream TEXT, n INTEGER)")

    @evstore.when
    def counted(self, event: Counted, stored: StoredEvent, tx):
        tx.execute(f"INSERT INTO {tx.table('counters')} VALUES ('{stored.stream_id}', {event.n})")


def test_a_projection_is_kept_by_a_task(run):
    async def main(store):
        await append(store, "Order-1", 3)
        assert await store.projection(Counters).run(once=True) == 3
        runner = store.projection(Counters)
        task = asyncio.create_task(runner.run())
        await append(store, "Order-2", 2)
        consumer = (await runner.status()).consumer
        assert await store.consumers.wait(consumer, 5)
        runner.stop()
        assert await task == 2
        status = await runner.status()
        assert (status.state, status.position, status.lag) == ("live", 5, 0)
        assert await store.projection(Counters).rebuild() == 5

    run(main)


def test_closing_the_store_ends_its_consumers(run):
    async def main(store):
        idle = asyncio.Event()
        task = asyncio.create_task(store.consumer("mailer").run(Handler(), on_idle=idle.set))
        await idle.wait()
        await store.aclose()
        assert await task == 0

    run(main)
