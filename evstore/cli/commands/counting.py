"""`count`: the number of events."""

from typing import Annotated, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.opening import opened
from evstore.cli.options import (
    After,
    CorrelationId,
    From,
    Match,
    Meta,
    Since,
    Tags,
    TenantId,
    To,
    Types,
    Until,
    UserId,
    after_of,
    filters_of,
    not_negative,
    types_of,
)
from evstore.cli.output import forms, writer


class CountFlags(NamedTuple):
    from_: From = None
    after: After = None
    to: To = None
    type: Types = None
    tag: Tags = None
    match: Match = None
    correlation_id: CorrelationId = None
    user_id: UserId = None
    tenant_id: TenantId = None
    meta: Meta = None
    since: Since = None
    until: Until = None


def count(
    flags: CountFlags,
    category: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CATEGORY...]", show_default=False, help="Only these categories."),
    ] = None,
) -> None:
    """Count the events of the log, of categories, or with a filter.

    \b
    Examples:
      evstore count
      evstore count Order -t OrderPlaced --since 7d
      evstore count --user-id alice | jq .events
    """
    after, to = after_of(flags.from_, flags.after), not_negative("--to", flags.to)
    filters = filters_of(flags)
    with opened() as store:
        from evstore.cli.suggestions import note_unknown

        note_unknown(store, category, types_of(filters))
        events = store.count(category or None, after=after, to=to, **filters)
    if settings.as_table():
        writer.line(f"{events:,} {'event' if events == 1 else 'events'}")
    else:
        forms.one({"events": events})
