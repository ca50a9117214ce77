"""A follower on a subscriber, to which a logical subscription copies a log that is written meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import pytest

from evstore import EventData, connect
from tests.support.servers import OwnServer, another
from tests.support.subscriber import following
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Server

BEFORE: Final = 1000
"""Events of the log before anybody subscribes."""
WRITERS: Final = 3
APPENDS: Final = 50
"""Of each writer, while the tables are copied."""
SCHEMA: Final = "log"
ASKED: Final[dict[str, dict[str, Any]]] = {
    "log": {},
    "category": {"categories": ["Kind1"]},
    "type": {"types": ["Kind1Happened", "OldHappened"]},
}
PUBLISHED: Final = {
    f"TABLES IN SCHEMA {SCHEMA}": {},
    # One table after the other, the events first.
    f"TABLE {SCHEMA}.events, {SCHEMA}.streams, {SCHEMA}.types, {SCHEMA}.categories": {
        "max_sync_workers_per_subscription": 1
    },
}
"""What is published, and the settings of the subscriber."""


@pytest.fixture
def publisher(server: Server) -> Iterator[OwnServer]:
    with another(server, wal_level="logical") as made:
        yield made


@contextmanager
def subscribed(publisher: OwnServer, subscriber: OwnServer, published: str) -> Iterator[None]:
    publisher.execute(f"CREATE PUBLICATION of_log FOR {published}")
    source = f"host={publisher.folder} port={publisher.port} user=evstore dbname=postgres"
    subscriber.execute(f"CREATE SUBSCRIPTION to_log CONNECTION '{source}' PUBLICATION of_log")
    try:
        yield
    finally:
        subscriber.execute("DROP SUBSCRIPTION to_log")


def write(url: str, writer: int) -> None:
    with connect(url) as store:
        for n in range(APPENDS):
            kind = f"Kind{writer}" if n % 10 else f"Kind{writer}x{n}"  # a name now and then that nobody has yet
            store.append(f"{kind}-{n % 7}", [EventData(f"{kind}Happened", {"writer": writer, "n": n})] * 2)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("published", PUBLISHED, ids=["at once", "one by one"])
def test_a_follower_gets_every_event_once_and_in_order(
    server: Server, publisher: OwnServer, published: str, asked: str
) -> None:
    where = ASKED[asked]
    with another(server, wal_level="logical", **PUBLISHED[published]) as subscriber:
        with connect(publisher.url(SCHEMA)) as source, connect(subscriber.url(SCHEMA)) as copy:
            source.initialize()
            copy.initialize()
            source.append_many((f"Old-{n}", [EventData("OldHappened", n)], -1) for n in range(BEFORE))
            writers = [Thread(target=write, args=(publisher.url(SCHEMA), n), daemon=True) for n in range(WRITERS)]
            with (
                following(copy, on_wait=lambda error: print("waited:", error), **where) as found,
                subscribed(publisher, subscriber, published),
            ):
                for each in writers:
                    each.start()
                for each in writers:
                    each.join(PATIENCE)
                    assert not each.is_alive()
                wanted = list(source.replay(**where))
                assert len(wanted) > APPENDS
                assert found.take(len(wanted)) == wanted
