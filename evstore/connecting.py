"""The way from a URL to a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.store import EventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.application.codec import Codec
    from evstore.model.facts import LockWait


def connect(
    url: str,
    *,
    max_data_bytes: int | None = None,
    on_wait: Callable[[LockWait], None] | None = None,
    codec: Codec | None = None,
    **options: Any,
) -> EventStore:
    """The store at `memory:`, `sqlite:///path`, a bare path, `postgresql://…`, or the URL of an installed adapter.

    Nothing is opened before the first operation, nothing is made before `initialize`. `max_data_bytes`
    bounds one event's data (16 MiB). `on_wait` receives a `LockWait` when another writer is waited for, after two
    seconds; its text is for people. `codec` makes JSON of the application's events, and events of JSON, instead of
    msgspec. `options` go to the adapter: `timeout` in seconds to wait for other writers
    (30), for PostgreSQL `pool_size`, the most connections at a time (10).
    """
    from evstore.adapters import open_adapter

    return EventStore(open_adapter(url, **options), max_data_bytes=max_data_bytes, on_wait=on_wait, codec=codec)


def connect_for_command(
    url: str, timeout: float | None = None, on_wait: Callable[[LockWait], None] | None = None
) -> EventStore:
    """The same for a process that does one thing and ends, with the options that the adapter wants then."""
    from evstore.adapters import open_for_command

    return EventStore(open_for_command(url, timeout), on_wait=on_wait)
