"""Upcasters: data of an older schema becomes data of a newer one when an event is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evstore.application.types import check_version
from evstore.errors import CodecError, InvalidInputError
from evstore.model.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evstore.model.events import StoredEvent


class Upcast(NamedTuple):
    """Data on its way to a class: of an event type, in a version of its schema."""

    type: str
    data: Any
    version: int = 1


class Upcaster(NamedTuple):
    """A step from one version of an event type to what follows it."""

    function: Callable[..., Any]
    targets: tuple[str, ...]
    version: int
    """Of its single target."""
    takes_stored: bool


class Upcasters:
    """The steps by event type and version. Together they have no cycle."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, int], Upcaster] = {}
        self.types: set[str] = set()
        """The event types that a step begins with."""

    def add(
        self,
        event_type: str,
        from_version: int,
        function: Callable[..., Any],
        to: str | Iterable[str] | None,
        to_version: int | None,
    ) -> None:
        """Take a step. Raises InvalidInputError for a second one from there, and for one that closes a circle."""
        targets = (event_type,) if to is None else (to,) if isinstance(to, str) else tuple(to)
        for each in (event_type, *targets):
            check_name("event type", each)
        check_version(from_version)
        if to_version is None:
            to_version = from_version + 1 if targets == (event_type,) else 1
        check_version(to_version)
        if (event_type, from_version) in self._steps:
            raise InvalidInputError(
                f'event type "{event_type}" has an upcaster from version {from_version} already'
            )
        step = Upcaster(function, targets, to_version, _takes_stored(function))
        self._check_no_circle((event_type, from_version), step)
        self._steps[event_type, from_version] = step
        self.types.add(event_type)

    def _check_no_circle(self, start: tuple[str, int], step: Upcaster) -> None:
        way, place = [start], start
        while len(step.targets) == 1:
            place = (step.targets[0], step.version)
            way.append(place)
            if place == start:
                shown = ", ".join(f'"{name}" {version}' for name, version in way)
                raise InvalidInputError(f"upcasters lead in a circle: {shown}")
            found = self._steps.get(place)
            if found is None:
                return
            step = found

    def last_of(self, event_type: str) -> int:
        """The highest version from which a step leads, 0 if there is none."""
        return max((version for name, version in self._steps if name == event_type), default=0)

    def sources_of(self, wanted: Iterable[str]) -> set[str]:
        """These event types, and all those from which steps lead to them."""
        found = {*wanted}
        while more := {
            name
            for (name, _), step in self._steps.items()
            if name not in found and not found.isdisjoint(step.targets)
        }:
            found |= more
        return found

    def steps(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """All steps: from where to where each leads, and its function."""
        return ((f"{start} {step[1:]}", step.function) for start, step in self._steps.items())

    def upcast(
        self, stored: StoredEvent, start: Upcast, is_reached: Callable[[str, int], bool]
    ) -> Iterator[Upcast]:
        """The data that the steps make of an event's, in order, up to where `is_reached`, or where none leads on.

        Raises CodecError if a function returns a type that its step does not lead to.
        """
        todo = [(start, frozenset[tuple[str, int]]())]
        while todo:
            here, way = todo.pop()
            place = (here.type, here.version)
            step = self._steps.get(place)
            if step is None or is_reached(*place):
                yield here
                continue
            if place in way:
                raise CodecError(here.type, f"its upcasters lead in a circle, to version {here.version} again")
            found = self._called(step, here, stored)
            todo += [(each, way | {place}) for each in reversed(found)]

    def _called(self, step: Upcaster, here: Upcast, stored: StoredEvent) -> list[Upcast]:
        given = (here.data, stored) if step.takes_stored else (here.data,)
        found = step.function(*given)
        several = [found] if isinstance(found, Upcast) else found if _are_upcasts(found, step) else None
        if several is None:
            if found is None and here.data is not None:
                raise CodecError(here.type, f"its upcaster from version {here.version} returned None, and no data")
            if len(step.targets) > 1:
                raise CodecError(
                    here.type,
                    f"its upcaster from version {here.version} leads to several types, and returned no list of "
                    "evstore.Upcast",
                )
            return [Upcast(step.targets[0], found, step.version)]
        for each in several:
            if each.type not in step.targets:
                raise CodecError(
                    here.type,
                    f'its upcaster from version {here.version} returned "{each.type}", which is not in its to=',
                )
        return [*several]


def _takes_stored(function: Callable[..., Any]) -> bool:
    """True if it takes the StoredEvent by place after the data. A parameter with a default is its own matter."""
    from inspect import Parameter, signature

    by_place = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    try:
        places = [each for each in signature(function).parameters.values() if each.kind in by_place]
    except (TypeError, ValueError):  # a function of another language may not tell
        return False
    return len(places) > 1 and (places[1].default is Parameter.empty or places[1].name == "stored")


def _are_upcasts(found: Any, step: Upcaster) -> bool:
    """True for a list of Upcast. An empty list is data, unless the step leads to several types."""
    is_list = isinstance(found, list | tuple) and (bool(found) or len(step.targets) > 1)
    return is_list and all(isinstance(each, Upcast) for each in found)
