"""Parked events that are to be handled again, and the later events of their streams."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from evstore.consumers.delivery import Change, Failed, parked, reason
from evstore.errors import EventNotFoundError
from evstore.port import Page
from evstore.reading.pages import BY_VERSION, pages_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.consumers.cursors import Cursors
    from evstore.consumers.delivery import Delivery
    from evstore.model.consumers import Parked
    from evstore.model.events import StoredEvent
    from evstore.model.filters import Filter
    from evstore.port import Adapter, Consumers, Step

LOOK_SECONDS: Final = 1.0
"""The marks of an operator are looked for so often."""


class Parking:
    """The parked events of a consumer at work."""

    def __init__(
        self,
        adapter: Adapter,
        consumers: Consumers,
        name: str,
        cursors: Cursors,
        delivery: Delivery,
        where: Filter,
    ) -> None:
        self._adapter = adapter
        self._consumers = consumers
        self._name = name
        self._cursors = cursors
        self._delivery = delivery
        self._types = where._replace(categories=None)
        self._looked = 0.0
        self.load()

    def load(self) -> list[Parked]:
        """Look up what is parked."""
        self._looked = time.monotonic()
        found = [each for each in self._consumers.parked(self._name) if self._cursors.reached(each.stream_id) >= 0]
        self._delivery.parked = {each.stream_id: each for each in found}
        return found

    def resume(self, *, at_once: bool = False) -> None:
        """Handle what an operator has marked since the last look."""
        if not self._delivery.parked or not (at_once or time.monotonic() - self._looked >= LOOK_SECONDS):
            return
        for each in self.load():
            if each.state != "parked":
                self._resume(each)

    def _resume(self, marked: Parked) -> None:
        """Handle the events of the stream up to the checkpoint of its slot, until one fails."""
        for event in self._held_back(marked):
            done = parked(event, marked.reason, "drop")
            change = Change(partial(_park, done), partial(self._has, done))
            try:
                self._delivery.tried([event], change)
            except Failed as failed:
                self._delivery.keep(event, reason(failed.cause), {})
                return
        self._delivery.write(Change(lambda step: step.unpark(marked.stream_id)))
        del self._delivery.parked[marked.stream_id]

    def _has(self, done: Parked) -> bool:
        return done in self._consumers.parked(self._name)

    def _held_back(self, marked: Parked) -> Iterator[StoredEvent]:
        found = self._adapter.get([marked.event_id])
        if not found:
            raise EventNotFoundError(marked.event_id)
        after = found[0].version - (marked.state == "retry")
        reached = self._cursors.reached(marked.stream_id)
        for page in pages_of(
            lambda part: self._adapter.read_stream(marked.stream_id, part, self._types),
            Page(0, after),
            None,
            BY_VERSION,
        ):
            for event in page:
                if event.global_position > reached:
                    return
                yield event


def _park(event: Parked, step: Step) -> None:
    step.park(event)
