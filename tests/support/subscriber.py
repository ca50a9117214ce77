"""A subscription that is read by a thread of its own, so that a test can append meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from queue import Queue
from threading import Thread

from evstore import EventData

PATIENCE = 20


def events(*numbers, type="Placed"):
    return [EventData(type, number) for number in numbers]


def numbers(found):
    return [event.data for event in found]


class Following:
    """A subscription that a thread of its own reads."""

    def __init__(self, subscription):
        self.error = None
        self._found = Queue()
        # A daemon, so that a subscription that does not end fails its test and not the whole run.
        self._thread = Thread(target=self._follow, args=(subscription,), daemon=True)
        self._thread.start()

    def _follow(self, subscription):
        try:
            for event in subscription:
                self._found.put(event)
        except Exception as error:  # noqa: BLE001 - the test asks for it
            self.error = error

    def take(self, many):
        """The next so many events, as soon as they are there."""
        return [self._found.get(timeout=PATIENCE) for _ in range(many)]

    def ended(self):
        """Whether it has ended without an error and without another event."""
        self._thread.join(PATIENCE)
        if self.error:
            raise self.error
        return not self._thread.is_alive() and self._found.empty()


@contextmanager
def following(store, *asked, **more):
    found = Following(store.subscribe(*asked, **more))
    try:
        yield found
    finally:
        store.close()
    assert found.ended()
