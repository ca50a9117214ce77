"""Event classes, aggregates and metadata of the work at hand, in tasks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import evstore
from evstore import Aggregate, EventData, Query
from tests.support.tasks import EVENT, append


@evstore.event
@dataclass(frozen=True)
class Deposited:
    amount: int


class Account(Aggregate):
    def __init__(self, id):
        super().__init__(id)
        self.balance = 0

    def deposit(self, amount):
        self.record(Deposited(amount))

    @evstore.when
    def deposited(self, event: Deposited):
        self.balance += event.amount


def test_tasks_that_change_one_aggregate_lose_no_change(run):
    async def main(store):
        store.snapshots(every=3)

        async def deposit(amount):
            await store.update(Account, "1", lambda account: account.deposit(amount), tries=100)

        await asyncio.gather(*(deposit(amount) for amount in range(1, 9)))
        account = await store.load_aggregate(Account, "1")
        assert (account.balance, account.version) == (36, 8)
        account.deposit(4)
        assert [event.version for event in await store.save_aggregate(account)] == [9]
        store.register(Deposited)
        assert sum(event.amount for event in await store.load("Account-1")) == 40
        assert await store.fold("Account-1", 0, lambda total, event: total + event.amount) == 40

    run(main)


def test_of_tasks_that_decide_at_once_one_takes_the_seat(run):
    async def main(store):
        seat = Query(tags=["seat:1"])

        async def take(n):
            def decide(decision):
                taken = EventData("Taken", {"by": n}, tags=["seat:1"])
                return None if decision.events else [evstore.Write(f"Seat-{n}", [taken])]

            return await store.update(seat, decide)

        took = await asyncio.gather(*(take(n) for n in range(8)))
        assert sum(len(stored) for stored in took) == 1

    run(main)


def test_metadata_of_a_block_stays_with_its_task(run):
    async def main(store):
        async def work(n):
            with evstore.metadata(correlation_id=f"request-{n}"):
                await append(store, f"Order-{n}", 3)

        await asyncio.gather(*(work(n) for n in range(6)))
        await append(store, "Order-9", 1)
        async for event in store.replay():
            wanted = None if event.stream_id == "Order-9" else event.stream_id.replace("Order", "request")
            assert event.metadata.correlation_id == wanted

    run(main)


def test_what_a_handler_appends_is_caused_by_the_event_in_hand(run):
    async def main(store):
        await append(store, "Order-1", 3)

        async def handle(events, tx):
            for _ in events:
                await asyncio.sleep(0)
                await tx.append("Copy-1", [EVENT])

        consumer = store.consumer("copier", categories=["Order"])
        assert await consumer.run(handle, 10, transactional=True, once=True) == 3
        causes = [event.id async for event in store.read("Order-1")]
        assert [event.metadata.causation_id async for event in store.read("Copy-1")] == causes

    run(main)
