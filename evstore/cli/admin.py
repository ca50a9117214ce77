"""Commands that make and keep a store."""

import typer

from evstore.cli import render
from evstore.cli.opening import opened
from evstore.cli.options import Db


def init(context: typer.Context, db: Db = None) -> None:
    """Make the store, if it is not there yet.

    \b
    Examples:
      evstore init
      evstore init --db sqlite:////var/lib/shop/events.db
    """
    with opened(context, db) as store:
        store.initialize()
        info = store.info()
    if not render.on_terminal():
        render.object_line(
            {
                "backend": info.backend,
                "backendVersion": info.backend_version,
                "place": info.place,
                "schemaVersion": info.schema_version,
                "streams": info.streams,
                "categories": info.categories,
                "events": info.head,
                "headPosition": info.head,
                "sizeBytes": info.size_bytes,
                "durability": dict(info.durability),
                "warnings": list(info.warnings),
            }
        )
        return
    render.write(render.visible(f"event store at {info.place}, {info.head} events") + "\n")
    if info.head == 0:
        render.note("evstore append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'", "next")
