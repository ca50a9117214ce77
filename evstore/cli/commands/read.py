"""`read` and `replay`: one stream by version, the log by global position."""

import sys
import time
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.commands.tails import Tail
from evstore.cli.errors import TimedOut, UsageError
from evstore.cli.input import times
from evstore.cli.opening import opened
from evstore.cli.options import (
    After,
    CorrelationId,
    Fields,
    Follow,
    From,
    Last,
    Limit,
    Match,
    Meta,
    MissingOk,
    Reverse,
    Since,
    Tags,
    TenantId,
    To,
    Types,
    Until,
    UserId,
    Within,
    after_of,
    filters_of,
    limit_of,
    not_negative,
    period_of,
    types_of,
)
from evstore.cli.output import events, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import StoredEvent
    from evstore.cli.commands.readings import Reading

LAST_ON_TERMINAL = 100
LAST_BEFORE_FOLLOW = 10


class ReadFlags(NamedTuple):
    from_: From = None
    after: After = None
    to: To = None
    limit: Limit = None
    last: Last = None
    reverse: Reverse = False
    type: Types = None
    tag: Tags = None
    since: Since = None
    until: Until = None
    follow: Follow = False
    within: Within = None
    missing_ok: MissingOk = False
    fields: Fields = None


class ReplayFlags(NamedTuple):
    all_: Annotated[bool, typer.Option("--all", help="The whole log.")] = False
    from_: From = None
    after: After = None
    to: To = None
    limit: Limit = None
    last: Last = None
    reverse: Reverse = False
    type: Types = None
    tag: Tags = None
    match: Match = None
    correlation_id: CorrelationId = None
    user_id: UserId = None
    tenant_id: TenantId = None
    meta: Meta = None
    since: Since = None
    until: Until = None
    follow: Follow = False
    within: Within = None
    fields: Fields = None


class Request(NamedTuple):
    """The part of a stream or of the log that is asked for, and how it is printed."""

    after: int
    to: int | None
    limit: int | None
    tail: Tail | None
    backward: bool
    within: float | None
    columns: list[str] | None


def read(
    stream: Annotated[str, typer.Argument(metavar="STREAM", show_default=False)],
    flags: ReadFlags,
) -> None:
    """Print one stream, by version.

    \b
    Examples:
      evstore read Order-1
      evstore read Order-1 --from 3 --to 5 | jq .data
      evstore read Order-1 --last 1
      evstore read Order-1 --follow
    """
    request, period = _request(flags), period_of(flags.since, flags.until)
    with opened() as store:
        from evstore.cli.commands.readings import StreamReading
        from evstore.cli.suggestions import note_unknown

        note_unknown(store, types=flags.type)
        reading = StreamReading(store, stream, flags.type, period, flags.tag, missing_ok=flags.missing_ok)
        (_follow if flags.follow else _show)(reading, request)


def replay(
    flags: ReplayFlags,
    category: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CATEGORY...", show_default=False, help="The text before the first hyphen of stream ids."
        ),
    ] = None,
) -> None:
    """Print the log of categories, or all of it, by global position.

    \b
    Examples:
      evstore replay Order | jq .data.total
      evstore replay Order Customer -t OrderPlaced
      evstore replay --all --since 2h --fields globalPosition,type -F tsv
      evstore replay --all --last 0 -f -n 1 --within 30s
    """
    if not flags.all_ and not category:
        raise UsageError("give a CATEGORY, or --all", "evstore replay --help")
    _replay(flags, category)


def _replay(flags: ReplayFlags, category: list[str] | None) -> None:
    if flags.all_ and category:
        raise UsageError("CATEGORY and --all exclude each other")
    request, filters = _request(flags), filters_of(flags)
    with opened() as store:
        from evstore.cli.commands.readings import LogReading
        from evstore.cli.suggestions import note_unknown

        note_unknown(store, category, types_of(filters))
        reading = LogReading(store, category or None, filters)
        (_follow if flags.follow else _show)(reading, request)


