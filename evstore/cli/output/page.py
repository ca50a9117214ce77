"""One event as a page: each field on a line, its causes and effects, the data over several lines."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.cli import settings
from evstore.cli.output import forms, moments, screen, writer
from evstore.cli.output.writer import visible
from evstore.errors import InvalidInputError
from evstore.jsontext.quoting import STRING
from evstore.model.metadata import IDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore.model.events import StoredEvent
    from evstore.store import EventStore

_LABELS: Final = 15
_MOST_CAUSED: Final = 20
_LOOKED_AT: Final = 10_000
"""Events of a correlation that are looked at in search of effects."""
# A string with what makes it a key, or another value; what stands between is layout.
_TOKENS: Final = re.compile(rf'({STRING})(\s*:)?|[^\s\[\]{{}},:"]+')


def show(store: EventStore, event: StoredEvent) -> None:
    """Print the page of an event."""
    for label, value in _lines(store, event):
        writer.write(f"{_paint(label.ljust(_LABELS), 'dim')} {value}\n")
    writer.write(f"{_paint('data', 'dim')}\n{_data(event.data_json)}\n")


def _lines(store: EventStore, event: StoredEvent) -> Iterator[tuple[str, str]]:
    yield "id", event.id
    yield "stream", visible(event.stream_id)
    yield "type", _paint(visible(event.type), "green")
    yield "version", _paint(f"{event.version:,}", "cyan")
    yield "position", _paint(f"{event.global_position:,}", "cyan")
    yield "time", moments.local(event.timestamp_us).strftime("%Y-%m-%d %H:%M:%S.%f %z")
    if event.tags:
        yield "tags", visible(" ".join(event.tags))
    if event.redacted:
        yield "redacted", "yes"
    metadata = event.metadata
    for key, name in IDS.items():
        value = getattr(metadata, name)
        if value is not None:
            yield key, visible(value)
    for key, value in metadata.custom.items():
        yield f"custom.{visible(key)}", visible(value)
    cause = _cause(store, event)
    if cause is not None:
        yield "caused by", _named(cause)
    caused = _caused(store, event)
    for number, each in enumerate(islice(caused, _MOST_CAUSED)):
        yield "" if number else "caused", _named(each)
    if next(caused, None) is not None:
        from shlex import quote

        yield "", visible(f"… {settings.again(f'trace {quote(metadata.correlation_id or str())}')}")


def _cause(store: EventStore, event: StoredEvent) -> StoredEvent | None:
    """The event that caused it; a cause may also be a command, which no store holds."""
    causation_id = event.metadata.causation_id
    if causation_id is None:
        return None
    try:
        found = store.get_many([causation_id])
    except InvalidInputError:
        return None
    return next(iter(found.values()), None)


def _caused(store: EventStore, event: StoredEvent) -> Iterator[StoredEvent]:
    """The events that it caused, which are later and share its correlation id: no index has causation ids."""
    correlation_id = event.metadata.correlation_id
    if correlation_id is None:
        return iter(())
    later = store.replay(correlation_id=correlation_id, after=event.global_position, limit=_LOOKED_AT)
    return (each for each in later if (each.metadata.causation_id or "").lower() == event.id)


def _named(event: StoredEvent) -> str:
    return f"{_paint(visible(event.type), 'green')}  {visible(event.stream_id)}  {event.id}"


def _data(text: str) -> str:
    """The data over several lines: numbers and strings stay as stored."""
    return "\n".join(_painted(visible(line)) for line in forms.indented(text).split("\n"))


def _painted(line: str) -> str:
    def paint(found: re.Match[str]) -> str:
        if found[1] is None:
            return _paint(found[0], "yellow")
        if found[2] is None:
            return _paint(found[1], "green")
        return _paint(found[1], "cyan") + found[2]

    return _TOKENS.sub(paint, line)


def _paint(text: str, style: str) -> str:
    return screen.brush()(text, style)
