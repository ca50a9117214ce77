"""Tests of an application's domain: given events, when something is asked of an aggregate, then other events.

Plain assertions, for any test runner; no store is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from evstore.application.aggregate import Aggregate, applied, appliers_of, check_aggregate, kept_of
from evstore.application.codec import JSON
from evstore.application.types import type_of
from evstore.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

A = TypeVar("A", bound=Aggregate)


@overload
def given(*events: Any, of: type[A], id: str = "1") -> Given[A]: ...


@overload
def given(*events: Any, of: None = None, id: str = "1") -> Given[Any]: ...


def given(*events: Any, of: type[Aggregate] | None = None, id: str = "1") -> Given[Any]:
    """The state that events make: `given(OrderPlaced(…)).when(lambda order: order.confirm()).then(…)`.

    `of` names the aggregate, whose object gets this `id`. Without it that is the one class whose methods take all
    of the events. Raises InvalidInputError where there is none, or several; UnknownEventTypeError for no event.
    """
    for event in events:
        type_of(type(event))
    cls = _of(events) if of is None else of
    check_aggregate(cls)
    aggregate = cls(id)
    for event in events:
        applied(aggregate, event)
    kept_of(aggregate).version = len(events)
    return Given(aggregate)


class Given(Generic[A]):
    """An aggregate after the events that were given."""

    def __init__(self, aggregate: A) -> None:
        self.aggregate = aggregate

    def when(self, action: Callable[[A], object]) -> When[A]:
        """Ask something of the aggregate. What it raises is for `then_raises`; `then` raises it."""
        raised = None
        try:
            action(self.aggregate)
        except Exception as error:  # noqa: BLE001 - it is what may be expected
            raised = error
        return When(self.aggregate, raised)


class When(Generic[A]):
    """The outcome: the aggregate with the events that it recorded, or an exception."""

    def __init__(self, aggregate: A, raised: Exception | None) -> None:
        self.aggregate = aggregate
        self.raised = raised

    def then(self, *events: Any) -> When[A]:
        """Assert that exactly these events were recorded, in this order; none, if none are named.

        An exception that was raised instead leaves as it is.
        """
        if self.raised is not None:
            raise self.raised
        self._compare(events)
        return self

    def then_raises(self, expected: type[Exception], match: str = "") -> When[A]:
        """Assert that an exception of this class was raised, in whose text `re.search` finds `match`."""
        if self.raised is None:
            recorded = _listed(self.aggregate.pending)
            raise AssertionError(f"{expected.__name__} was expected, and nothing raised; recorded:\n{recorded}")
        if not isinstance(self.raised, expected):
            message = f"{expected.__name__} was expected, raised: {self.raised!r}"
            raise AssertionError(message) from self.raised  # noqa: TRY004 - it is a test that fails
        if not re.search(match, str(self.raised)):
            raise AssertionError(f"{match!r} is not found in: {self.raised}") from self.raised
        return self

    def then_state(self, is_right: Callable[[A], object]) -> When[A]:
        """Assert that `is_right(aggregate)` is true, or let its own assertions speak: it may return None."""
        if self.raised is not None:
            raise self.raised
        if is_right(self.aggregate) not in (True, None):
            raise AssertionError(f"the state is another: {vars(self.aggregate)}")
        return self

    def _compare(self, expected: Sequence[Any]) -> None:
        recorded = self.aggregate.pending
        if len(recorded) != len(expected) or not all(map(_same, recorded, expected)):
            raise AssertionError(f"expected:\n{_listed(expected)}\nrecorded:\n{_listed(recorded)}")


def _same(one: Any, other: Any) -> bool:
    """True if both are equal; those of a class that knows no equality, if their JSON is."""
    if type(one) is not type(other):
        return False
    if "__eq__" not in {name for cls in type(one).__mro__[:-1] for name in vars(cls)}:
        return JSON.encode(one) == JSON.encode(other)
    return bool(one == other)


def _listed(events: Sequence[Any]) -> str:
    return "\n".join(f"  {event!r}" for event in events) or "  nothing"


def _of(events: Sequence[Any]) -> type[Aggregate]:
    wanted = {type(event) for event in events}
    found = [cls for cls in _below(Aggregate) if wanted and wanted <= _taken(cls)]
    if len(found) != 1:
        named = ", ".join(cls.__qualname__ for cls in found) or "none"
        raise InvalidInputError(
            f"the aggregate that takes all of the events is not one alone ({named}): given(…, of=Order) names it"
        )
    return found[0]


def _taken(cls: type[Aggregate]) -> set[type]:
    try:
        return {*appliers_of(cls)}
    except InvalidInputError:  # whoever uses that class is told
        return set()


def _below(cls: type[Aggregate]) -> Iterator[type[Aggregate]]:
    for each in cls.__subclasses__():
        yield each
        yield from _below(each)
