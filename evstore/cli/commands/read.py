"""`read` and `replay`: one stream by version, the log by global position."""

import sys
import time
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from evstore.cli import settings
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
    MissingOk,
    Period,
    Reverse,
    Since,
    To,
    Types,
    Until,
    Within,
    after_of,
    limit_of,
    not_negative,
    period_of,
)
from evstore.cli.output import events, forms, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evstore import StoredEvent
    from evstore.cli.commands.readings import Reading

LAST_ON_TERMINAL = 100
MOST_HELD = 1000
"""Events of `--last N` that are held in memory."""
LAST_BEFORE_FOLLOW = 10


class ReadFlags(NamedTuple):
    from_: From = None
    after: After = None
    to: To = None
    limit: Limit = None
    last: Last = None
    reverse: Reverse = False
    type: Types = None
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
    correlation_id: CorrelationId = None
    since: Since = None
    until: Until = None
    follow: Follow = False
    within: Within = None
    fields: Fields = None


class Tail:
    """The newest events of a range. `own_limit`: the limit of a terminal, whose note reports that more exist."""

    def __init__(self, most: int, *, own_limit: bool) -> None:
        self.most = most
        self.own_limit = own_limit
        self._shown: forms.AtMost[StoredEvent] | None = None

    def newest_first(self, reading: "Reading", after: int, to: int | None) -> "Iterator[StoredEvent]":
        """The last events of a range, of which a terminal prints few."""
        if not self.most:
            return iter(())
        limit = self.most + 1 if self.own_limit else self.most
        self._shown = forms.AtMost(reading.in_range(after, to, limit, backward=True), self.most)
        return iter(self._shown)

    def note_cut(self, reading: "Reading", after: int, to: int | None) -> None:
        """Note below the events that there are more, if there are."""
        if self._shown is not None and self._shown.cut:
            forms.note_cut("last", self.most, reading.count(after, to), "events")


class Request(NamedTuple):
    """The part of a stream or of the log that is asked for, and how it is printed."""

    after: int
    to: int | None
    period: Period
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
    request = _request(flags)
    with opened() as store:
        from evstore.cli.commands.readings import StreamReading

        reading = StreamReading(store, stream, flags.type, request.period, missing_ok=flags.missing_ok)
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
    if flags.all_ and category:
        raise UsageError("CATEGORY and --all exclude each other")
    if not flags.all_ and not category:
        raise UsageError("give a CATEGORY, or --all", "evstore replay --help")
    for name in category or ():
        if "-" in name:
            writer.note(f'no category has a "-" in it; did you mean "evstore read {name}"?')
    request = _request(flags)
    with opened() as store:
        from evstore.cli.commands.readings import LogReading

        categories = None if flags.all_ else category
        reading = LogReading(store, categories, flags.type, request.period, flags.correlation_id)
        (_follow if flags.follow else _show)(reading, request)


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
        period_of(flags.since, flags.until),
        limit,
        tail,
        flags.reverse,
        None if flags.within is None else times.duration("--within", flags.within),
        events.fields_of(flags.fields),
    )


def _show(reading: "Reading", request: Request) -> None:
    tail = request.tail
    if tail is None:
        found = reading.in_range(request.after, request.to, request.limit, backward=request.backward)
    elif request.backward:
        found = islice(tail.newest_first(reading, request.after, request.to), request.limit)
    else:
        found = islice(_oldest_first(reading, tail, request.after, request.to), request.limit)
    events.show(_there(found, reading), request.columns, by_stream=reading.by_stream)
    if tail is not None:
        tail.note_cut(reading, request.after, request.to)


def _oldest_first(reading: "Reading", tail: Tail, after: int, to: int | None) -> "Iterator[StoredEvent]":
    """The last events of a range, oldest first. Many or long events are read twice instead of held in memory."""
    from evstore.port import PAGE_CHARACTERS

    newest = tail.newest_first(reading, after, to)
    held: list[StoredEvent] = []
    characters = 0
    for event in newest:
        held.append(event)
        characters += len(event.data_json)
        if len(held) > MOST_HELD or characters > PAGE_CHARACTERS:
            break
    else:
        return reversed(held)
    last, first = reading.number(held[0]), reading.number(held[-1])
    for event in newest:
        first = reading.number(event)
    return reading.in_range(first - 1, last, None, backward=False)


def _tail(reading: "Reading", tail: Tail, after: int) -> "tuple[int, Iterator[StoredEvent]]":
    """The head, and the last events up to it."""
    end = reading.head()
    return end, _oldest_first(reading, tail, after, end)


def _there(found: "Iterator[StoredEvent]", reading: "Reading") -> "Iterator[StoredEvent]":
    """The events; before anything is printed an error, if there are none because nothing is there to read."""
    for first in found:
        return chain([first], found)
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
