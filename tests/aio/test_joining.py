"""Appends of a task in a transaction of the application, which gives its connection."""

from __future__ import annotations

import asyncio
import sqlite3

import psycopg

from evstore.adapters.postgres.location import location_of
from tests.support.tasks import EVENT, append


def connected(url):
    if url.startswith("postgresql"):
        return psycopg.connect(**location_of(url, None).conninfo)
    return sqlite3.connect(url.removeprefix("sqlite:"), check_same_thread=False)


def test_an_append_takes_part_in_a_transaction_while_the_loop_serves_others(run, url):
    async def main(store):
        await append(store, "Order-1", 1)
        connection = connected(url)
        for end in (connection.rollback, connection.commit):
            await store.append("Order-1", [EVENT], connection=connection)
            other = asyncio.create_task(append(store, "Order-2", 1))
            for _ in range(20):  # the loop goes on, and the other append waits
                await asyncio.sleep(0.001)
            assert not other.done()
            end()
            await other
        connection.close()
        assert [event.version async for event in store.read("Order-1")] == [1, 2]

    run(main)
