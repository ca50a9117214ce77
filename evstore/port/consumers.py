"""The protocols of the chapter "Consumers". `evstore.port` has its clauses, C1 to C9."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evstore.port.adapter import Adapter, Joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from evstore.model.consumers import ConsumerRecord, Parked, ParkedState
    from evstore.port.pages import NamePage
else:
    Protocol = object


class Hold(Protocol):
    """The right to work for slots of a consumer, of one thread at a time."""

    name: str

    @property
    def slots(self) -> frozenset[int]:
        """The slots that are held."""

    @property
    def files(self) -> Sequence[int]:
        """Open files that keep the hold while a child process has them open; none where it ends otherwise."""

    def check(self) -> None:
        """Raise ConsumerHeldError if the hold was lost to another process, as far as that is known."""

    def extend(self, slots: Sequence[int]) -> list[int]:
        """Hold those of further slots that are free, and return them."""

    def release(self) -> None:
        """Give the slots back. Releasing twice is fine."""


class Tables(Protocol):
    """Tables of the application that one view each shows, within a step."""

    def schema(self) -> str:
        """The schema that gets a table whose name has none; "" where there are no schemas."""

    def shown(self, schema: str, view: str) -> str | None:
        """The table of the schema that the view shows, None if nothing has the name of the view.

        Raises InvalidInputError if something else has it.
        """

    def show(self, schema: str, view: str, table: str) -> None:
        """Let the view show the table in the place of the one that it showed; whoever may read it still may."""

    def hide(self, schema: str, view: str) -> None:
        """Remove the view if it is there."""

    def drop(self, schema: str, table: str) -> None:
        """Remove the table if it is there."""


class Step(Joined, Protocol):
    """One atomic change of a consumer, with what belongs to it."""

    @property
    def connection(self) -> Any:
        """The driver's connection, in the step's transaction. Raises UnsupportedError without `transactions`."""

    @property
    def tables(self) -> Tables:
        """The tables of projections, in the step's transaction. Raises UnsupportedError without `transactions`."""

    def move(self, positions: Mapping[int, int]) -> None:
        """Move the checkpoints of these slots on to these positions. A lower position changes nothing."""

    def reset(self, position: int) -> None:
        """Move all checkpoints, also back, and forget what is parked."""

    def park(self, event: Parked) -> None:
        """Keep this event as the parked one of its stream, in the place of an earlier one."""

    def unpark(self, stream_id: str) -> None:
        """The stream has no parked event any more."""

    def refilter(self, filter_json: str) -> None:
        """Keep another filter with the consumer."""

    def divide(self) -> None:
        """Give each of the 64 slots the checkpoint that slot 0 has, unless the consumer is divided already."""

    def remove(self) -> None:
        """Forget the consumer."""


class Consumers(Protocol):
    """The consumers of a store."""

    def add(self, name: str, filter_json: str, position: int) -> ConsumerRecord:
        """The consumer, made with this filter and this position if it is not there yet."""

    def find(self, name: str) -> ConsumerRecord | None:
        """The consumer, None if it is missing."""

    def page(self, page: NamePage) -> list[ConsumerRecord]:
        """Consumers by name."""

    def parked(self, name: str) -> list[Parked]:
        """The parked events of a consumer by position."""

    def mark(self, name: str, event_id: str, state: ParkedState) -> bool:
        """Give a parked event this state, whoever holds the consumer. False if it is not parked."""

    def holders(self, name: str) -> dict[int, str]:
        """The holders of the slots that are held, for people, as `process 17`."""

    def hold(self, name: str, slots: Sequence[int]) -> Hold:
        """Hold those of the slots that are free. Raises ConsumerHeldError if none of them is."""

    def step(self, hold: Hold) -> AbstractContextManager[Step]:
        """A step, committed at the end of the block, durably; nothing of it is left if the block raises.

        Raises ConsumerHeldError, and changes nothing, if another process has taken a slot of the hold.
        """


class HasConsumers(Adapter, Protocol):
    """An adapter that claims `has_consumers`."""

    def consumers(self) -> Consumers:
        """The consumers of the store."""
