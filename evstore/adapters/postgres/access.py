"""The ways into a session for the chapters of the port beside events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from evstore.adapters.postgres.connections import Connections
    from evstore.adapters.postgres.location import Location
    from evstore.adapters.postgres.reading import Question
    from evstore.errors import EvstoreError


class Access(NamedTuple):
    """The ways to a store that a session has."""

    location: Location
    connections: Connections
    timeout: float
    rows: Callable[[Question], list[tuple[Any, ...]]]
    """Asks a question, again after a lost connection."""
    tried: Callable[[Callable[[Connection], Any]], Any]
    """Does what may be done twice, again after a lost connection."""
    admit_writer: Callable[[], None]
    """Raises unless this evstore may write to the store."""
    explained: Callable[[Any], EvstoreError]
    again: Callable[[], None]
    """Takes note that a connection was lost."""
    hint: Callable[[], None]
    """Wakes those who wait for events."""
