"""`read` and `replay`: one stream by version, the log by global position."""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.errors import TimedOut, UsageError
from evstore.cli.input import times
from evstore.cli.opening import opened
from evstore.cli.options import (
    After,
    Fields,
    Follow,
    From,
    Last,
    Limit,
    MissingOk,
    Reverse,
    Since,
    To,
    Types,
    Until,
    Utc,
    Within,
    after_of,
    limit_of,
    not_negative,
)
from evstore.cli.output import events, writer

if TYPE_CHECKING:
    from evstore import EventStore, StoredEvent

LAST_ON_TERMINAL = 100
LAST_BEFORE_FOLLOW = 10


class _Wanted(NamedTuple):
    """What `read` and `replay` have in common."""

    bounds: dict[str, Any]
    filters: dict[str, Any]
    limit: int | None
    last: int | None
    backward: bool
    follow: bool
    within: float | None
    columns: list[str] | None


def read(
    stream: Annotated[str, typer.Argument(metavar="STREAM", show_default=False)],
    from_: From = None,
    after: After = None,
    to: To = None,
    limit: Limit = None,
    last: Last = None,
    reverse: Reverse = False,
    type: Types = None,
    since: Since = None,
    until: Until = None,
    follow: Follow = False,
    within: Within = None,
    missing_ok: MissingOk = False,
    fields: Fields = None,
    utc: Utc = False,
) -> None:
    """Print one stream, by version.

    \b
    Examples:
      evstore read Order-1
      evstore read Order-1 --from 3 --to 5 | jq .data
      evstore read Order-1 --last 1
      evstore read Order-1 --follow
    """
    wanted = _wanted(locals())
    with opened() as store:

        def ranged(**more: Any) -> "Iterator[StoredEvent]":
            return store.read(stream, **wanted.filters, **more)

        def live(after: int, deadline: float | None) -> "Iterator[StoredEvent]":
            asked = {key: value for key, value in wanted.filters.items() if key != "until"}
            return store.subscribe(stream_id=stream, after=after, deadline=deadline, **asked)

        def missing() -> None:
            if not missing_ok:
                _check_there(store, stream)

        _show(wanted, ranged, live, lambda: _version(store, stream), missing, by_stream=True)


def replay(
    category: Annotated[
        list[str] | None,
        typer.Argument(metavar="CATEGORY...", show_default=False, help="What stands before the first hyphen."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="The whole log.")] = False,
    from_: From = None,
    after: After = None,
    to: To = None,
    limit: Limit = None,
    last: Last = None,
    reverse: Reverse = False,
    type: Types = None,
    correlation_id: Annotated[
        str | None,
        typer.Option("--correlation-id", metavar="TEXT", show_default=False, help="Only what belongs together."),
    ] = None,
    since: Since = None,
    until: Until = None,
    follow: Follow = False,
    within: Within = None,
    fields: Fields = None,
    utc: Utc = False,
) -> None:
    """Print the log of categories, or all of it, by global position.

    \b
    Examples:
      evstore replay Order | jq .data.total
      evstore replay Order Customer -t OrderPlaced
      evstore replay --all --since 2h --fields globalPosition,type -F tsv
      evstore replay --all --last 0 -f -n 1 --within 30s
    """
    if all_ and category:
        raise UsageError("CATEGORY and --all exclude each other")
    if not all_ and not category:
        raise UsageError("say a CATEGORY, or --all", "evstore replay --help")
    for name in category or ():
        if "-" in name:
            writer.note(f'no category has a "-" in it; did you mean "evstore read {name}"?')
    wanted = _wanted(locals())
    names = None if all_ else category
    with opened() as store:

        def ranged(**more: Any) -> "Iterator[StoredEvent]":
            return store.replay(names, correlation_id=correlation_id, **wanted.filters, **more)

        def live(after: int, deadline: float | None) -> "Iterator[StoredEvent]":
            asked = {key: value for key, value in wanted.filters.items() if key != "until"}
            return store.subscribe(names, correlation_id=correlation_id, after=after, deadline=deadline, **asked)

        _show(wanted, ranged, live, store.head, lambda: None, by_stream=False)


