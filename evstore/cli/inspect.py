"""Commands that look at what a store holds."""

from itertools import islice
from typing import Annotated, Any

import typer

from evstore.cli import events, render, settings
from evstore.cli.exits import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import Fields, Limit, MissingOk, Names, Prefix, Utc, limit_of


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
            render.names(info.category for info in found)
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
        render.many(rows, ("category", "streams", "events", "firstPosition", "lastPosition", "lastTimestamp"))


def streams(
    category: Annotated[str | None, typer.Argument(metavar="[CATEGORY]", show_default=False)] = None,
    names: Names = False,
    prefix: Prefix = None,
    limit: Limit = None,
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
            render.names(info.stream_id for info in found)
            return
        rows: Any = (
            {
                "streamId": info.stream_id,
                "category": info.category,
                "version": info.version,
                "events": info.events,
                "createdAt": events.moment(info.created_us),
                "updatedAt": events.moment(info.updated_us),
                "lastType": info.last_type,
            }
            for info in found
        )
        if settings.as_table() and limit is None:
            rows = list(islice(rows, 101))
            if len(rows) > 100:  # noqa: PLR2004 - one more, to know whether there is more
                rows.pop()
                render.note("these are the first 100; --limit all shows everything")
        render.many(rows, ("streamId", "version", "updatedAt", "lastType"))


def get(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Event ids.")],
    missing_ok: MissingOk = False,
    fields: Fields = None,
    utc: Utc = False,
) -> None:
    """Print events by id, in the order asked.

    \b
    Examples:
      evstore get 0198e5c4-0000-7000-8000-000000000007
    """
    from evstore.errors import EventNotFoundError  # noqa: PLC0415
    from evstore.streams import normalize_id  # noqa: PLC0415

    if not ids:
        raise UsageError("say an event's ID")
    settings.current.utc = utc
    columns = events.fields_of(fields)
    wanted = [normalize_id(each) for each in ids]
    with opened() as store:
        held = store.get_many(wanted)
    for each in wanted:
        if each not in held and not missing_ok:
            raise EventNotFoundError(each)
    events.show([held[each] for each in wanted if each in held], columns)
