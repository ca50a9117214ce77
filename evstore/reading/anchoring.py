"""The place of a reader in the log, held against the log whenever another server may answer.

A server that takes the place of another one may lack events that were read there, and have others in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from evstore.errors import LogDivergedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from evstore.model.events import StoredEvent
    from evstore.model.raw import Place
    from evstore.port import Adapter, FailsOver, Page

    Fetch = Callable[[Page], list[StoredEvent]]

T = TypeVar("T")


def moves_of(adapter: Adapter) -> int:
    """`FailsOver.moves`, or 0 for ever."""
    return cast("FailsOver", adapter).moves if adapter.capabilities.fails_over else 0


def called(ask: Callable[..., T], *what: Any) -> T:
    """The answer at the first try."""
    return ask(*what)


class Anchor:
    """A cursor, and the last event up to it that was read; None if none was."""

    def __init__(
        self,
        adapter: Adapter,
        cursor: int,
        number: Callable[[Any], int],
        ask: Callable[..., Any] = called,
    ) -> None:
        """`number`: that of an event after which the next page begins. `ask` asks the adapter a question."""
        self.cursor = cursor
        self.is_behind = False
        """True if the server is a replica that does not have the event yet."""
        self.times_moved = 0
        self._adapter = cast("FailsOver", adapter) if adapter.capabilities.fails_over else None
        self._begin = cursor
        self._number = number
        self._ask = ask
        self._event: StoredEvent | Place | None = None
        self._moves = moves_of(adapter)

    def hold_at_cursor(self, fetch: Fetch, page: Page) -> None:
        """Take the event at the cursor, where a reader begins that has read it some other time."""
        if self._adapter is not None and self.cursor > 0:
            self._event = next(iter(self._ask(fetch, page)), None)

    def take(self, event: StoredEvent | Place) -> None:
        """Move on to an event that was read."""
        self._event = event
        self.cursor = self._number(event)

    def pass_to(self, cursor: int) -> None:
        """Move on over events that are not read."""
        self.cursor = cursor

    def has_moved(self) -> bool:
        """True if another server may have answered since the last look. Raises LogDivergedError if its log lacks
        the event. The cursor is then that of the event: other events may stand where some were passed over."""
        if self._adapter is None or self._adapter.moves == self._moves:
            return False
        while True:
            moves = self._adapter.moves
            diverged = self._diverged(self._adapter)
            if self._adapter.moves == moves:  # all answers are of one server
                break
        if diverged is not None:
            raise diverged
        if not self.is_behind:
            self._moves = moves
        self.cursor = self._begin if self._event is None else self._number(self._event)
        self.times_moved += 1
        return True

    def _diverged(self, adapter: FailsOver) -> LogDivergedError | None:
        if self._event is None:
            return None
        position = self._event.global_position
        head = self._ask(adapter.head, -1, 0)  # first, since the log of a replica grows between two answers
        found = self._ask(adapter.get, [self._event.id])
        is_there = any(event.global_position == position for event in found)
        self.is_behind = not is_there and head < position and self._ask(adapter.lags)
        return None if is_there or self.is_behind else LogDivergedError(None, position, head)


def _last_of(found: Any) -> StoredEvent | None:
    return found[-1] if found else None


def steady(
    adapter: Adapter,
    fetch: Callable[[Page], T],
    number: Callable[[Any], int],
    last_of: Callable[[T], StoredEvent | Place | None] = _last_of,
) -> Callable[[Page], T]:
    """The same pages, as long as they are of one log. Raises LogDivergedError if an earlier page is not in it."""
    if not adapter.capabilities.fails_over:
        return fetch
    anchor = Anchor(adapter, 0, number)

    def fetched(page: Page) -> T:
        found = fetch(page)
        while anchor.has_moved() and not anchor.is_behind:
            found = fetch(page)
        last = last_of(found)
        if last is not None:
            anchor.take(last)
        return found

    return fetched
