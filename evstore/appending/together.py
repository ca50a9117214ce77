"""Appends of several threads in one call of the adapter, so that they share its commit."""

from __future__ import annotations

import os
from threading import RLock
from typing import TYPE_CHECKING, Final

from evstore.errors import EvstoreError, UnavailableError
from evstore.port import MOST_IN_PAGE, PAGE_CHARACTERS, AlreadyStored, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evstore.port import Append, Outcome

MOST_EVENTS: Final = MOST_IN_PAGE
MOST_CHARACTERS: Final = PAGE_CHARACTERS
"""The limits of a shared call. A unit beyond them goes alone."""


class _Waiting:
    """An append that waits for its outcome."""

    __slots__ = ("call", "outcome", "unit")

    def __init__(self, unit: Append) -> None:
        self.unit = unit
        self.call: _Call | None = None
        self.outcome: Outcome | None = None


class _Call:
    """Appends that go to the adapter together. `answered` is held by the thread that submits them."""

    __slots__ = ("answered", "characters", "events", "is_open", "waiting")

    def __init__(self) -> None:
        self.answered = RLock()
        self.is_open = True
        self.waiting: list[_Waiting] = []
        self.events = 0
        self.characters = 0


class Together:
    """The appends of one store by its threads: those that come during a call of the adapter make the next call.

    Nothing waits for company, and no thread is made: the first thread of a call submits it for the others. Each
    lock may be taken again by its thread, for a signal may interrupt an append with another one.
    """

    def __init__(self, append: Callable[[Sequence[Append]], list[Outcome]]) -> None:
        self._append = append
        self._pid = os.getpid()
        self._joining = RLock()
        self._within = RLock()  # held during a call
        self._is_within = False
        self._next: _Call | None = None

    def append(self, unit: Append) -> Outcome:
        """The outcome of the unit, as if it were appended alone. Raises as the adapter does."""
        if os.getpid() != self._pid:  # a thread of the process that was forked may hold a lock for ever
            return self._alone(unit)
        if self._next is None and not self._is_within:  # nobody is to be waited for
            with self._within:
                return self._called([unit])[0]
        size = unit.size_within(MOST_EVENTS, MOST_CHARACTERS)
        if size is None:
            return self._alone(unit)
        mine = _Waiting(unit)
        try:
            call = self._join(mine, *size)
            with call.answered:
                if call.is_open:
                    self._submit(call)
        except BaseException:
            self._withdraw(mine)
            raise
        return self._again(unit) if mine.outcome is None else mine.outcome

    def _join(self, mine: _Waiting, events: int, characters: int) -> _Call:
        with self._joining:
            call = self._next
            if (
                call is None
                or call.events + events > MOST_EVENTS
                or call.characters + characters > MOST_CHARACTERS
            ):
                call = self._next = _Call()
            mine.call = call
            call.waiting.append(mine)
            call.events += events
            call.characters += characters
            return call

    def _withdraw(self, mine: _Waiting) -> None:
        """Take an interrupted append out of a call that was not submitted yet."""
        with self._joining:
            if mine.call is not None and mine.call.is_open and mine in mine.call.waiting:
                mine.call.waiting.remove(mine)

    def _close(self, call: _Call) -> list[_Waiting]:
        """The appends of the call, which nothing can join from now on; none if it was submitted meanwhile."""
        with self._joining:
            if self._next is call:
                self._next = None
            was_open, call.is_open = call.is_open, False
            return call.waiting if was_open else []

    def _submit(self, call: _Call) -> None:
        """Give each append of the call its outcome, or none: then each is tried again alone, by its own thread."""
        with self._within:
            waiting = self._close(call)
            if len(waiting) <= 1:
                for each in waiting:
                    (each.outcome,) = self._called([each.unit])
                return
            outcomes: Sequence[Outcome]
            try:
                outcomes = self._called([each.unit for each in waiting])
            except UnavailableError as error:  # it is about the store, and perhaps after a long wait
                outcomes = [error] * len(waiting)
            except Exception:  # noqa: BLE001 - perhaps about one of the units, whose thread will see it
                return
            for each, answer in zip(waiting, outcomes, strict=True):
                each.outcome = error_of(each.unit, answer) if isinstance(answer, EvstoreError) else answer

    def _called(self, units: Sequence[Append]) -> list[Outcome]:
        self._is_within = True
        try:
            return self._append(units)
        finally:
            self._is_within = False

    def _alone(self, unit: Append) -> Outcome:
        (outcome,) = self._append([unit])
        return outcome

    def _again(self, unit: Append) -> Outcome:
        """The outcome of a unit after a call that did not answer, and that perhaps has stored it."""
        outcome = self._alone(unit)
        return outcome._replace(after_lost_answer=True) if isinstance(outcome, AlreadyStored) else outcome
