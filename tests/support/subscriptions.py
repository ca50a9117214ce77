"""Logical replication between two servers of the tests: publications, and subscriptions of the same name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from tests.support.servers import USER
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.servers import OwnServer


def publish(publisher: OwnServer, name: str, tables: Sequence[str], *, adds: bool = False) -> None:
    """Publish these tables; in the publication that is there, if it `adds`."""
    verb = f"ALTER PUBLICATION {name} ADD" if adds else f"CREATE PUBLICATION {name} FOR"
    publisher.execute(f"{verb} TABLE {', '.join(tables)}")


def source_of(publisher: OwnServer) -> str:
    """The connection string of a subscriber."""
    return f"host={publisher.folder} port={publisher.port} user={USER} dbname=postgres"


def subscribe(subscriber: OwnServer, publisher: OwnServer, name: str) -> None:
    subscriber.execute(f"CREATE SUBSCRIPTION {name} CONNECTION '{source_of(publisher)}' PUBLICATION {name}")


def ready(subscriber: OwnServer) -> None:
    """Wait until all tables were copied, so that changes follow."""
    states = "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"
    wait_for(lambda: subscriber.execute(states) == [(True,)])


def unsubscribe(subscriber: OwnServer, name: str) -> None:
    """Drop the subscription, if it is there, and its slot."""
    with suppress(psycopg.errors.UndefinedObject):
        subscriber.execute(f"DROP SUBSCRIPTION {name}")
