"""The state of a consumer as one record, for engines that replace a value only where nobody else did meanwhile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from evstore.model.consumers import Checkpoint, ConsumerRecord, Parked

if TYPE_CHECKING:
    from typing import Self


class Lease(NamedTuple):
    """The hold of a slot."""

    id: str
    """The hold's."""
    who: str
    """The holder, for people."""
    until_us: int
    """By the servers' clock. A lease that ran out is good until another hold takes its place."""


class Kept:
    """A consumer: its checkpoints and leases by slot, and its parked events by stream."""

    def __init__(
        self,
        filter_json: str,
        created_us: int,
        checkpoints: dict[int, Checkpoint],
        parked: dict[str, Parked],
        leases: dict[int, Lease],
    ) -> None:
        self.filter_json = filter_json
        self.created_us = created_us
        self.checkpoints = checkpoints
        self.parked = parked
        self.leases = leases
        self.is_removed = False
        self.written_by = ""
        """The write that it comes from, known again by its writer where the answer was lost."""

    @classmethod
    def new(cls, filter_json: str, checkpoint: Checkpoint) -> Self:
        """A consumer that begins at this checkpoint."""
        return cls(filter_json, checkpoint.updated_us, {checkpoint.slot: checkpoint}, {}, {})

    @classmethod
    def from_json(cls, value: bytes) -> Self:
        """Read what `to_json` wrote."""
        members = json.loads(value)
        kept = cls(
            members["filter"],
            members["created"],
            {each[0]: Checkpoint(*each) for each in members["checkpoints"]},
            {each[0]: Parked(*each) for each in members["parked"]},
            {slot: Lease(*lease) for slot, *lease in members["leases"]},
        )
        kept.written_by = members["by"]
        return kept

    def to_json(self, written_by: str) -> bytes:
        """The value of its key; nothing if it was removed."""
        if self.is_removed:
            return b""
        members = {
            "filter": self.filter_json,
            "created": self.created_us,
            "checkpoints": [*self.checkpoints.values()],
            "parked": [*self.parked.values()],
            "leases": [(slot, *lease) for slot, lease in self.leases.items()],
            "by": written_by,
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()

    def record(self, name: str) -> ConsumerRecord:
        """The consumer as the port knows it."""
        checkpoints = tuple(self.checkpoints[slot] for slot in sorted(self.checkpoints))
        return ConsumerRecord(name, self.filter_json, self.created_us, checkpoints, len(self.parked))
