"""Turns: who came too late for a number waits in a queue, and who goes on and on looks now and then who waits.

Nothing here decides anything: the insert of a unit does. Without turns, who stored the last unit would always
store the next one, for all others have yet to read it. A place in the queue is a document of `waiting`, removed at
the end. Whoever is first and does not go on is passed over: its process may have ended.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pymongo
from pymongo.errors import PyMongoError

from evstore.adapters.mongodb.numbering import unit_id
from evstore.errors import EvstoreError

if TYPE_CHECKING:
    from evstore.adapters.mongodb.session import Session

WAITING: Final = "waiting"
_SHORTEST_TURN: Final = 0.05
"""Seconds in which a writer goes on before it looks who waits: a look costs as much as a short read."""
_LONGEST_TURN: Final = 0.3
_LOOK: Final = 0.04
"""Seconds between two looks at the queue, for each of the writers before this one."""
_LONGEST_LOOK: Final = 0.6
_PATIENCE: Final = 0.5
"""Seconds after which the first of the queue is passed over, more where the server is slow."""
_LOOKS: Final = 40
"""So many times as long as a look takes, too."""
_LEAST_SECONDS: Final = 0.1


class Turns:
    """The turns of one adapter among all that write a store."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._place: str | None = None
        self._begun = 0.0
        """The time of the last look at the queue, or of the begin of a turn."""
        self._turn = _SHORTEST_TURN
        """Seconds that a turn lasts: as long as its begin took, so that half of the time is for appends."""

    @property
    def is_queued(self) -> bool:
        """True from the begin of a wait until the end of its append."""
        return self._place is not None

    def are_over(self) -> bool:
        """True if others wait, and this writer went on for a while."""
        if time.monotonic() - self._begun < self._turn:
            return False
        self._begun, self._turn = time.monotonic(), _SHORTEST_TURN
        with suppress(PyMongoError):
            return bool(self._queue())
        return False

    def wait(self, number: int, deadline: float) -> None:
        """Return when all who wait since an earlier number have had their turn, or do not answer."""
        place = f"{unit_id(number)}/{uuid4().hex}"
        with pymongo.timeout(max(deadline - time.monotonic(), _LEAST_SECONDS)):
            try:
                self._session.collection(WAITING).insert_one({"_id": place})
                self._place = place
                self._pass(place, deadline)
            except PyMongoError:  # also for want of a permission
                self._session.pause(random.uniform(0, _LONGEST_LOOK))  # noqa: S311 - nothing secret
        self._begun = time.monotonic()

    def _pass(self, place: str, deadline: float) -> None:
        first, since, passed = "", 0.0, 0
        while (begun := time.monotonic()) < deadline:
            before = [each for each in self._queue() if each < place]
            if not before:
                return
            now = time.monotonic()
            if before[0] != first:
                first, since = before[0], now
            elif now - since > max(_PATIENCE, _LOOKS * (now - begun)) / 2**passed:
                self._leave(first)
                passed += 1  # a process that ended may have left others behind, which ended with it
                continue
            self._session.pause(random.uniform(0.5, 1) * min(_LOOK * len(before), _LONGEST_LOOK))  # noqa: S311

    def end(self) -> None:
        """Let the next one have its turn, when an append has ended that may have waited."""
        if self._place is None:
            return
        place, self._place = self._place, None
        now = time.monotonic()
        self._turn = min(max(now - self._begun, _SHORTEST_TURN), _LONGEST_TURN)
        self._begun = now
        with suppress(PyMongoError, EvstoreError):
            self._leave(place)

    def _queue(self) -> list[str]:
        return sorted(each["_id"] for each in self._session.collection(WAITING).find({}, {"_id": 1}))

    def _leave(self, place: str) -> None:
        self._session.collection(WAITING).delete_one({"_id": place})
