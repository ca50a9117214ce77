"""A store that a subscription fills: it is read, and nothing is written beside the replication."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from evstore import DeniedError, EventData, connect
from evstore.adapters.postgres.tools import url_for_tools
from evstore.cli.exits import CODES
from tests.support.command import Command
from tests.support.sentences import names
from tests.support.servers import another, newest_of
from tests.support.subscriptions import publish, ready, subscribe, unsubscribe
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evstore import EventStore
    from tests.support.servers import OwnServer, Servers

LOG = ("events", "streams", "categories", "types", "tags", "event_tags", "sources")
CONSUMERS = ("consumers", "checkpoints", "parked")
AN_EVENT = [EventData("Placed", {})]
LARGE = [EventData("Placed", n) for n in range(1001)]
"""More than goes in one call."""


class Pair(NamedTuple):
    publisher: OwnServer
    subscriber: OwnServer
    schema: str

    @property
    def name(self) -> str:
        """That of the publication and of the subscription."""
        return f"copy_{self.schema}"

    @property
    def url(self) -> str:
        return self.subscriber.url(self.schema)


@pytest.fixture(scope="module")
def two(servers: Servers) -> Iterator[tuple[OwnServer, OwnServer]]:
    server = newest_of(servers)
    quick = {"wal_retrieve_retry_interval": "50ms", "max_sync_workers_per_subscription": 4}
    with another(server, wal_level="logical") as publisher, another(server, **quick) as subscriber:
        yield publisher, subscriber


@contextmanager
def filled(two: tuple[OwnServer, OwnServer], tables: tuple[str, ...]) -> Iterator[Pair]:
    """A store with one event, and a copy of these of its tables."""
    publisher, subscriber = two
    schema = publisher.new_schema()
    pair = Pair(publisher, subscriber, schema)
    with ExitStack() as ends:
        for server in two:
            ends.callback(server.drop, schema)
            with connect(server.url(schema)) as store:
                store.initialize()
        with connect(publisher.url(schema)) as store:
            store.append("Order-1", AN_EVENT)
        publish(publisher, pair.name, [f"{schema}.{table}" for table in tables])
        ends.callback(publisher.execute, f"DROP PUBLICATION {pair.name}")
        subscribe(subscriber, publisher, pair.name)
        ends.callback(unsubscribe, subscriber, pair.name)
        ready(subscriber)
        yield pair


@pytest.fixture(scope="module")
def log(two: tuple[OwnServer, OwnServer]) -> Iterator[Pair]:
    """A copy of the log alone."""
    with filled(two, LOG) as pair:
        yield pair


def follows(pair: Pair) -> None:
    """The copy still gets what is appended at the publisher."""
    with connect(pair.publisher.url(pair.schema)) as store, connect(pair.url) as copy:
        (event,) = store.append("Order-1", AN_EVENT)
        wait_for(lambda: copy.head() >= event.global_position)
        assert [*copy.replay()] == [*store.replay()]


def joined(store: EventStore) -> None:
    with psycopg.connect(url_for_tools(store._adapter._location)) as connection:
        store.append("Order-1", AN_EVENT, connection=connection)


WRITES: dict[str, Callable[[EventStore], object]] = {
    "one event": lambda store: store.append("Order-1", AN_EVENT),
    "many events": lambda store: store.append("Order-1", LARGE),
    "several streams": lambda store: store.append_many([("Order-1", AN_EVENT, -1), ("Order-2", AN_EVENT, -1)]),
    "in a transaction": joined,
    "redacted": lambda store: store.redact([next(store.replay()).id], "no reason"),
    "already stored": lambda store: store.append("Order-1", [EventData("Placed", {}, id=next(store.replay()).id)]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_refused_while_the_subscription_is_enabled(log: Pair, write: str) -> None:
    with connect(log.url) as copy:
        before = [*copy.replay()]
        with pytest.raises(DeniedError) as refused:
            WRITES[write](copy)
        assert refused.value.code == "denied"
        assert not refused.value.retryable
        assert names(refused.value, copy.location.split("?", maxsplit=1)[0], f'"{log.name}"')
        assert [*copy.replay()] == before
        assert log.subscriber.execute(f"SELECT count(*) FROM {log.schema}.staged") == [(0,)]
    follows(log)


def test_the_command_exits_with_denied_and_info_warns(log: Pair, tmp_path: Path) -> None:
    with connect(log.publisher.url(log.schema)) as store:
        lines = b"".join(event.to_json().encode() + b"\n" for event in store.replay())
    command = Command(tmp_path, log.url)
    for words, given in ((("append", "Order-1", "-t", "Placed", "-d", "{}"), None), (("import", "-"), lines)):
        done = command(*words, stdin=given)
        assert done.code == CODES["denied"], done
        assert f'"{log.name}"' in done.err
        assert f'DROP SUBSCRIPTION "{log.name}"' in done.err
    with connect(log.url) as copy:
        (warning,) = copy.info().warnings
        assert f'"{log.name}"' in warning


def test_a_role_that_may_append_and_see_no_more_is_refused(log: Pair) -> None:
    role = f"role_{log.schema}"
    log.subscriber.execute(f"CREATE ROLE {role} LOGIN")
    try:
        log.subscriber.execute(f"GRANT USAGE ON SCHEMA {log.schema} TO {role}")
        with connect(log.url) as copy:
            copy.initialize(grant_append=[role])
        with connect(log.subscriber.url(log.schema, user=role)) as copy:
            with pytest.raises(DeniedError, match=log.name):
                copy.append("Order-1", AN_EVENT)
            assert copy.info().warnings
    finally:
        log.subscriber.execute(f"DROP OWNED BY {role}")
        log.subscriber.execute(f"DROP ROLE {role}")


def test_a_copy_of_the_log_alone_has_consumers_of_its_own(log: Pair) -> None:
    with connect(log.url) as copy:
        seen: list[int] = []
        copy.consumer("own").run(lambda events: seen.extend(e.global_position for e in events), once=True)
        assert seen == [event.global_position for event in copy.replay()]
        with pytest.raises(DeniedError, match=log.name):
            copy.consumer("appending").run(lambda _: [("Answer-1", AN_EVENT, -1)], appends=True, once=True)
    follows(log)


def test_another_store_of_the_server_is_written_as_ever(log: Pair) -> None:
    with log.subscriber.lent_store() as url, connect(url) as store:
        assert store.append("Order-1", AN_EVENT)
        assert not store.info().warnings


def test_a_copy_with_consumers_shows_them_and_changes_none(two: tuple[OwnServer, OwnServer]) -> None:
    with filled(two, (*LOG, *CONSUMERS)) as pair, connect(pair.url) as copy:
        with connect(pair.publisher.url(pair.schema)) as store:
            store.consumer("mailer").run(lambda _: None, once=True)
        wait_for(lambda: [*copy.consumers.all()])
        for work in (
            lambda: copy.consumer("mailer").run(lambda _: None, once=True),
            lambda: copy.consumer("new").run(lambda _: None, once=True),
            lambda: copy.consumers.reset("mailer", 0),
            lambda: copy.consumers.remove("mailer"),
        ):
            with pytest.raises(DeniedError, match=pair.name):
                work()
        with connect(pair.publisher.url(pair.schema)) as store:
            store.consumer("new").run(lambda _: None, once=True)
        wait_for(lambda: len([*copy.consumers.all()]) == 2)
        follows(pair)


@pytest.mark.long("a copy of its own")
@pytest.mark.seldom
def test_a_hold_that_is_older_than_the_subscription_moves_nothing(two: tuple[OwnServer, OwnServer]) -> None:
    with filled(two, LOG) as pair, connect(pair.url) as copy, copy.consumer("mailer") as consumer:
        publish(pair.publisher, pair.name, [f"{pair.schema}.{table}" for table in CONSUMERS], adds=True)
        pair.subscriber.execute(f"ALTER SUBSCRIPTION {pair.name} REFRESH PUBLICATION WITH (copy_data = false)")
        with pytest.raises(DeniedError, match=pair.name):
            consumer.run(lambda _: None, once=True)


def test_without_an_enabled_subscription_the_copy_goes_on_by_itself(two: tuple[OwnServer, OwnServer]) -> None:
    with filled(two, LOG) as pair, connect(pair.url) as copy:
        pair.subscriber.execute(f"ALTER SUBSCRIPTION {pair.name} DISABLE")
        assert [event.version for event in copy.append("Order-1", AN_EVENT)] == [2]
        assert not copy.info().warnings
        unsubscribe(pair.subscriber, pair.name)
        assert len(copy.append("Order-2", LARGE)) == len(LARGE)
        assert not [*copy.verify()]
