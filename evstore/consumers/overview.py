"""The consumers of a store, for those who look after them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from evstore.blocking import sleep
from evstore.consumers.builds import Build, remove
from evstore.consumers.kept import consumers_of
from evstore.errors import (
    ConsumerHeldError,
    ConsumerNotFoundError,
    ConsumerStartError,
    EventNotFoundError,
    InvalidInputError,
)
from evstore.model.consumers import SLOTS, WHOLE, Interest
from evstore.model.ids import normalize_id
from evstore.model.names import check_name
from evstore.model.versions import MAX_VERSION
from evstore.port import MOST_IN_PAGE, NamePage, Page
from evstore.reading.ranges import searchable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from evstore.model.consumers import Checkpoint, ConsumerRecord, Parked, ParkedState
    from evstore.port import Adapter, Consumers, Step

POLL_SECONDS: Final = 0.02
LONGEST_POLL: Final = 0.5


class ConsumerInfo(NamedTuple):
    """A consumer and its lag."""

    name: str
    categories: tuple[str, ...] | None
    """None: all."""
    types: tuple[str, ...] | None
    global_position: int
    """Everything up to it is handled, parked, or held back by what is parked."""
    lag: int
    """Events after it that the consumer is for; of a divided consumer some of them may be handled."""
    lag_seconds: float
    """The age of the first of them."""
    parked: int
    members: bool
    """True if it is divided, so that members share it."""
    holders: dict[int, str]
    """By slot, who works for it."""
    created_us: int
    updated_us: int
    checkpoints: tuple[Checkpoint, ...]


class ConsumerList:
    """The consumers of a store: looked at, reset, removed; and what they parked."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    @property
    def _consumers(self) -> Consumers:
        return consumers_of(self._adapter)

    def all(self, *, prefix: str = "") -> Iterator[ConsumerInfo]:
        """Consumers by name, in code point order, lazily."""
        searchable("the prefix", prefix)
        after = None
        while True:
            found = self._consumers.page(NamePage(MOST_IN_PAGE, after, prefix))
            yield from map(self._info, found)
            if len(found) < MOST_IN_PAGE:
                return
            after = found[-1].name

    def get(self, name: str) -> ConsumerInfo:
        """One consumer. Raises ConsumerNotFoundError."""
        return self._info(self._found(name))

    def parked(self, name: str) -> list[Parked]:
        """The parked events of a consumer by position. Raises ConsumerNotFoundError."""
        self._found(name)
        return self._consumers.parked(name)

    def retry(self, name: str, event_id: str | UUID) -> None:
        """Let the consumer, when it runs, handle a parked event again. Raises EventNotFoundError."""
        self._mark(name, event_id, "retry")

    def drop(self, name: str, event_id: str | UUID) -> None:
        """Let the consumer, when it runs, go on after a parked event. Raises EventNotFoundError."""
        self._mark(name, event_id, "drop")

    def lines(self) -> Iterator[str]:
        """A line for each consumer, with its checkpoints and what it parked, for `restore` in another store."""
        from evstore.consumers.moving import consumer_lines

        return consumer_lines(self._adapter)

    def restore(self, line: bytes) -> bool:
        """Make the consumer of a line; false if there is one of its name, which stays as it is.

        Raises InvalidInputError if its checkpoints are not in this log.
        """
        from evstore.consumers.moving import restore_consumer

        return restore_consumer(self._adapter, line)

    def reset(self, name: str, position: int) -> ConsumerInfo:
        """Let the consumer begin after this position, and forget what it parked. Raises ConsumerHeldError.

        Raises ConsumerStartError for a position beyond the log.
        """
        if type(position) is not int or not 0 <= position <= MAX_VERSION:
            raise InvalidInputError(f"a checkpoint is a global position from 0 to {MAX_VERSION}, not {position!r}")
        if Build.of(self._found(name)) is not None:  # its tables would hold the same events twice
            raise InvalidInputError(f'"{name}" fills the tables of a projection: rebuild() of it makes them anew')
        head = self._adapter.head(-1, 0)
        if position > head:
            raise ConsumerStartError(name, position, head)
        self._change(name, lambda step: step.reset(position))
        return self.get(name)

    def remove(self, name: str) -> None:
        """Forget the consumer, and remove the tables that it fills for a projection. Raises ConsumerHeldError."""
        build = Build.of(self._found(name))
        self._change(name, (lambda step: remove(step, build)) if build else (lambda step: step.remove()))

    def wait(self, name: str, position: int, timeout: float | None = None) -> bool:
        """True once the consumer has come as far as this global position; False after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = POLL_SECONDS
        while self._found(name).global_position < position:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            sleep(pause if left is None else min(pause, left))
            pause = min(pause * 1.5, LONGEST_POLL)
        return True

    def _found(self, name: str) -> ConsumerRecord:
        check_name("consumer name", name)
        record = self._consumers.find(name)
        if record is None:
            raise ConsumerNotFoundError(name)
        return record

    def _mark(self, name: str, event_id: str | UUID, state: ParkedState) -> None:
        wanted = normalize_id(event_id)
        self._found(name)
        if not self._consumers.mark(name, wanted, state):
            raise EventNotFoundError(wanted, name)

    def _change(self, name: str, make: Callable[[Step], None]) -> None:
        """Change a consumer for which nobody works."""
        slots = range(SLOTS) if self._found(name).is_divided else [WHOLE]
        hold = self._consumers.hold(name, slots)
        try:
            if len(hold.slots) < len(slots):
                raise ConsumerHeldError(name)
            with self._consumers.step(hold) as step:
                make(step)
        finally:
            hold.release()

    def _info(self, record: ConsumerRecord) -> ConsumerInfo:
        interest = Interest.from_json(record.filter_json)
        after, head = record.global_position, self._adapter.head(-1, 0)
        where = interest.filter()
        first = self._adapter.read_all(Page(1, low=after + 1, high=head), where) if after < head else []
        lag = self._adapter.count(first[0].global_position, head, where) if first else 0
        age = max(0.0, time.time() - first[0].timestamp_us / 1e6) if first else 0.0
        return ConsumerInfo(
            record.name,
            interest.categories,
            interest.types,
            after,
            lag,
            age,
            record.parked,
            record.is_divided,
            self._consumers.holders(record.name),
            record.created_us,
            record.updated_us,
            record.checkpoints,
        )
