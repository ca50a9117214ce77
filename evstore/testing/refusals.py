"""Units that a store must refuse, each for another reason.

Each brings, before or after the part that is refused, an event for a stream, a category and a type of its
own. If the store keeps anything of the unit, these names show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evstore.model.events import Write
from evstore.model.versions import NO_STREAM, STREAM_EXISTS
from evstore.port import Append
from evstore.testing.builders import a_stream_id, a_write, an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evstore.port import PreparedWrite

TRACE_STREAM: Final = "Trace-1"
TRACE_CATEGORY: Final = "Trace"
TRACE_TYPE: Final = "Traced"


def a_trace() -> PreparedWrite:
    return Write(TRACE_STREAM, [an_event(TRACE_TYPE)])


def _conflicts(stored: PreparedWrite) -> Append:
    return Append([a_trace(), a_write(stored.stream_id, 1, NO_STREAM)])


def _conflicts_at_once(stored: PreparedWrite) -> Append:
    return Append([a_write(stored.stream_id, 1, NO_STREAM), a_trace()])


def _conflicts_with_itself(stored: PreparedWrite) -> Append:
    version = len(stored.events)
    first = a_write(stored.stream_id, 1, version)
    return Append([a_trace(), first, a_write(stored.stream_id, 1, version)])


def _misses_a_stream(_: PreparedWrite) -> Append:
    return Append([a_trace(), a_write(a_stream_id(), 1, STREAM_EXISTS)])


def _is_held(stored: PreparedWrite) -> Append:
    return Append([stored])


def _is_held_in_part(stored: PreparedWrite) -> Append:
    return Append([a_trace(), stored])


REFUSALS: Final[Mapping[str, Callable[[PreparedWrite], Append]]] = {
    "conflict": _conflicts,
    "conflict in the first write": _conflicts_at_once,
    "conflict within the unit": _conflicts_with_itself,
    "missing stream": _misses_a_stream,
    "held": _is_held,
    "held in part": _is_held_in_part,
}
"""From a write that is all its stream holds, a unit that is refused."""
