"""Commands that look at what a store holds."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import Fields, MissingOk, Names, Prefix, limit_of
from evstore.cli.output import events, forms, writer

if TYPE_CHECKING:
    from evstore.model.facts import StreamInfo
    from evstore.store import EventStore

FIRST_ON_TERMINAL = 100
MOST_COUNTED = 10_000
"""Streams that are counted one by one."""

Category = Annotated[
    str | None, typer.Argument(metavar="[CATEGORY]", show_default=False, help="Only this category.")
]


def categories(names: Names = False, prefix: Prefix = None) -> None:
    """List the categories with their counts, by name.

    \b
    Examples:
      evstore categories
      evstore categories --names | while read -r c; do evstore replay "$c"; done
    """
    with opened() as store:
        found = store.categories(prefix=prefix or "")
        if names:
            forms.print_names(info.category for info in found)
            return
        rows: Any = (
            {
                "category": info.category,
                "streams": info.streams,
                "events": info.events,
                "firstPosition": info.first_position,
                "lastPosition": info.last_position,
                "lastTimestamp": events.moment(info.last_us),
            }
            for info in found
        )
        columns = ("category", "streams", "events", "firstPosition", "lastPosition", "lastTimestamp")
        forms.many(
            rows,
            columns,
            bar="events",
            spare=("firstPosition", "lastPosition", "", "lastTimestamp"),
            none="no categories",
        )


def types(category: Category = None, names: Names = False, prefix: Prefix = None) -> None:
    """List the event types with their counts, by name.

    \b
    Examples:
      evstore types
      evstore types Order --prefix Order
    """
    with opened() as store:
        found = store.types(category, prefix=prefix or "")
        if names:
            forms.print_names(info.type for info in found)
            return
        rows: Any = (
            {
                "type": info.type,
                "events": info.events,
                "firstPosition": info.first_position,
                "lastPosition": info.last_position,
            }
            for info in found
        )
        columns = ("type", "events", "firstPosition", "lastPosition")
        forms.many(rows, columns, bar="events", spare=("firstPosition", "lastPosition"), none="no event types")


def streams(
    category: Category = None,
    names: Names = False,
    prefix: Prefix = None,
    limit: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--limit",
            metavar="N|all",
            show_default=False,
            help="At most N streams.  [default: all; on a terminal the first 100]",
        ),
    ] = None,
) -> None:
    """List the streams, of a category or all, by id.

    \b
    Examples:
      evstore streams Order
      evstore streams --prefix Order-2026- --names
    """
    most = limit_of(limit)
    with opened() as store:
        found = islice(store.streams(category, prefix=prefix or ""), most)
        if names:
            forms.print_names(info.stream_id for info in found)
            return
        from evstore.cli.output import objects

        few = settings.as_table() and settings.on_terminal() and limit is None
        shown = forms.AtMost(found, FIRST_ON_TERMINAL if few else sys.maxsize)
        rows: Any = map(objects.of_stream, shown)
        columns = ("streamId", "version", "updatedAt", "lastType")
        forms.many(rows, columns, spare=("lastType", "updatedAt"), none="no streams")
        if shown.cut:
            total = _count_of_streams(store, category, prefix or "")
            forms.note_cut("first", FIRST_ON_TERMINAL, total, "streams")


def _count_of_streams(store: "EventStore", category: str | None, prefix: str) -> int | None:
    """The number of streams that a list has in all, None if it takes long to count them."""
    if prefix:
        counted = sum(1 for _ in islice(store.streams(category, prefix=prefix), MOST_COUNTED + 1))
        return counted if counted <= MOST_COUNTED else None
    if category is None:
        return store.info().streams
    return next((found.streams for found in store.categories(prefix=category) if found.category == category), None)


def get(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Event ids.")],
    missing_ok: MissingOk = False,
    fields: Fields = None,
) -> None:
    """Print events by id, in the order asked.

    \b
    Examples:
      evstore get 0198e5c4-0000-7000-8000-000000000007
    """
    from evstore.errors import EventNotFoundError
    from evstore.model.ids import normalize_id

    if not ids:
        raise UsageError("an event ID is missing")
    columns = events.fields_of(fields)
    wanted = [normalize_id(each) for each in ids]
    with opened() as store:
        held = store.get_many(wanted)
    for each in wanted:
        if each not in held and not missing_ok:
            raise EventNotFoundError(each)
    events.show([held[each] for each in wanted if each in held], columns)


def info(
    stream: Annotated[
        str | None, typer.Argument(metavar="[STREAM]", show_default=False, help="Describe this stream.")
    ] = None,
    missing_ok: MissingOk = False,
) -> None:
    """Describe the store, or one stream.

    \b
    Examples:
      evstore info
      evstore info Order-1
      evstore info > /dev/null || echo "no store, or it does not answer"
    """
    if missing_ok and stream is None:
        raise UsageError("--missing-ok goes with a STREAM")
    from evstore.cli.suggestions import find_stream

    with opened() as store:
        if stream is None:
            _print_store(store)
        else:
            found = find_stream(store, stream, missing_ok=missing_ok)
            if found is not None:
                _print_stream(store, found)


def _print_store(store: "EventStore") -> None:
    found = store.info()
    if settings.as_table():
        from evstore.cli.output import info_report

        info_report.of_store(store, found)
    else:
        from evstore.cli.output import objects

        forms.one(objects.of_store(found))


def _print_stream(store: "EventStore", found: "StreamInfo") -> None:
    if settings.as_table():
        from evstore.cli.output import info_report

        info_report.of_stream(store, found)
    else:
        from evstore.cli.output import objects

        forms.one(objects.of_stream(found))


def trace(
    correlation_id: Annotated[
        str, typer.Argument(metavar="CORRELATION_ID", show_default=False, help="The correlation id of the events.")
    ],
    fields: Fields = None,
) -> None:
    """Print the events of a correlation, on a terminal as a tree.

    \b
    Examples:
      evstore trace req-7
      evstore trace req-7 | jq -r .type
      evstore trace "$(evstore get "$ID" | jq -r .metadata.correlationId)"

    In the tree an event stands below the one that caused it, whose id is its
    causation id. In a pipe events come by global position, as from replay.
    """
    columns = events.fields_of(fields)
    with opened() as store:
        found = store.replay(correlation_id=correlation_id)
        if settings.as_table() and columns is None:
            from evstore.cli.output import tree

            count = tree.show(store, found)
        else:
            count = events.show(found, columns)
    if count == 0 and (settings.as_table() or settings.on_terminal()):
        writer.note(f"no event has the correlation id {writer.to_json(correlation_id)}")
