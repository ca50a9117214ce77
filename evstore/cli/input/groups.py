"""Events of an input in groups, and the faults that end them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from evstore.cli.errors import UsageError
from evstore.errors import InvalidInputError, NoEventsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

T = TypeVar("T")


def in_groups(events: Iterable[T], most: int) -> Iterator[list[T]]:
    """Groups of `most` events; the last group may be smaller, and so may the group before a fault."""
    source = iter(events)
    while True:
        group: list[T] = []
        for found in before_fault(islice(source, most)):
            group = found
            yield found
        if len(group) < most:
            return


def only(events: Iterable[T]) -> Iterator[T]:
    """The single event, yielded after the input proved to hold no other."""
    first, *more = islice(events, 2)
    if more:
        raise UsageError("--id names one event, the input has more")
    yield first


def not_empty(found: Iterable[T], files: Sequence[str]) -> Iterator[T]:
    empty = True
    for each in found:
        empty = False
        yield each
    if empty:
        raise NoEventsError(f"no events in {', '.join(files)}")


def before_fault(events: Iterable[T]) -> Iterator[list[T]]:
    """All events as one group; or the events before a fault, then the fault."""
    group: list[T] = []
    fault: InvalidInputError | None = None
    source = iter(events)
    while fault is None:
        try:
            group.append(next(source))
        except StopIteration:
            break
        except InvalidInputError as error:
            fault = error
    if group:
        yield group
    if fault is not None:
        raise fault
