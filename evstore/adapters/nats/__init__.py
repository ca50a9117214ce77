"""The NATS JetStream adapter: a stream of a cluster, shared by many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.errors import MissingDependencyError

if TYPE_CHECKING:
    from evstore.adapters.nats.adapter import NatsAdapter


def connect(url: str, *, timeout: float = 30.0) -> NatsAdapter:
    """The store of `nats://host:4222,host2:4222/NAME`. `timeout`: seconds to wait for servers and writers."""
    try:
        import nats  # noqa: F401 - without it nothing of the adapter can be loaded
    except ImportError as error:
        raise MissingDependencyError(
            "a store on NATS needs the package nats-py: pip install 'evstore[nats]'"
        ) from error
    from evstore.adapters.nats.adapter import NatsAdapter
    from evstore.adapters.nats.location import location_of

    return NatsAdapter(location_of(url), timeout)
