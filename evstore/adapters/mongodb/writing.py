"""Appends: a unit is judged by all units before it, and inserted under the number that follows.

The insert is the only thing that must be atomic. If the number is taken, the unit there is folded, and the append
is judged again. If the answer is lost, the same document is inserted under the same number: either it gets there
now, or the number is taken, by this very append or by another one. No text of an error is read.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

import pymongo
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from evstore.adapters.mongodb.documents import event_document, numbered_events, placed, unit_document, unit_of
from evstore.adapters.mongodb.errors import is_denied, meant
from evstore.adapters.mongodb.judging import Accepted, judge
from evstore.adapters.mongodb.staging import is_large
from evstore.adapters.mongodb.turns import Turns
from evstore.adapters.mongodb.units import UNITS
from evstore.blocking import Semaphore
from evstore.errors import EvstoreError
from evstore.port import Receipt, error_of, outcome_unknown

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from evstore.adapters.mongodb.documents import Unit
    from evstore.adapters.mongodb.index import Index
    from evstore.adapters.mongodb.session import Session
    from evstore.adapters.mongodb.units import Units
    from evstore.model.conditions import Query
    from evstore.port import Append, Outcome

_SHORTEST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.1
_DOUBLINGS: Final = 7
_LEAST_SECONDS: Final = 0.1
_FREE_LOSSES: Final = 2
"""After so many an append waits in a queue."""


class _Draft(NamedTuple):
    """An append on its way."""

    append: str
    chunks: Sequence[int] | None
    """Those of a unit that no document holds."""
    deadline: float


class Writing:
    """The appends of an adapter. `guard` is held around the index, `first_match` finds the first event after a
    position that a query matches, `staged` the appends that have chunks."""

    def __init__(
        self,
        session: Session,
        units: Units,
        index: Index,
        guard: threading.RLock,
        first_match: Callable[[Query, int], int | None],
        staged: Callable[[], set[str]],
    ) -> None:
        self._session = session
        self._units = units
        self._index = index
        self._guard = guard
        self._first_match = first_match
        self._staged = staged
        self._turn = Semaphore()
        """Threads of one adapter would only take each other's numbers."""
        self._turns = Turns(session)

    def append(self, units: Sequence[Append], until_refused: bool) -> list[Outcome]:
        """Answer the units in order. Raises if the storage fails and no unit is known to be stored."""
        outcomes: list[Outcome] = []
        for unit in units:
            try:
                outcome = self._in_turn(unit)
            except (EvstoreError, PyMongoError) as error:
                if not any(isinstance(each, Receipt) for each in outcomes):
                    raise
                made = error if isinstance(error, EvstoreError) else meant(error, self._session.location.shown)
                return outcomes + [error_of(each, made) for each in units[len(outcomes) :]]
            outcomes.append(outcome)
            if until_refused and not isinstance(outcome, Receipt):
                break
        return outcomes

    def _in_turn(self, unit: Append) -> Outcome:
        deadline = time.monotonic() + self._session.timeout
        if not self._turn.acquire(self._session.timeout):
            raise self._session.busy()
        try:
            return self._answer(unit, deadline)
        finally:
            self._turns.end()
            self._turn.release()

    def _answer(self, unit: Append, deadline: float) -> Outcome:
        draft: _Draft | None = None
        losses = 0
        while True:
            judged = self._patiently(unit, deadline)
            if not isinstance(judged, Accepted):
                return judged
            if draft is None:
                draft = self._drafted(unit, deadline)
                others_wait = self._turns.are_over()
                if others_wait:
                    self._wait(deadline)
                if others_wait or draft.chunks:
                    continue  # others have had time to store theirs
            stored = self._stored(unit, draft, judged)
            if stored is not None:
                self._take_in(stored)
                time_us = stored.time_us if unit.times_us is None else unit.times_us[0]
                return Receipt(judged.first, judged.size, judged.first_versions, time_us)
            if time.monotonic() > deadline:
                raise self._session.busy()
            losses += 1
            if self._turns.is_queued:
                self._look()
            elif losses == _FREE_LOSSES:
                self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        """For a turn."""
        self._turns.wait(self._index.number, deadline)
        self._look()

    def _look(self) -> None:
        """Read at once what others have stored meanwhile."""
        with suppress(PyMongoError):
            self._units.read_ahead(self._index.number + 1)

    def _patiently(self, unit: Append, deadline: float) -> Accepted | Outcome:
        """The same as `_judged`, after a look at what others have stored; asked again if a connection was lost."""
        while True:
            try:
                with self._guard:
                    if not self._index.number:
                        self._index.catch_up()
                    self._index.fold_known()
                    return self._judged(unit)
            except ConnectionFailure:
                if time.monotonic() > deadline:
                    raise
                self._session.pause(_LONGEST_PAUSE)

    def _judged(self, unit: Append) -> Accepted | Outcome:
        """The place of the unit, or a refusal by all that is stored by now."""
        while True:
            judged = judge(unit, self._index, self._first_match)
            number = self._index.number
            if not isinstance(judged, Accepted):
                self._index.catch_up()
            if self._index.number == number:
                return judged

    def _drafted(self, unit: Append, deadline: float) -> _Draft:
        append = str(uuid4())
        if not is_large(unit):
            return _Draft(append, None, deadline)
        self._units.staging.sweep(self._staged)
        return _Draft(append, self._units.staging.stage(append, unit), deadline)

    def _stored(self, unit: Append, draft: _Draft, place: Accepted) -> Unit | None:
        """Insert the unit at its place; None if another one is there."""
        document = self._document(unit, draft, place)
        sent: PyMongoError | None = None
        tries = 0
        while True:
            try:
                with pymongo.timeout(max(draft.deadline - time.monotonic(), _LEAST_SECONDS)):
                    self._session.collection(UNITS).insert_one(document)
                return unit_of(document)
            except DuplicateKeyError as error:
                return self._taken(unit, draft, place.number, error)
            except (InvalidOperation, DocumentTooLarge):
                raise
            except PyMongoError as error:
                if is_denied(error) or (isinstance(error, ServerSelectionTimeoutError) and sent is None):
                    raise  # nothing was ever stored
                sent = error
                self._check(unit, draft, error)
            self._pause(tries)
            tries += 1

    def _taken(self, unit: Append, draft: _Draft, number: int, reason: PyMongoError) -> Unit | None:
        """The unit at this number, if it is this append's. A majority may have it later than the primary."""
        tries = 0
        while True:
            try:
                found = self._units.find(number)
            except PyMongoError as error:
                found, reason = None, error
            if found is not None:
                return found if found.append == draft.append else None
            self._check(unit, draft, reason)
            self._pause(tries)
            tries += 1

    def _check(self, unit: Append, draft: _Draft, reason: PyMongoError) -> None:
        if time.monotonic() > draft.deadline:
            raise outcome_unknown([unit], str(reason)) from reason

    def _pause(self, tries: int) -> None:
        """Give way to others, the longer the more often they came first."""
        longest = min(_SHORTEST_PAUSE * 2 ** min(tries, _DOUBLINGS), _LONGEST_PAUSE)
        self._session.pause(random.uniform(0, longest))  # noqa: S311 - nothing secret

    def _document(self, unit: Append, draft: _Draft, place: Accepted) -> dict[str, Any]:
        if draft.chunks is None:
            events = numbered_events(unit, place.bases)
            content: dict[str, Any] = {"events": [event_document(each) for each in events]}
        else:
            bases = [{"stream": stream_id, "version": version} for stream_id, version in place.bases.items()]
            content = {"events": [], "chunks": [*draft.chunks], "bases": bases}
        document = unit_document(draft.append, time.time_ns() // 1000, unit.source, content)
        return placed(document, place.number, place.first, place.size)

    def _take_in(self, stored: Unit) -> None:
        """Fold the unit that was stored. If the catalogue cannot be written, somebody else writes it later."""
        self._units.keep(stored)
        with self._guard:
            if stored.number == self._index.number + 1:
                self._index.fold(stored)
            else:  # another thread, which reads, may have folded it already
                self._index.catch_up()
            with suppress(PyMongoError, EvstoreError):
                self._index.settle(stored.number)