def _wanted(flags: dict[str, Any]) -> _Wanted:
    """What the flags of a command say together, else UsageError."""
    follow, reverse, limit = flags["follow"], flags["reverse"], limit_of(flags["limit"])
    last = not_negative("--last", flags["last"])
    last = None if last is None else min(last, sys.maxsize)
    for flag, given in (
        ("--reverse", reverse),
        ("--to", flags["to"] is not None),
        ("--until", flags["until"] is not None),
    ):
        if follow and given:
            raise UsageError(f"--follow and {flag} exclude each other")
    if follow and settings.current.format == "json":
        raise UsageError("--follow and --format json exclude each other: an array has an end")
    if last is not None and reverse:
        raise UsageError("--last and --reverse exclude each other; say --reverse --limit N")
    if flags["within"] is not None and (not follow or limit is None):
        raise UsageError("--within goes with --follow and --limit N")
    bounds = {"after": after_of(flags["from_"], flags["after"]), "to": not_negative("--to", flags["to"])}
    if settings.on_terminal() and last is None and flags["limit"] is None:
        last = -(LAST_BEFORE_FOLLOW if follow else LAST_ON_TERMINAL)
    settings.current.utc = flags["utc"]
    return _Wanted(
        bounds,
        {
            "types": flags["type"],
            "since": None if flags["since"] is None else times.moment("--since", flags["since"]),
            "until": None if flags["until"] is None else times.moment("--until", flags["until"]),
        },
        limit,
        last,
        reverse,
        follow,
        None if flags["within"] is None else times.duration("--within", flags["within"]),
        events.fields_of(flags["fields"]),
    )


def _show(
    wanted: _Wanted,
    ranged: "Callable[..., Iterator[StoredEvent]]",
    live: "Callable[[int, float | None], Iterator[StoredEvent]]",
    head: Callable[[], int],
    missing: Callable[[], None],
    *,
    by_stream: bool,
) -> None:
    """Print what is wanted; `missing` is asked before anything is printed where there is nothing to print."""
    if wanted.follow:
        _follow(wanted, ranged, live, head, by_stream=by_stream)
        return
    if wanted.last is None:
        found = ranged(**wanted.bounds, limit=wanted.limit, backward=wanted.backward)
        events.show(_or(found, missing), wanted.columns, by_stream=by_stream)
        return
    if wanted.last >= 0:
        found = islice(_newest(ranged, wanted.last, **wanted.bounds)[::-1], wanted.limit)
        events.show(_or(found, missing), wanted.columns, by_stream=by_stream)
        return
    newest = _newest(ranged, wanted.last, **wanted.bounds)
    found = iter(newest if wanted.backward else newest[::-1])
    events.show(_or(found, missing), wanted.columns, by_stream=by_stream)


def _newest(ranged: "Callable[..., Iterator[StoredEvent]]", last: int, **bounds: Any) -> "list[StoredEvent]":
    """The last events of a range, newest first. A negative number is a terminal's own limit: one more is asked
    for, to know whether there is more."""
    if last >= 0:
        return list(ranged(**bounds, limit=last, backward=True)) if last else []
    newest = list(ranged(**bounds, limit=1 - last, backward=True))
    if len(newest) > -last:
        newest.pop()
        writer.note(f"these are the last {-last}; --limit all shows everything")
    return newest


def _or(found: "Iterator[StoredEvent]", missing: Callable[[], None]) -> "Iterator[StoredEvent]":
    for first in found:
        return chain([first], found)
    missing()
    return iter(())


def _follow(
    wanted: _Wanted,
    ranged: "Callable[..., Iterator[StoredEvent]]",
    live: "Callable[[int, float | None], Iterator[StoredEvent]]",
    head: Callable[[], int],
    *,
    by_stream: bool,
) -> None:
    deadline = None if wanted.within is None else time.monotonic() + wanted.within
    after, shown = wanted.bounds["after"], 0
    if wanted.last is not None:
        # Up to a head that is fixed first, so that what comes meanwhile is live and not history.
        end = head()
        history = islice(_newest(ranged, wanted.last, after=after, to=end)[::-1], wanted.limit)
        shown = events.show(history, wanted.columns, by_stream=by_stream, live=True)
        after = max(after, end)
    left = None if wanted.limit is None else wanted.limit - shown
    coming = islice(live(after, deadline), left) if left != 0 else iter(())
    shown += events.show(coming, wanted.columns, by_stream=by_stream, live=True, header=shown == 0)
    if wanted.within is not None and wanted.limit is not None and shown < wanted.limit:
        raise TimedOut(f"{shown} of {wanted.limit} events came in time")


def _version(store: "EventStore", stream: str) -> int:
    from evstore.errors import StreamNotFoundError

    try:
        return store.stream_info(stream).version
    except StreamNotFoundError:
        return 0


def _check_there(store: "EventStore", stream: str) -> None:
    """StreamNotFoundError where there is no such stream, with the name that was probably meant."""
    from evstore.cli.suggestions import known

    known(store, stream)
