"""Aggregates: objects that are what their events made of them, and record new events."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from evstore.application.annotations import resolve
from evstore.application.handlers import handlers_of
from evstore.application.types import for_each_class, type_of
from evstore.errors import InvalidInputError
from evstore.model.ids import new_id
from evstore.model.names import category_of, check_stream_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self


class Recorded(NamedTuple):
    """An event that is not stored yet. Its id is made once, so that a save that is tried again stores it once."""

    id: str
    event: Any


class Kept:
    """An aggregate as its store sees it."""

    def __init__(self) -> None:
        self.version = 0
        self.recorded: list[Recorded] = []
        self.unsure = 0
        """The first so many of the recorded events may be stored: the answer to their append was lost."""
        self.is_applying = False
        self.snapshot = 0
        """The version of its last snapshot."""
        self.redactions: int | None = None
        """The number of redactions that the store had when its events were read, None if nobody looked."""

    def copied(self) -> Kept:
        """A copy with a list of its own."""
        made = Kept()
        vars(made).update(vars(self), recorded=[*self.recorded])
        return made


class Aggregate:
    """The base of a class whose state comes from the events of one stream, `{category}-{id}`.

    Its methods decide, and call `record` for what happens. A method `(self, event)` that is marked with `when`
    changes the state for the events of one class: at `record`, and at every load. An event without a method is
    ignored, and so is a redacted one. A class is made as `cls(id)`; its category is its name, or
    `class Order(Aggregate, category="order")`.

    `EventStore.load_aggregate`, `save_aggregate` and `update` keep it. A thread needs an object of its own. For
    snapshots, a class whose attributes do not come back from JSON by their annotations has methods
    `snapshot_state()` and `restore_state(state)`.
    """

    category: ClassVar[str] = ""
    snapshot_version: ClassVar[int] = 1
    """Raise it where code outside the class changed what its events make of it: older snapshots are not used."""
    _category_is_given: ClassVar[bool] = False
    id: str
    """The part of the stream id after the category."""

    def __init_subclass__(cls, *, category: str | None = None, **named: Any) -> None:
        super().__init_subclass__(**named)
        if category is None and "category" in vars(cls):
            category = cls.category
        if category is not None:
            cls._category_is_given = True
        elif not cls._category_is_given:
            category = cls.__name__
        if category is not None:
            _check_category(cls, category)
            cls.category = category
        resolve(cls, sys._getframe(1))  # noqa: SLF001 - where the class is made

    def __new__(cls, *_given: Any, **_named: Any) -> Self:
        made = super().__new__(cls)
        made._kept = Kept()
        return made

    def __init__(self, id: str) -> None:
        self.id = id

    def __getstate__(self) -> Any:
        """The attributes for a copy, which has events to save of its own."""
        state: Any = super().__getstate__()
        members, slots = state if isinstance(state, tuple) else (state, None)
        members = {**members, "_kept": self._kept.copied()}
        return members if slots is None else (members, slots)

    def __repr__(self) -> str:
        pending = f", {len(self._kept.recorded)} events to save" if self._kept.recorded else ""
        return f"<{type(self).__name__} {getattr(self, 'id', '?')} at version {self.version}{pending}>"

    @property
    def stream_id(self) -> str:
        """The stream of its events."""
        return f"{self.category}-{self.id}"

    @property
    def version(self) -> int:
        """The version of its stream that it was loaded or saved at, 0 if it has none."""
        return self._kept.version

    @property
    def pending(self) -> Sequence[Any]:
        """The events that it recorded since, and that are to be saved."""
        return tuple(each.event for each in self._kept.recorded)

    def record(self, event: Any) -> None:
        """Let an event happen: change the state by it, and keep it for the next save.

        Raises UnknownEventTypeError for an object that is no event, InvalidInputError within a method of `when`,
        which changes the state alone. What the method raises leaves no event.
        """
        type_of(type(event))
        applied(self, event)
        self._kept.recorded.append(Recorded(new_id(), event))

    _kept: Kept


OWN: Final = frozenset({"id", "_kept"})
"""The attributes that are no state of the application."""


def kept_of(aggregate: Aggregate) -> Kept:
    """The store's own notes on the aggregate."""
    return aggregate._kept  # noqa: SLF001 - nobody else's


@for_each_class
def appliers_of(cls: type) -> Mapping[type, str]:
    """The names of the methods by the class of the event. Raises InvalidInputError."""
    found = {}
    for event_type, handler in handlers_of(cls).items():
        if handler.event_class is None:
            raise InvalidInputError(
                f"method {handler.method} of {cls.__qualname__}: an aggregate applies its events before they are "
                f'stored; @evstore.when takes their class instead of "{event_type}"'
            )
        if handler.parameters != 1:
            raise InvalidInputError(
                f"method {handler.method} of {cls.__qualname__} takes {handler.parameters} parameters after self; "
                "that of an aggregate takes the event alone"
            )
        found[handler.event_class] = handler.method
    return found


@for_each_class
def classes_of(cls: type) -> Mapping[str, type]:
    """The classes of the events that an aggregate applies, by event type. Raises InvalidInputError."""
    return {type_of(each).name: each for each in appliers_of(cls)}


def applied(aggregate: Aggregate, event: Any) -> None:
    """Change the state by an event, if there is a method for it. Raises InvalidInputError within such a method."""
    kept, cls = kept_of(aggregate), type(aggregate)
    if kept.is_applying:
        raise InvalidInputError(
            f"{cls.__qualname__} records {type(event).__qualname__} while it applies an event: a method of "
            "@evstore.when changes the state alone, at every load"
        )
    name = appliers_of(cls).get(type(event))
    if name is not None:
        kept.is_applying = True
        try:
            getattr(aggregate, name)(event)
        finally:
            kept.is_applying = False


def check_aggregate(cls: Any) -> None:
    """Raise InvalidInputError unless it is a class of aggregates."""
    if not (isinstance(cls, type) and issubclass(cls, Aggregate) and cls is not Aggregate):
        raise InvalidInputError(f"an aggregate is a subclass of evstore.Aggregate, not {cls!r}")


def _check_category(cls: type, category: str) -> None:
    check_stream_id(f"{category}-1")
    if category_of(f"{category}-1") != category:
        raise InvalidInputError(f'the category of {cls.__qualname__} is "{category}", and a category has no "-"')
