"""Methods that handle events: `when` marks them, and their first parameter names the class of the event."""

from __future__ import annotations

import sys
from types import FunctionType, UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, overload

from evstore.application.annotations import names_at
from evstore.application.types import is_event, type_of
from evstore.errors import InvalidInputError
from evstore.model.events import StoredEvent
from evstore.model.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Handling: TypeAlias = Callable[[Any, StoredEvent, Any], object]

F = TypeVar("F", bound="Callable[..., object]")

_MARK: Final = "__evstore_when__"


class _Unresolved(NamedTuple):
    """An annotation that names nothing yet where the method is made."""

    text: str


class Handler(NamedTuple):
    """A method for the events of one type."""

    method: str
    event_class: type | None
    """None: it takes the event as it is stored."""
    parameters: int
    """Those that it takes by place, without `self`."""


@overload
def when(wanted: str | type, /, *more: str | type) -> Callable[[F], F]: ...


@overload
def when(method: F, /) -> F: ...


def when(*wanted: Any) -> Any:
    """Mark a method as the handler of an event type.

    `@when` alone takes the class from the annotation of the first parameter, or several from a union.
    `@when("OrderPlaced", …)` names types, whose events the method takes as StoredEvent; `@when(OrderPlaced)` names
    classes. Raises InvalidInputError, or lets the class that uses the method raise it.
    """
    if len(wanted) == 1 and isinstance(wanted[0], FunctionType):
        return _marked(wanted[0], _of_annotation(wanted[0], names_at(sys._getframe(1))))  # noqa: SLF001
    if not wanted or not all(isinstance(each, str | type) for each in wanted):
        raise InvalidInputError("@evstore.when marks a method, or takes the names of event types, or classes")
    for each in wanted:
        if isinstance(each, str):
            check_name("event type", each)
    return lambda function: _marked(function, wanted)


def handlers_of(cls: type) -> dict[str, Handler]:
    """The handlers of a class by event type, with those of its bases. Raises InvalidInputError."""
    found: dict[str, Handler] = {}
    for name in dir(cls):
        function = getattr(cls, name, None)
        for event_type, event_class in _wanted(cls, function) if hasattr(function, _MARK) else ():
            if event_type in found:
                raise InvalidInputError(
                    f'{cls.__qualname__} has two methods for event type "{event_type}": '
                    f"{found[event_type].method} and {name}"
                )
            found[event_type] = Handler(name, event_class, len(_places(function)) - 1)
    return found


def _marked(function: F, wanted: tuple[Any, ...]) -> F:
    setattr(function, _MARK, wanted)
    return function


def _places(function: Any) -> tuple[str, ...]:
    """The names of the parameters that are given by place."""
    names: tuple[str, ...] = function.__code__.co_varnames
    return names[: function.__code__.co_argcount]


def _of_annotation(function: FunctionType, names: dict[str, Any]) -> tuple[Any, ...]:
    """The classes that the first parameter names."""
    parameter = _parameter(function)
    annotation = _annotations(function).get(parameter)
    if annotation is None:
        raise InvalidInputError(
            f'method {function.__qualname__}: its parameter "{parameter}" has no annotation, which would name the '
            "class of the event"
        )
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, function.__globals__, names)  # noqa: S307 - the program's own text
        except Exception:  # noqa: BLE001 - whatever it is, it may be known later
            return (_Unresolved(str(annotation)),)
    return _members(annotation)


def _parameter(function: FunctionType) -> str:
    places = _places(function)
    if len(places) < 2:  # noqa: PLR2004 - self and the event
        raise InvalidInputError(
            f"method {function.__qualname__} takes no event: its first parameter after self is the event"
        )
    return places[1]


def _annotations(function: FunctionType) -> dict[str, Any]:
    if sys.version_info >= (3, 14):  # annotations are evaluated when they are asked for, and all at once
        from annotationlib import Format, get_annotations

        return get_annotations(function, format=Format.STRING)
    return function.__annotations__


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _wanted(cls: type, function: Any) -> Iterator[tuple[str, type | None]]:
    """The event types of a marked method, each with its class."""
    for each in getattr(function, _MARK):
        for one in _resolved(function, each) if isinstance(each, _Unresolved) else (each,):
            if isinstance(one, str):
                yield one, None
            elif isinstance(one, type) and is_event(one):
                yield type_of(one).name, one
            else:
                raise _no_event_class(cls, function, one)


def _resolved(function: Any, annotation: _Unresolved) -> tuple[Any, ...]:
    try:
        found = eval(annotation.text, function.__globals__)  # noqa: S307 - the program's own text
    except Exception as error:
        raise InvalidInputError(
            f'method {function.__qualname__}: its annotation "{annotation.text}" cannot be resolved: {error}; the '
            "class of the event must be known at run time, or be given as @evstore.when(…)"
        ) from error
    return _members(found)


def _no_event_class(cls: type, function: Any, one: Any) -> InvalidInputError:
    shown = one.__qualname__ if isinstance(one, type) else repr(one)
    advice = (
        '@evstore.when("OrderPlaced") names the type of the events that it takes as they are stored'
        if one is StoredEvent
        else "@evstore.event names the event type of a class"
    )
    return InvalidInputError(f"method {function.__name__} of {cls.__qualname__}: {shown} is no event; {advice}")


def handling_of(method: Callable[..., object], parameters: int) -> Handling:
    """A function of the event, the StoredEvent and a transaction that calls the bound method with what it takes.

    With two parameters these are the event and the transaction; with three the StoredEvent stands between them.
    """
    return method if parameters > 2 else lambda event, _stored, tx: method(event, tx)  # noqa: PLR2004
