"""The PostgreSQL adapter: a server, shared by many."""

from __future__ import annotations

from typing import Any

from evstore.adapters.postgres.adapter import PostgresAdapter
from evstore.adapters.postgres.connections import OneConnection
from evstore.adapters.postgres.location import location_of


def connect(
    url: str, *, timeout: float = 30.0, connect_timeout: float | None = None, pool_size: int = 10
) -> PostgresAdapter:
    """`timeout`: seconds to wait for other writers. `connect_timeout`: seconds to wait for the server (5, if
    the URL says nothing). `pool_size`: most connections at a time; with 1 there is no pool, threads take turns."""
    location = location_of(url, connect_timeout)
    if pool_size == 1:
        return PostgresAdapter(location, OneConnection(location, timeout), timeout)
    from evstore.adapters.postgres.pooling import PooledConnections

    return PostgresAdapter(location, PooledConnections(location, pool_size, timeout), timeout)


def command_options(timeout: float | None) -> dict[str, Any]:
    """The options for a command: one connection, and the same limit for connecting and for locks."""
    return {"pool_size": 1, "connect_timeout": timeout}
