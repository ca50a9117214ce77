"""The digests that a tamper-evident store keeps with its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evstore.model.digests import chained
from evstore.model.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.findings import AuditedEvent


class Chain:
    """The stored digests, each checked against the one before and the event's content.

    After a fault the check goes on from what is stored, so that each fault is reported once, where it is.
    """

    def __init__(self, before: bytes | None = None, *, is_kept: bool = False) -> None:
        self.is_kept = is_kept
        """The store says that it keeps digests."""
        self._before = before
        self._is_denied = False

    def after(self, event: AuditedEvent, content: bytes | None) -> Iterator[Finding]:
        """The finding of an event that is not what was appended after the event before it."""
        if not self.is_kept:
            yield from self._denied(event)
            return
        before, self._before = self._before, event.chain_hash
        if event.chain_hash is None:
            yield self._finding(event, "the digest of the log up to it is missing")
        elif content is None or (before is not None and chained(before, content) != event.chain_hash):
            yield self._finding(
                event, f"the digest {event.chain_hash.hex()}, stored with it, is of another content"
            )

    def _denied(self, event: AuditedEvent) -> Iterator[Finding]:
        """The finding, once, of a store that has digests and says that it keeps none."""
        if event.chain_hash is not None and not self._is_denied:
            self._is_denied = True
            yield self._finding(event, "it has a digest, and its store says that it keeps none")

    def _finding(self, event: AuditedEvent, message: str) -> Finding:
        return Finding("chain", message, event.global_position, event.stream_id)
