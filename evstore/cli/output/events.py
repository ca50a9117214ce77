"""Events on their way out, in every form. Stored JSON is spliced in as text, never parsed and printed anew."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from evstore.cli import settings
from evstore.cli.output import forms, writer
from evstore.cli.output.moments import local
from evstore.jsontext.quoting import quote
from evstore.model.times import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evstore.cli.output.tables import EventTable
    from evstore.model.events import StoredEvent
    from evstore.port import PreparedEvent, PreparedWrite

_ROWS_AT_ONCE: Final = 1000
_TOGETHER: Final = 1 << 16
"""Characters of data that are written at once."""

# What `--fields` can name, beside paths into data and metadata: the text of the value.
_MEMBERS: Final[dict[str, Callable[[StoredEvent], str]]] = {
    "id": lambda event: quote(event.id),
    "streamId": lambda event: quote(event.stream_id),
    "type": lambda event: quote(event.type),
    "data": lambda event: event.data_json,
    "metadata": lambda event: event.metadata_json,
    "version": lambda event: str(event.version),
    "globalPosition": lambda event: str(event.global_position),
    "timestamp": lambda event: quote(format_timestamp(event.timestamp_us)),
    "category": lambda event: quote(event.category),
    "tags": lambda event: f"[{','.join(map(quote, event.tags))}]",
    "redacted": lambda event: "true" if event.redacted else "false",
}
_ALL: Final = tuple(name for name in _MEMBERS if name not in ("category", "tags", "redacted"))
TITLES: Final = {"position": "globalPosition", "time": "timestamp", "stream": "streamId"}
"""The titles of a table's columns, which `--fields` takes, too."""
_UNSTORED: Final = ("id", "streamId", "type", "data", "metadata")


def fields_of(flag: str | None) -> list[str] | None:
    """The columns that `--fields` names. Raises UsageError."""
    from evstore.cli.errors import UsageError
    from evstore.errors import InvalidInputError
    from evstore.reading.ranges import searchable

    if flag is None:
        return None
    names = [each.strip() for each in flag.split(",")]
    for name in names:
        try:
            searchable("a field", name)
        except InvalidInputError as error:
            raise UsageError(f"--fields: {error}") from None
        top = name.partition(".")[0]
        if name in TITLES:
            continue
        if top not in _MEMBERS or ("." in name and top not in ("data", "metadata")):
            raise UsageError(f'--fields knows no "{name}"; it takes {", ".join(_MEMBERS)}, data.… and metadata.…')
    return names


def show(
    events: Iterable[StoredEvent],
    fields: Sequence[str] | None = None,
    *,
    by_stream: bool = False,
    live: bool = False,
    table: EventTable | None = None,
) -> int:
    """Print events in the requested form and return their number; flush each event if they are `live`.

    `table`: the table that they are a part of; otherwise they are a table of their own.
    """
    drawn = table or table_of(fields, by_stream=by_stream)
    if drawn is not None:
        count = _table(drawn, events, fields, by_stream=by_stream, live=live)
        if table is None:
            drawn.note_left_out()
        return count
    counted = forms.Counter(events)
    if settings.current.format == "json":
        forms.array(text for event in counted for text in _json([event], fields))
        return counted.count
    if settings.current.format != "tsv" and fields is None and not live:
        return show_lines(events)
    count = 0
    for page in pages_of(events, live=live):
        if settings.current.format == "tsv":
            writer.lines([_tsv(event, fields or _ALL) for event in page])
        else:
            writer.lines(_json(page, fields))
        if live:
            writer.flush()
        count += len(page)
    return count


def show_lines(events: Iterable[StoredEvent]) -> int:
    """Print events in the wire form, a line each, and return their number."""
    count = 0
    for lines, number, _ in in_lines(events):
        writer.ready(lines)
        count += number
    return count


def in_lines(events: Iterable[StoredEvent]) -> Iterator[tuple[bytes, int, int]]:
    """The lines of events in parts, with the number of the events and the position of the last."""
    from evstore.reading.pages import Paged

    if isinstance(events, Paged) and events.raw_pages is not None:
        for raw in events.raw_pages():
            assert raw.last is not None
            yield raw.lines, raw.events, raw.last.global_position
        return
    for page in pages_of(events):
        yield writer.as_bytes(_json(page, None)), len(page), page[-1].global_position


def pages_of(events: Iterable[StoredEvent], *, live: bool = False) -> Iterator[list[StoredEvent]]:
    """The events in parts worth one write each. A long event is the last of its part; a live event is alone."""
    from evstore.reading.pages import Paged

    if live:
        return ([event] for event in events)
    return events.pages if isinstance(events, Paged) else _grouped(events)


