"""Commands that look at what a store holds."""

from typing import Annotated

import typer

from evstore.cli import render
from evstore.cli.opening import opened
from evstore.cli.options import Db


def categories(
    context: typer.Context,
    names: Annotated[bool, typer.Option("--names", help="Names alone, one a line.")] = False,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="P", show_default=False, help="Only names that begin with P.")
    ] = "",
    db: Db = None,
) -> None:
    """List the categories with their counts, by name.

    \b
    Examples:
      evstore categories
      evstore categories --names | while read -r c; do evstore replay "$c"; done
    """
    with opened(context, db) as store:
        found = store.categories(prefix=prefix)
        if names:
            for info in found:
                render.write((render.visible(info.category) if render.on_terminal() else info.category) + "\n")
        elif render.on_terminal():
            rows = [
                (i.category, str(i.streams), str(i.events), str(i.first_position), str(i.last_position))
                for i in found
            ]
            if rows:
                render.table(("category", "streams", "events", "first", "last"), rows)
        else:
            from evstore.events import format_timestamp  # noqa: PLC0415

            for info in found:
                render.object_line(
                    {
                        "category": info.category,
                        "streams": info.streams,
                        "events": info.events,
                        "firstPosition": info.first_position,
                        "lastPosition": info.last_position,
                        "lastTimestamp": format_timestamp(info.last_us),
                    }
                )
