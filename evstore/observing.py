"""What an operator sees of a program that uses the library: the logger `evstore`, and traces and metrics.

evstore never loads OpenTelemetry. Where the application has loaded it, appends and the work of consumers are spans
and counters of its providers. No data and no metadata of an event is in them.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from evstore.errors import EvstoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from logging import Logger

    from evstore.port import Append

A = TypeVar("A", bound=Any)

COUNTERS: Final = {
    "evstore.events.appended": "Events that were stored.",
    "evstore.appends.refused": "Appends that were refused, by `error.type`.",
    "evstore.events.handled": "Events that a consumer handled.",
    "evstore.events.parked": "Events that a consumer set aside.",
    "evstore.handler.failures": "Times that the handler of a consumer raised.",
}
"""The counters, and what each counts."""
_NOTHING: Final = nullcontext()


@cache
def logger() -> Logger:
    """The logger `evstore`. Without a configuration of the application it prints nothing."""
    from logging import NullHandler, getLogger

    found = getLogger("evstore")
    found.addHandler(NullHandler())
    return found


def is_watched() -> bool:
    """True if the application has loaded OpenTelemetry."""
    return "opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules


def watched_append(unit: Append, engine: str, append: Callable[[], A]) -> A:
    """Append the unit as `append` does, within a span, and count it."""
    about = {"db.system.name": engine.lower(), "db.operation.name": "append"}
    streams = [*dict.fromkeys(write.stream_id for write in unit.writes)]
    wanted = {"evstore.stream_id": streams[0], "evstore.streams": len(streams)}
    with span(
        "evstore.append", {**about, **wanted, "evstore.events": sum(len(w.events) for w in unit.writes)}
    ) as its:
        try:
            stored = append()
        except EvstoreError as error:
            counted("evstore.appends.refused", 1, {**about, "error.type": type(error).__name__})
            raise
        if its is not None:
            its.set_attribute("evstore.duplicate", stored.duplicate)
            its.set_attribute("evstore.global_position", stored[-1].global_position if stored else 0)
        counted("evstore.events.appended", 0 if stored.duplicate else len(stored), about)
        return stored


def span(name: str, attributes: Mapping[str, Any], kind: str = "CLIENT") -> AbstractContextManager[Any]:
    """A span of the application's traces for the block, which gets it; None where there are no traces."""
    if "opentelemetry.trace" not in sys.modules:
        return _NOTHING
    from opentelemetry.trace import SpanKind

    found: AbstractContextManager[Any] = _tracer().start_as_current_span(
        name, kind=SpanKind[kind], attributes=dict(attributes)
    )
    return found


def counted(name: str, number: int, attributes: Mapping[str, Any]) -> None:
    """Add to a counter of COUNTERS, where the application has metrics."""
    if "opentelemetry.metrics" in sys.modules:
        _counter(name).add(number, dict(attributes))


@cache
def _tracer() -> Any:
    from opentelemetry.trace import get_tracer

    from evstore import __version__

    return get_tracer("evstore", __version__)


@cache
def _counter(name: str) -> Any:
    from opentelemetry.metrics import get_meter

    from evstore import __version__

    unit = "{event}" if ".events." in name else "{append}" if ".appends." in name else "{failure}"
    return get_meter("evstore", __version__).create_counter(name, unit=unit, description=COUNTERS[name])
