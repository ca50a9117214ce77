"""The chapter of the port about snapshots, a cache beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evstore.port.adapter import Adapter

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Snapshot(NamedTuple):
    """The state of an application's object at a version of its stream."""

    stream_id: str
    kind: str
    """The class that it is of."""
    version: int
    event_id: str
    """The event at that version."""
    code: str
    """A digest of the code that made the state."""
    state: str
    """JSON text, which no adapter reads."""


class Snapshots(Protocol):
    """The snapshots of a store: one at most of each stream and kind."""

    def find(self, stream_id: str, kind: str) -> Snapshot | None:
        """The snapshot, None if there is none."""

    def keep(self, snapshot: Snapshot, redactions: int) -> bool:
        """Keep it in place of another one of its stream and kind, unless that is later and of the same code.

        A stream that is missing keeps none. False, and nothing changes, unless stream `$redactions` has version
        `redactions`: the state may hold what was redacted since.
        """


class HasSnapshots(Adapter, Protocol):
    """An adapter that claims `has_snapshots`."""

    def snapshots(self) -> Snapshots:
        """The snapshots of the store."""
