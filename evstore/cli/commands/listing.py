"""Commands that list what a store holds, with counts."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import Names, Prefix, limit_of
from evstore.cli.output import events, forms
from evstore.cli.suggestions import note_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.model.facts import StreamInfo, TagInfo, TypeInfo
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
        _print_counts(store.types(category, prefix=prefix or ""), "type", names=names, none="no event types")


def tags(names: Names = False, prefix: Prefix = None) -> None:
    """List the tags with their counts, by name.

    \b
    Examples:
      evstore tags
      evstore tags --prefix order: --names
    """
    with opened() as store:
        _print_counts(store.tags(prefix=prefix or ""), "tag", names=names, none="no tags")


def _print_counts(found: "Iterator[TypeInfo] | Iterator[TagInfo]", what: str, *, names: bool, none: str) -> None:
    """Print names of this kind, with their events, or alone."""
    if names:
        forms.print_names(getattr(info, what) for info in found)
        return
    rows: Any = (
        {
            what: getattr(info, what),
            "events": info.events,
            "firstPosition": info.first_position,
            "lastPosition": info.last_position,
        }
        for info in found
    )
    columns = (what, "events", "firstPosition", "lastPosition")
    forms.many(rows, columns, bar="events", spare=("firstPosition", "lastPosition"), none=none)


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
