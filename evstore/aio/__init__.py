"""The store for asyncio: the names of `evstore`, awaited.

    import evstore.aio

    async with evstore.aio.connect("postgresql://localhost/orders") as store:
        await store.append("Order-1", [EventData("OrderPlaced", {"total": 4})])
        async for event in store.read("Order-1"):
            ...

PostgreSQL and NATS work natively, on the thread of the event loop, and need `pip install 'evstore[aio]'`. SQLite,
memory and adapters of others work on threads of the store's own. Values and errors are those of `evstore`.

A cancelled task has stored all or nothing of what it appended: append again with the same ids or the same `key`,
and `duplicate` tells which. A cancelled iterator is at its end; `timeout` ends a subscription without that.
"""

from evstore.aio.bases import Rows
from evstore.aio.facade import (
    Comparison,
    Consumer,
    ConsumerList,
    EventStore,
    ProjectionRunner,
    Transaction,
    Verification,
    connect,
)

__all__ = [
    "Comparison",
    "Consumer",
    "ConsumerList",
    "EventStore",
    "ProjectionRunner",
    "Rows",
    "Transaction",
    "Verification",
    "connect",
]