def _grouped(events: Iterable[StoredEvent]) -> Iterator[list[StoredEvent]]:
    some: list[StoredEvent] = []
    characters = 0
    for event in events:
        some.append(event)
        characters += len(event.data_json)
        if characters > _TOGETHER or len(some) == _ROWS_AT_ONCE:
            yield some
            some, characters = [], 0
    if some:
        yield some


def show_unstored(writes: Iterable[PreparedWrite]) -> None:
    """Print events that are not stored: without what only the store sets."""
    if settings.as_table():
        from evstore.cli.output.tables import EventTable

        table = EventTable(["stream", "type", "data"])
        rows = ((w.stream_id, e.type, e.data_json) for w in writes for e in w.events)
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            table.write(some)
        table.note_left_out()
        return
    found = (_as_stored(write.stream_id, event) for write in writes for event in write.events)
    if settings.current.format == "tsv":
        show(found, _UNSTORED)
        return
    lines = (_picked(each, (*_UNSTORED, "tags") if each.joined_tags else _UNSTORED) for each in found)
    if settings.current.format == "json":
        forms.array(lines)
    else:
        for line in lines:
            writer.line(line)


def _as_stored(stream_id: str, event: PreparedEvent) -> StoredEvent:
    from evstore.model.events import StoredEvent

    return StoredEvent(
        event.id, stream_id, event.type, event.data_json, event.metadata_json, 0, 0, 0, event.joined_tags
    )


def _json(events: Iterable[StoredEvent], fields: Sequence[str] | None) -> list[str]:
    from evstore.model.events import lines_of

    return lines_of(events) if fields is None else [_picked(event, fields) for event in events]


def _picked(event: StoredEvent, fields: Sequence[str]) -> str:
    return "{" + ",".join(f"{quote(name)}:{value_of(event, name) or 'null'}" for name in fields) + "}"


def _tsv(event: StoredEvent, fields: Sequence[str]) -> str:
    return forms.tsv(_plain(event, name) for name in fields)


def _plain(event: StoredEvent, name: str) -> str:
    """The text at a field for a person or awk: a string without its quotes, tags with spaces between them."""
    if name == "tags":
        return event.joined_tags or ""
    text = value_of(event, name)
    if text is None:
        return ""
    if text.startswith('"'):
        from evstore.jsontext.judging import parse_json

        return str(parse_json(text))
    return text


def value_of(event: StoredEvent, name: str) -> str | None:
    """The JSON text that stands at a field, or None where there is nothing."""
    top, _, path = TITLES.get(name, name).partition(".")
    text = _MEMBERS[top](event)
    if not path:
        return text
    from evstore.jsontext.judging import member_at

    return member_at(text, path)


class Parts:
    """Events that come in several parts and are printed as one table, as one array, or in lines."""

    def __init__(self, fields: Sequence[str] | None) -> None:
        self._fields = fields
        self._table = table_of(fields, by_stream=False)
        self._array = forms.Array() if settings.current.format == "json" else None

    def show(self, events: Sequence[StoredEvent]) -> None:
        """Print a part, and flush it."""
        if self._array is None:
            show(events, self._fields, live=True, table=self._table)
            return
        for text in _json(events, self._fields):
            self._array.add(text)
        writer.flush()

    def close(self) -> None:
        """Print the end, after the last part."""
        if self._array is not None:
            self._array.close()


def table_of(fields: Sequence[str] | None, *, by_stream: bool) -> EventTable | None:
    """The table for events that come in several parts; None where there is no table."""
    if not settings.as_table():
        return None
    from evstore.cli.output.tables import EventTable

    names = ["type"] if by_stream else ["stream", "type"]
    return EventTable(
        fields or ["version" if by_stream else "position", "time", *names, "data"], picked=bool(fields)
    )


def _table(
    table: EventTable, events: Iterable[StoredEvent], fields: Sequence[str] | None, *, by_stream: bool, live: bool
) -> int:
    count = 0
    source = iter(events)
    while some := list(islice(source, 1 if live else _ROWS_AT_ONCE)):
        if fields:
            rows = [[_cell(event, name) for name in fields] for event in some]
        else:
            rows = [_row(event, by_stream=by_stream) for event in some]
        table.write(rows, singly=live)
        if live:
            writer.flush()
        count += len(some)
    return count


def _cell(event: StoredEvent, name: str) -> str:
    return moment(event.timestamp_us) if name == "time" else _plain(event, name)


def _row(event: StoredEvent, *, by_stream: bool) -> list[str]:
    at = event.version if by_stream else event.global_position
    names = [event.type] if by_stream else [event.stream_id, event.type]
    return [str(at), moment(event.timestamp_us), *names, event.data_json]


def moment(timestamp_us: int) -> str:
    """A time for the output: local and to the second in a table, otherwise as stored."""
    if not settings.as_table():
        return format_timestamp(timestamp_us)
    return local(timestamp_us).strftime("%Y-%m-%d %H:%M:%S")