def tail(
    flags: ReplayFlags,
    category: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CATEGORY...]", show_default=False, help="Only these categories."),
    ] = None,
) -> None:
    """Print the newest events of the log, then new ones as they come.

    \b
    Examples:
      evstore tail
      evstore tail Order -t OrderPlaced
      evstore tail --last 0 -n 1 --within 30s

    It is replay --all -f --last 10, and takes the options of replay.
    """
    begins = flags.last is not None or flags.from_ is not None or flags.after is not None
    _replay(flags._replace(follow=True, last=flags.last if begins else LAST_BEFORE_FOLLOW), category)


def _request(flags: ReadFlags | ReplayFlags) -> Request:
    """The meaning of the flags together. Raises UsageError."""
    limit = limit_of(flags.limit)
    last = not_negative("--last", flags.last)
    for flag, given in (
        ("--reverse", flags.reverse),
        ("--to", flags.to is not None),
        ("--until", flags.until is not None),
    ):
        if flags.follow and given:
            raise UsageError(f"--follow and {flag} exclude each other")
    if flags.follow and settings.current.format == "json":
        raise UsageError("--follow and --format json exclude each other: an array has an end")
    if last is not None and flags.reverse:
        raise UsageError("--last and --reverse exclude each other; say --reverse --limit N")
    if flags.within is not None and (not flags.follow or limit is None):
        raise UsageError("--within goes with --follow and --limit N")
    tail = None if last is None else Tail(min(last, sys.maxsize), own_limit=False)
    if settings.on_terminal() and last is None and flags.limit is None:
        tail = Tail(LAST_BEFORE_FOLLOW if flags.follow else LAST_ON_TERMINAL, own_limit=True)
    return Request(
        after_of(flags.from_, flags.after),
        not_negative("--to", flags.to),
        limit,
        tail,
        flags.reverse,
        None if flags.within is None else times.duration("--within", flags.within),
        events.fields_of(flags.fields),
    )


def _show(reading: "Reading", request: Request) -> None:
    tail = request.tail
    found: Iterator[StoredEvent]
    if tail is None:
        found = reading.in_range(request.after, request.to, request.limit, backward=request.backward)
    elif request.backward:
        found = islice(tail.newest_first(reading, request.after, request.to), request.limit)
    else:
        found = islice(tail.oldest_first(reading, request.after, request.to), request.limit)
    events.show(_there(found, reading), request.columns, by_stream=reading.by_stream)
    if tail is not None:
        tail.note_cut(reading, request.after, request.to)


def _tail(reading: "Reading", tail: Tail, after: int) -> "tuple[int, Iterator[StoredEvent]]":
    """The head, and the last events up to it."""
    end = reading.head()
    return end, tail.oldest_first(reading, after, end)


def _there(found: "Iterator[StoredEvent]", reading: "Reading") -> "Iterator[StoredEvent]":
    """The events; before anything is printed an error, if there are none because nothing is there to read."""
    if not reading.by_stream:  # the log is always there
        return found
    from evstore.reading.pages import Paged

    pages = events.pages_of(found)
    for first in pages:
        return Paged.of(page for page in chain([first], pages))
    reading.check_there()
    return iter(())


def _follow(reading: "Reading", request: Request) -> None:
    deadline = None if request.within is None else time.monotonic() + request.within
    after, shown = request.after, 0
    table = events.table_of(request.columns, by_stream=reading.by_stream)
    show = partial(events.show, fields=request.columns, by_stream=reading.by_stream, table=table)
    if request.tail is not None:
        # History ends at a head fixed first: later events are live.
        end, oldest = reading.waiting.until_whole(partial(_tail, reading, request.tail, after), deadline)
        history = islice(oldest, request.limit)
        shown = show(history)
        request.tail.note_cut(reading, after, end)
        if table is not None:
            table.note_left_out()
        writer.flush()
        after = max(after, end)
    left = None if request.limit is None else request.limit - shown
    coming = islice(reading.follow(after, deadline), left) if left != 0 else iter(())
    shown += show(coming, live=True)
    if request.within is not None and request.limit is not None and shown < request.limit:
        raise TimedOut(f"{shown} of {request.limit} events came in time")
