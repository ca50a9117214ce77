"""Commands that look at what a store holds."""

import sys
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import Fields, MissingOk, Names, Prefix, limit_of
from evstore.cli.output import events, forms, writer
from evstore.cli.suggestions import find_stream, note_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.facts import StreamInfo
    from evstore.store import EventStore

FIRST_ON_TERMINAL = 100
MOST_COUNTED = 10_000
"""Streams that are counted one by one."""
SORTS: "dict[str, Callable[[StreamInfo], Any]]" = {
    "name": lambda info: info.stream_id,
    "version": lambda info: (info.version, info.stream_id),
    "updated": lambda info: (info.updated_us, info.stream_id),
}

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
        note_unknown(store, [category] if category else None)
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
    sort: Annotated[
        str,
        typer.Option(
            "--sort", metavar="name|version|updated", show_default=False, help="The order.  [default: name]"
        ),
    ] = "name",
    reverse: Annotated[bool, typer.Option("-r", "--reverse", help="The last of that order first.")] = False,
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
      evstore streams --sort updated -r -n 10
    """
    few = settings.as_table() and settings.on_terminal() and limit is None and not names
    most = FIRST_ON_TERMINAL + 1 if few else limit_of(limit)  # one more shows that the list is cut
    if sort not in SORTS:
        raise UsageError(f'--sort takes {", ".join(SORTS)}, not "{sort}"')
    with opened() as store:
        note_unknown(store, [category] if category else None)
        found = _sorted(store.streams(category, prefix=prefix or ""), sort, most, reverse=reverse)
        if names:
            forms.print_names(info.stream_id for info in found)
            return
        from evstore.cli.output import objects

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


def _sorted(
    found: "Iterator[StreamInfo]", sort: str, most: int | None, *, reverse: bool
) -> "Iterator[StreamInfo]":
    """The first streams of an order. Without a limit all facts are held in memory, but none of those by name."""
    if sort == "name" and not reverse:
        return islice(found, most)
    if most is None:
        return iter(sorted(found, key=SORTS[sort], reverse=reverse))
    from heapq import nlargest, nsmallest

    return iter((nlargest if reverse else nsmallest)(most, found, key=SORTS[sort]))


def get(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Event ids.")],
    missing_ok: MissingOk = False,
    fields: Fields = None,
) -> None:
    """Print events by id, in the order asked.

    \b
    Examples:
      evstore get 0198e5c4-0000-7000-8000-000000000007
      evstore get "$ID" | jq .data

    On a terminal one event is a page, with what caused it and what it caused.
    """
    from evstore.errors import EventNotFoundError

    if not ids:
        raise UsageError("an event ID is missing")
    columns = events.fields_of(fields)
    wanted = [_id_of(each) for each in ids]
    as_page = len(wanted) == 1 and columns is None and settings.current.format == "auto" and settings.on_terminal()
    with opened() as store:
        held = store.get_many(wanted)
        if as_page and held:
            from evstore.cli.output import page

            page.show(store, held[wanted[0]])
            return
    for each in wanted:
        if each not in held and not missing_ok:
            raise EventNotFoundError(each)
    events.show([held[each] for each in wanted if each in held], columns)


def _id_of(given: str) -> str:
    """The id that an argument names. Raises InvalidInputError, with the command that reads a stream."""
    from shlex import quote

    from evstore.errors import InvalidInputError
    from evstore.model.ids import normalize_id
    from evstore.model.names import check_stream_id

    try:
        return normalize_id(given)
    except InvalidInputError as error:
        with suppress(InvalidInputError):
            check_stream_id(given)
            error.add_note(f"{settings.again(f'read {quote(given)}')} prints a stream")
        raise


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
