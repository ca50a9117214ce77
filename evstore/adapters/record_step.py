"""A step of a consumer whose state is one record: changes of it, written together at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from evstore.errors import LogDivergedError, UnsupportedError
from evstore.model.consumers import SLOTS, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evstore.adapters.record import Kept
    from evstore.model.consumers import Checkpoint, Parked
    from evstore.model.events import StoredEvent
    from evstore.port import Append


class RecordStep:
    """`port.Step`. `checkpoint` gives that of a slot at a position of the log, `get` the events with ids. `engine`
    names it in refusals: nothing else is stored together with a record."""

    def __init__(
        self,
        engine: str,
        name: str,
        kept: Kept,
        checkpoint: Callable[[int, int], Checkpoint],
        get: Callable[[Sequence[str]], list[StoredEvent]],
    ) -> None:
        self._engine = engine
        self._name = name
        self._kept = kept
        self._checkpoint = checkpoint
        self.get = get
        self._changes: list[Callable[[Kept], None]] = []

    @property
    def connection(self) -> NoReturn:
        raise UnsupportedError(f"a store on {self._engine} has no tables of an application")

    tables = connection

    def apply_to(self, kept: Kept) -> bool:
        """Make the changes of the step to the record; false if there are none."""
        for change in self._changes:
            change(kept)
        return bool(self._changes)

    def move(self, positions: Mapping[int, int]) -> None:
        for slot, position in positions.items():
            old = self._kept.checkpoints[slot]
            if self._checkpoint(slot, old.global_position).event_id != old.event_id:
                raise LogDivergedError(self._name, old.global_position, old.global_position)
            if position > old.global_position:
                self._change(_moved(self._checkpoint(slot, position)))

    def reset(self, position: int) -> None:
        checkpoint = self._checkpoint(WHOLE, position)

        def change(kept: Kept) -> None:
            kept.checkpoints = {slot: checkpoint._replace(slot=slot) for slot in kept.checkpoints}
            kept.parked.clear()

        self._change(change)

    def park(self, event: Parked) -> None:
        self._change(lambda kept: kept.parked.update({event.stream_id: event}))

    def unpark(self, stream_id: str) -> None:
        def change(kept: Kept) -> None:
            kept.parked.pop(stream_id, None)

        self._change(change)

    def append(self, _unit: Append) -> NoReturn:
        raise UnsupportedError(
            f"a store on {self._engine} cannot store events in the step of a checkpoint: append them with ids of "
            "their own, so that a repetition finds them stored"
        )

    def refilter(self, filter_json: str) -> None:
        def change(kept: Kept) -> None:
            kept.filter_json = filter_json

        self._change(change)

    def divide(self) -> None:
        def change(kept: Kept) -> None:
            whole = kept.checkpoints[WHOLE]
            if len(kept.checkpoints) == 1:
                kept.checkpoints = {slot: whole._replace(slot=slot) for slot in range(SLOTS)}

        self._change(change)

    def remove(self) -> None:
        def change(kept: Kept) -> None:
            kept.is_removed = True

        self._change(change)

    def _change(self, change: Callable[[Kept], None]) -> None:
        """Change the record as the step sees it now; at the end it is made to the record that is there then."""
        change(self._kept)
        self._changes.append(change)


def _moved(checkpoint: Checkpoint) -> Callable[[Kept], None]:
    def change(kept: Kept) -> None:
        if checkpoint.global_position > kept.checkpoints[checkpoint.slot].global_position:
            kept.checkpoints[checkpoint.slot] = checkpoint

    return change
