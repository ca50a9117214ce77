"""The parts of an adapter that work in an event loop: a connection, and what reads and writes over it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.adapters.nats.bucket import Bucket
from evstore.adapters.nats.client import Client
from evstore.adapters.nats.keeping import Keeping
from evstore.adapters.nats.lists import Lists
from evstore.adapters.nats.reading import Reading
from evstore.adapters.nats.session import Session
from evstore.adapters.nats.sources import Sources
from evstore.adapters.nats.watching import Watch
from evstore.adapters.nats.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from evstore.adapters.nats.location import Location

    Call = Callable[[Callable[["Parts"], Awaitable[Any]]], Any]
    """Waits for the answer of a coroutine, which gets the parts of the loop that it runs in."""


class Parts(NamedTuple):
    """The parts of one loop, made there."""

    session: Session
    reading: Reading
    writing: Writing
    lists: Lists
    sources: Sources
    watch: Watch
    bucket: Bucket
    keeping: Keeping

    @classmethod
    def made(cls, location: Location, timeout: float) -> Parts:
        """New parts, which have asked nobody yet."""
        client = Client(location, timeout)
        session = Session(client, location)
        reading, bucket = Reading(session), Bucket(client, location.name)
        sources = Sources(session, reading, bucket)
        session.start(_closed_at_last(client))
        return cls(
            session,
            reading,
            Writing(session, reading, sources, timeout),
            Lists(session, reading),
            sources,
            Watch(session),
            bucket,
            Keeping(session, bucket, timeout),
        )

    async def end(self) -> None:
        """End what works by itself, and the connection."""
        await self.session.end_tasks()


async def _closed_at_last(client: Client) -> None:
    """Close the connection when the task is cancelled: by the adapter, or by a loop that ends without it."""
    try:
        await asyncio.Event().wait()
    finally:
        await client.close()
