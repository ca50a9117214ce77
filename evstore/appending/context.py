"""Metadata of the work at hand: a block of the program gives it, and each append in the block gets it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from evstore.model.metadata import NO_METADATA, Metadata, check_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evstore.model.events import StoredEvent

E = TypeVar("E", bound="StoredEvent")


class _Cause(NamedTuple):
    """An event in hand, within whatever is around it. Its metadata is read when something is appended."""

    event: StoredEvent
    around: Metadata | _Cause


_CURRENT: Final[ContextVar[Metadata | _Cause]] = ContextVar("evstore_metadata", default=NO_METADATA)


@contextmanager
def metadata(
    *,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    user_id: str | None = None,
    tenant_id: str | None = None,
    custom: Mapping[str, str] | None = None,
) -> Iterator[Metadata]:
    """A block whose appends have this metadata, where neither the event nor the append has its own.

    A block within fills gaps from the one around it. It is a context variable: tasks that the block starts and
    `asyncio.to_thread` take it with them; for a thread, `Thread(target=copy_context().run, args=(function,))` of
    `contextvars` does. Raises InvalidPayloadError.
    """
    given = Metadata(correlation_id, causation_id, user_id, tenant_id, custom or {})
    check_metadata(given)
    found = given.over(_resolved(_CURRENT.get()))
    token = _CURRENT.set(found)
    try:
        yield found
    finally:
        _CURRENT.reset(token)


def with_context(given: Metadata | None) -> Metadata | None:
    """The default metadata of an append: its own, with gaps filled from the block around it."""
    current = _CURRENT.get()
    if current is NO_METADATA:
        return given
    around = _resolved(current)
    return around if given is None else given.over(around)


class InHand(list[E]):
    """Events for a handler. While it iterates them, its appends are caused by the event in hand."""

    def __iter__(self) -> Iterator[E]:
        around = _CURRENT.get()
        try:
            for event in super().__iter__():
                _CURRENT.set(_Cause(event, around))
                yield event
        finally:
            _CURRENT.set(around)


@contextmanager
def handling(events: Sequence[E]) -> Iterator[Sequence[E]]:
    """The time in which a handler has these events: one alone is in hand, of several the one that it iterates."""
    around = _CURRENT.get()
    token = _CURRENT.set(_Cause(events[0], around) if len(events) == 1 else around)
    try:
        yield InHand(events)
    finally:
        _CURRENT.reset(token)


def _resolved(current: Metadata | _Cause) -> Metadata:
    if isinstance(current, Metadata):
        return current
    event, around = current
    return Metadata(event.metadata.correlation_id, event.id).over(_resolved(around))
