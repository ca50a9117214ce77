"""A consumer's beginning: it is made, its filter compared, and its slots are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.blocking import sleep
from evstore.errors import ConsumerFilterError, ConsumerHeldError, ConsumerNotFoundError, ConsumerStartError
from evstore.model.consumers import SLOTS, WHOLE, Checkpoint, Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evstore.model.consumers import ConsumerRecord, Interest
    from evstore.port import Adapter, Consumers, Hold

LOOKS: Final = 20
LOOK_SECONDS: Final = 0.05
"""Between two looks whether another member has divided the consumer."""


class Joining:
    """The name, the filter and the part of a consumer that somebody wants to work for."""

    def __init__(
        self,
        adapter: Adapter,
        consumers: Consumers,
        name: str,
        interest: Interest,
        *,
        start: int | None = 0,
        member: Member | None = None,
        refilter: bool = False,
    ) -> None:
        self._adapter = adapter
        self.consumers = consumers
        self.name = name
        self.interest = interest
        self._start = start
        self._member = member
        self._refilter = refilter
        self.hold: Hold | None = None

    def slots(self, *, is_divided: bool) -> Sequence[int]:
        """The slots of the consumer that are to be worked for, as it is divided or not."""
        if not is_divided:
            return [WHOLE]
        return range(SLOTS) if self._member is None else self._member.slots()

    def join(self) -> None:
        """Make the consumer if it is new, and hold it. Raises ConsumerHeldError, ConsumerFilterError."""
        self.compared()
        while self.hold is None:
            record = self._record()
            try:
                self._hold(record)
            except ConsumerHeldError:
                if self._member is None or record.is_divided or not self._is_divided_soon():
                    raise

    def _is_divided_soon(self) -> bool:
        """True once the consumer is divided: members that begin together come while the first one does that."""
        for _ in range(LOOKS):
            if self._record().is_divided:
                return True
            sleep(LOOK_SECONDS)
        return False

    def leave(self) -> None:
        """Give everything back."""
        hold, self.hold = self.hold, None
        if hold is not None:
            hold.release()

    def extend(self) -> list[int]:
        """Hold further slots that became free and that this member is to work for."""
        if self._member is None or self.hold is None:
            return []
        missing = [slot for slot in self._member.slots() if slot not in self.hold.slots]
        return self.hold.extend(missing) if missing else []

    def compared(self) -> ConsumerRecord | None:
        """The consumer, None if it is new. Raises ConsumerFilterError if it is there for other events."""
        record = self.consumers.find(self.name)
        if record is not None and record.interest != self.interest and not self._refilter:
            raise ConsumerFilterError(self.name, str(record.interest), str(self.interest))
        return record

    def first_checkpoint(self) -> Checkpoint:
        """The checkpoint with which a new consumer begins."""
        head = self._adapter.head(-1, 0)
        position = head if self._start is None else self._start
        if position > head:
            raise ConsumerStartError(self.name, position, head)
        return Checkpoint(WHOLE, position, None, 0)

    def _record(self) -> ConsumerRecord:
        record = self.consumers.find(self.name)
        if record is None:
            start = self.first_checkpoint().global_position
            record = self.consumers.add(self.name, self.interest.to_json(), start)
        return record

    def _hold(self, record: ConsumerRecord) -> None:
        """Hold what is wanted of a consumer that was so a moment ago; nothing if it has changed meanwhile."""
        whole = range(SLOTS) if record.is_divided else [WHOLE]
        divides = self._member is not None and not record.is_divided
        changes = divides or record.interest != self.interest
        wanted = whole if changes else self.slots(is_divided=record.is_divided)
        hold = self.consumers.hold(self.name, wanted)
        try:
            if (changes or self._member is None) and len(hold.slots) < len(whole):
                raise ConsumerHeldError(self.name)
            now = self.consumers.find(self.name)
            if now is None:
                raise ConsumerNotFoundError(self.name)
            if now.is_divided == record.is_divided and now.filter_json == record.filter_json:
                if not changes:
                    self.hold = hold
                    return
                with self.consumers.step(hold) as step:
                    if divides:
                        step.divide()
                    step.refilter(self.interest.to_json())
        except BaseException:
            hold.release()
            raise
        hold.release()  # and hold anew what the change has made
