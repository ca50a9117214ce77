"""Event types of an application: the name that a class has in the log, and the classes by name."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast, overload

from evstore.application.annotations import resolve
from evstore.errors import InvalidInputError, UnknownEventTypeError
from evstore.model.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., object]")

_MARK: Final = "__evstore_event__"


class EventType(NamedTuple):
    """The name under which events of a class are stored, and the version of their schema, from 1."""

    name: str
    version: int = 1


@overload
def event(cls: type[T], /) -> type[T]: ...


@overload
def event(*, name: str | None = None, version: int = 1) -> Callable[[type[T]], type[T]]: ...


def event(cls: type[T] | None = None, /, *, name: str | None = None, version: int = 1) -> Any:
    """Name the event type that a class stands for: the name of the class, or `name`.

    It decorates a dataclass, a msgspec Struct, an attrs class or a pydantic model, and changes nothing else of it
    but annotations that are text and name what the function around the class has defined: these become types.
    A subclass is another type, or none. Raises InvalidInputError.
    """
    check_version(version)
    if name is not None:
        check_name("event type", name)

    body = sys._getframe(1)  # noqa: SLF001 - where the class is made

    def named(cls: type[T]) -> type[T]:
        if not isinstance(cls, type):
            raise InvalidInputError(f"@evstore.event names a class, not {cls!r}")
        found = EventType(name or cls.__name__, version)
        check_name("event type", found.name)
        setattr(cls, _MARK, found)
        resolve(cls, body)
        return cls

    return named if cls is None else named(cls)


def check_version(version: Any) -> None:
    """Raise InvalidInputError unless it is the version of an event type."""
    if type(version) is not int or version < 1:
        raise InvalidInputError(f"the version of an event type is a number from 1, not {version!r}")


def is_event(cls: type) -> bool:
    """True if `event` has named the class itself, and not only a base of it."""
    return _MARK in vars(cls)


def type_of(cls: type) -> EventType:
    """The event type of a class. Raises UnknownEventTypeError."""
    if not is_event(cls):
        raise UnknownEventTypeError(event_class=cls.__qualname__)
    found: EventType = vars(cls)[_MARK]
    return found


def for_each_class(function: F) -> F:
    """Let a function of a class work once for each class."""
    return cast("F", cache(function))


class Registry:
    """Classes by the names of their event types."""

    def __init__(self) -> None:
        self._classes: dict[str, type] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def register(self, *classes: type) -> None:
        """Take these classes. Registering one twice is fine; two of one name raise InvalidInputError."""
        for cls in classes:
            name = type_of(cls).name
            other = self._classes.setdefault(name, cls)
            if other is not cls:
                raise InvalidInputError(
                    f'event type "{name}" is of class {_full(other)} already, so that it cannot be of {_full(cls)}'
                )

    def __getitem__(self, name: str) -> type:
        """The class of an event type. Raises UnknownEventTypeError."""
        if name not in self._classes:
            raise UnknownEventTypeError(name)
        return self._classes[name]

    def get(self, name: str) -> type | None:
        """The class of an event type, None if there is none."""
        return self._classes.get(name)


def _full(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
