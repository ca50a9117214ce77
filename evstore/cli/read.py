"""`read` and `replay`: one stream by version, the log by global position."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from evstore.cli import render
from evstore.cli.exits import UsageError
from evstore.cli.opening import opened
from evstore.cli.options import After, Db, Follow, From, Limit, Reverse, To, Types, after_of, limit_of, to_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evstore.events import StoredEvent

LAST_ON_TERMINAL = 100
LAST_BEFORE_FOLLOW = 10


class _Range(NamedTuple):
    after: int
    to: int | None
    limit: int | None
    asked: bool
    """Whether the person said how many; else a terminal shows the last ones."""
    backward: bool
    follow: bool


def read(
    context: typer.Context,
    stream: Annotated[str, typer.Argument(metavar="STREAM", show_default=False)],
    from_: From = None,
    after: After = None,
    to: To = None,
    limit: Limit = None,
    reverse: Reverse = False,
    type: Types = None,
    follow: Follow = False,
    db: Db = None,
) -> None:
    """Print one stream, by version.

    \b
    Examples:
      evstore read Order-1
      evstore read Order-1 --from 3 --to 5 | jq .data
      evstore read Order-1 --reverse -n 1
      evstore read Order-1 --follow
    """
    span = _range(from_, after, to, limit, reverse, follow)
    with opened(context, db) as store:

        def events(**bounds: Any) -> "Iterator[StoredEvent]":
            return store.read(stream, types=type, **bounds)

        def live(after: int) -> "Iterator[StoredEvent]":
            return store.subscribe(stream_id=stream, types=type, after=after)

        shown = _show(span, events, live, by_stream=True)
        if not shown and not follow:
            store.stream_info(stream)  # StreamNotFoundError, where there is no such stream


def replay(
    context: typer.Context,
    category: Annotated[list[str] | None, typer.Argument(metavar="CATEGORY...", show_default=False)] = None,
    all_: Annotated[bool, typer.Option("--all", help="The whole log.")] = False,
    from_: From = None,
    after: After = None,
    to: To = None,
    limit: Limit = None,
    reverse: Reverse = False,
    type: Types = None,
    follow: Follow = False,
    db: Db = None,
) -> None:
    """Print the log of categories, or all of it, by global position.

    \b
    Examples:
      evstore replay Order | jq .data.total
      evstore replay Order Customer -t OrderPlaced
      evstore replay --all --after 1000 -n 50
      evstore replay --all --follow
    """
    if all_ and category:
        raise UsageError("CATEGORY and --all exclude each other")
    if not all_ and not category:
        raise UsageError("say a CATEGORY, or --all", "evstore replay --help")
    for name in category or ():
        if "-" in name:
            render.note(f'no category has a "-" in it; did you mean "evstore read {name}"?')
    span = _range(from_, after, to, limit, reverse, follow)
    wanted = None if all_ else category
    with opened(context, db) as store:

        def events(**bounds: Any) -> "Iterator[StoredEvent]":
            return store.replay(wanted, types=type, **bounds)

        def live(after: int) -> "Iterator[StoredEvent]":
            return store.subscribe(wanted, types=type, after=after)

        _show(span, events, live, by_stream=False)


def _range(
    from_: int | None, after: int | None, to: int | None, limit: str | None, reverse: bool, follow: bool
) -> _Range:
    for flag, given in (("--reverse", reverse), ("--to", to is not None)):
        if follow and given:
            raise UsageError(f"--follow and {flag} exclude each other")
    asked = limit is not None or from_ is not None or after is not None or to is not None
    return _Range(after_of(from_, after), to_of(to), limit_of(limit), asked, reverse, follow)


def _show(
    span: _Range,
    events: "Callable[..., Iterator[StoredEvent]]",
    live: "Callable[[int], Iterator[StoredEvent]]",
    *,
    by_stream: bool,
) -> int:
    """Print the range and say how many events came."""
    if not render.on_terminal():
        if span.follow:
            return render.event_lines(islice(live(span.after), span.limit), live=True)
        return render.event_lines(events(after=span.after, to=span.to, limit=span.limit, backward=span.backward))
    if span.follow:
        return _follow_on_terminal(span, events, live, by_stream=by_stream)
    if span.asked:
        found = list(events(after=span.after, to=span.to, limit=span.limit, backward=span.backward))
    else:
        found = list(events(limit=LAST_ON_TERMINAL + 1, backward=True))
        if len(found) > LAST_ON_TERMINAL:
            found.pop()
            render.note(f"these are the last {LAST_ON_TERMINAL}; --limit all shows everything")
        if not span.backward:
            found.reverse()
    if found:
        render.event_table(found, by_stream=by_stream)
    return len(found)


def _follow_on_terminal(
    span: _Range,
    events: "Callable[..., Iterator[StoredEvent]]",
    live: "Callable[[int], Iterator[StoredEvent]]",
    *,
    by_stream: bool,
) -> int:
    after, shown = span.after, 0
    if not span.asked:
        history = list(events(limit=LAST_BEFORE_FOLLOW, backward=True))[::-1]
        render.event_table(history, by_stream=by_stream)
        render.flush()
        if history:
            after = history[-1].version if by_stream else history[-1].global_position
        shown = len(history)
    for event in islice(live(after), span.limit):
        render.event_table([event], by_stream=by_stream, header=shown == 0)
        render.flush()
        shown += 1
    return shown
