"""The facts of a store for `info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.adapters.nats.layout import VERSION, checked, protection_of
from evstore.model.facts import StoreInfo
from evstore.model.names import category_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evstore.adapters.nats.lists import Lists
    from evstore.adapters.nats.session import Session

HOW_DURABLE: Final = (
    "as the servers are configured: an acknowledged append is on the disks of most replicas if each server has "
    "jetstream { sync_interval: always }, which evstore cannot see"
)
_UNSEEN: Final = "not visible to clients; the monitoring port shows it as sync_always in /jsz?config=1"
_ONE: Final = (
    "the stream has 1 replica: the loss of its server is the loss of the store; a cluster of three keeps three"
)


async def info(session: Session, lists: Lists, limits: Mapping[str, str]) -> StoreInfo:
    """The kind, location and size of the store, with its limits among the settings."""
    end = await session.end()
    streams = await lists.counts(session.subjects.events)
    found = await checked(session.client, session.location)
    connection = await session.client.connected()
    version = connection.connected_server_version
    replicas = found["config"]["num_replicas"]
    return StoreInfo(
        backend="nats",
        backend_version=f"{version.major}.{version.minor}.{version.patch}",
        location=session.location.shown,
        schema_version=VERSION,
        streams=len(streams),
        categories=len({*map(category_of, streams)}),
        head=end.position,
        size_bytes=found["state"]["bytes"],
        durability={"replicas": str(replicas), "sync_interval": _UNSEEN, **limits},
        warnings=(_ONE,) if replicas == 1 else (),
        durable=True,
        how_durable=HOW_DURABLE,
        protection=protection_of(session.name),
    )
