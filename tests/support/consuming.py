"""A store with a consumer, below the façade: what steps and holds do, without a consumer that runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from evstore import EventData
from evstore.adapters.postgres import connect
from evstore.appending.preparing import unit_of
from evstore.model.consumers import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.adapters.postgres.adapter import PostgresAdapter
    from evstore.port import Append, Consumers, Hold
    from tests.support.servers import Server

NAME: Final = "mailer"
EVENTS: Final = 4


def a_unit(stream_id: str = "Mail-1", size: int = 1) -> Append:
    return unit_of([(stream_id, [EventData("Sent", n) for n in range(size)], -1)])


@contextmanager
def consuming(url: str, **options: Any) -> Iterator[tuple[PostgresAdapter, Consumers]]:
    """An adapter on a store that has these events and this consumer, and is made if it is missing."""
    adapter = connect(url, **options)
    try:
        adapter.initialize()
        if not adapter.head(0, 0):
            adapter.append([a_unit("Order-1", EVENTS)])
        adapter.consumers().add(NAME, "{}", 0)
        yield adapter, adapter.consumers()
    finally:
        adapter.close()


def position(consumers: Consumers) -> int:
    """How far the consumer has come."""
    found = consumers.find(NAME)
    assert found is not None
    return found.global_position


def move(consumers: Consumers, hold: Hold, to: int) -> None:
    with consumers.step(hold) as step:
        step.move({WHOLE: to})


def expire(server: Server, schema: str) -> None:
    """Let all leases run out, as if nobody had renewed them for longer than they last."""
    server.execute(f"UPDATE {schema}.holds SET renewed_at = renewed_at - 10000001 WHERE renewed_at > 0")
