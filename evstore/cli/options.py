"""Options that several commands share, each declared once.

No `from __future__ import annotations` here and in the modules of the commands: Typer would have to compile each
annotation anew whenever the command starts.
"""

import gc
import inspect
import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.exits import HELP
from evstore.cli.output import writer


def option(*names: str, metavar: str | None = None, help: str, hidden: bool = False) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, hidden=hidden, show_default=False)


Db = Annotated[
    str | None,
    option(
        "--db",
        metavar="URL",
        help="The store: sqlite:///rel.db, sqlite:////abs.db, a path, postgresql://user@host/db, nats://host/name,"
        " mongodb://host/db, memory:, memory:FILE.ndjson, or env:NAME for the URL in a variable.  "
        f"[env: EVSTORE_DB; default: {settings.DEFAULT_DB}]",
    ),
]


def _globals(hidden: bool) -> dict[str, Any]:
    """The options of every command. A command's own help leaves all but `--db` to `evstore --help`."""
    return {
        "db": Db,
        "format": Annotated[
            str | None,
            option(
                "-F",
                "--format",
                metavar="FORM",
                help="auto, table, ndjson, json or tsv.  [env: EVSTORE_FORMAT; default: auto, which is a table on "
                "a terminal and NDJSON in a pipe]",
                hidden=hidden,
            ),
        ],
        "errors": Annotated[
            str | None,
            option(
                "--errors", metavar="FORM", help="text or json, on stderr.  [env: EVSTORE_ERRORS]", hidden=hidden
            ),
        ],
        "color": Annotated[
            str | None, option("--color", metavar="WHEN", help="auto, always or never.", hidden=hidden)
        ],
        "quiet": Annotated[bool | None, option("-q", "--quiet", help="Print no notes.", hidden=hidden)],
        "verbose": Annotated[
            bool | None, option("-v", "--verbose", help="Print the store and the time taken.", hidden=hidden)
        ],
        "timeout": Annotated[
            str | None,
            option(
                "--timeout",
                metavar="DURATION",
                help="The longest wait for a lock (30s) or a connection (5s).",
                hidden=hidden,
            ),
        ],
    }


_DIGITS: Final = 18  # more than any store holds

ON_TOP: Final = _globals(hidden=False)
ON_COMMANDS: Final = _globals(hidden=True)


def with_globals(function: Callable[..., None], declared: dict[str, Any]) -> Callable[..., None]:
    """The command as Typer sees it: its own options, and the declared ones after them.

    The values of the declared options are in `settings.current` when the command runs. A parameter `flags` is a
    NamedTuple whose fields are options.
    """
    own = {**inspect.signature(function).parameters}
    flags: Any = own.pop("flags").annotation if "flags" in own else None
    fields = {} if flags is None else inspect.get_annotations(flags)
    defaults = {} if flags is None else flags._field_defaults

    @wraps(function)
    def command(*args: Any, **given: Any) -> None:
        values = {name: given.pop(name) for name in declared}
        if values["timeout"] is not None:
            from evstore.cli.input import times

            values["timeout"] = times.duration("--timeout", values["timeout"])
        settings.current.take({name: None if value is False else value for name, value in values.items()})
        if declared is not ON_TOP:  # the command's work begins, and what was loaded until now stays
            gc.freeze()
            gc.enable()
        if flags is not None:
            given["flags"] = flags(**{name: given.pop(name) for name in fields})
        function(*args, **given)

    added = {**fields, **declared}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=annotation)
        for name, annotation in added.items()
    ]
    command.__signature__ = inspect.Signature([*own.values(), *parameters])  # type: ignore[attr-defined]
    command.__annotations__ = {**{name: each.annotation for name, each in own.items()}, **added}
    return command


def add(
    app: typer.Typer, name: str, function: Callable[..., None], *, utc: bool = False, runs_another: bool = False
) -> None:
    """Add a command; `utc` is for those that print or read times."""
    help_below = f"{HELP}\n\nOptions of every command: evstore --help"
    declared = {"utc": Utc, **ON_COMMANDS} if utc else ON_COMMANDS
    own: dict[str, Any] = {}
    if runs_another:
        from evstore.cli.another import RunsAnother

        own["cls"] = RunsAnother
    app.command(name, epilog=help_below, **own)(with_globals(function, declared))


def exit_with_help(context: typer.Context, fault: str | None = None, text: str | None = None) -> NoReturn:
    """End a command that has nothing to do: its help (or `text`) on stderr, and the fault below it."""
    if settings.current.errors == "json":
        raise UsageError(fault or "a command or its input is missing", f"{context.command_path} --help")
    writer.err_text(text or f"{context.get_help()}\n")
    if fault is not None:
        raise UsageError(fault)
    raise typer.Exit(2)


From = Annotated[int | None, option("--from", metavar="N", help="Begin with number N, inclusive.")]
After = Annotated[int | None, option("--after", metavar="N", help="Begin after number N.")]
To = Annotated[int | None, option("--to", metavar="N", help="End with number N, inclusive.")]
Limit = Annotated[
    str | None,
    option(
        "-n",
        "--limit",
        metavar="N|all",
        help="Print at most N events.  [default: all; on a terminal the last 100, with -f the last 10]",
    ),
]
Last = Annotated[int | None, option("--last", metavar="N", help="The newest N, oldest first.")]
Reverse = Annotated[bool, typer.Option("-r", "--reverse", help="Newest first.")]
Types = Annotated[list[str] | None, option("-t", "--type", metavar="TYPE", help="Only this type; repeatable.")]
Tags = Annotated[
    list[str] | None, option("--tag", metavar="TAG", help="Only events with this tag; repeatable, ANDed.")
]
Match = Annotated[
    list[str] | None,
    option(
        "--match",
        metavar="QUERY",
        help="Only events that match, as 'type=A,B tag=x tag=y' (one of the types, all of the tags); repeatable, "
        "ORed.",
    ),
]
Since = Annotated[
    str | None,
    option(
        "--since",
        metavar="TIME",
        help="Only events stored at TIME or later: 2026-11-23T14:30:00Z; in local time, as tables print it, "
        "'2026-11-23 14:30', 2026-11-23, 14:30, today, yesterday; an age: 2h, 7d.",
    ),
]
Until = Annotated[str | None, option("--until", metavar="TIME", help="Only events stored before TIME.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Keep printing new events as they come.")]
Within = Annotated[
    str | None,
    option("--within", metavar="DURATION", help="With -f -n N: exit with 124 unless N events come in time."),
]
Fields = Annotated[
    str | None,
    option(
        "--fields",
        metavar="LIST",
        help="Print only these fields: id,type,data.orderId,metadata.custom.k,category …",
    ),
]
MissingOk = Annotated[bool, typer.Option("--missing-ok", help="Exit with 0 if it is missing.")]
Utc = Annotated[bool | None, option("--utc", help="Print and read times without a zone in UTC.")]
CorrelationId = Annotated[
    str | None, option("--correlation-id", metavar="TEXT", help="Only events with this correlation id.")
]
UserId = Annotated[str | None, option("--user-id", metavar="TEXT", help="Only events with this user id.")]
TenantId = Annotated[str | None, option("--tenant-id", metavar="TEXT", help="Only events with this tenant id.")]
Meta = Annotated[
    list[str] | None,
    option("-m", "--meta", metavar="KEY=VALUE", help='Only events with this in "custom"; repeatable, ANDed.'),
]
Names = Annotated[bool, typer.Option("--names", help="Print names alone, one a line.")]
Prefix = Annotated[str | None, option("--prefix", metavar="P", help="Only names that begin with P.")]


def limit_of(flag: str | None) -> int | None:
    """The number of `--limit`; None is no limit."""
    if flag is None or flag == "all":
        return None
    if not (flag.isascii() and flag.isdigit()):
        raise UsageError(f'--limit takes a number or "all", not "{flag}"')
    return int(flag) if len(flag) <= _DIGITS else sys.maxsize


class Period(NamedTuple):
    """From `since` on and before `until`; None is no bound."""

    since: datetime | None
    until: datetime | None


def period_of(since: str | None, until: str | None) -> Period:
    """The time that `--since` and `--until` bound."""
    from evstore.cli.input import times

    return Period(
        None if since is None else times.moment("--since", since),
        None if until is None else times.moment("--until", until),
    )


def pairs_of(flags: list[str] | None) -> list[tuple[str, str]]:
    """The keys and values that `--meta` gives. Raises UsageError."""
    found = []
    for pair in flags or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'--meta takes KEY=VALUE, not "{pair}"')
        found.append((key, value))
    return found


def queries_of(flags: list[str] | None) -> Any:
    """The queries that `--match` gives; None if there are none. Raises UsageError."""
    if not flags:
        return None
    from evstore.cli.input.conditions import query_of

    return [query_of("--match", text) for text in flags]


def types_of(filters: dict[str, Any]) -> list[str]:
    """The event types that these filters name."""
    items = [item for query in filters["query"] or () for item in query.items]
    return [*(filters["types"] or ()), *(name for item in items for name in item.types)]


def filters_of(flags: Any) -> dict[str, Any]:
    """The filters of a log, as the store takes them."""
    return {
        "types": flags.type,
        "correlation_id": flags.correlation_id,
        "user_id": flags.user_id,
        "tenant_id": flags.tenant_id,
        "custom": pairs_of(flags.meta) or None,
        "tags": flags.tag,
        "query": queries_of(flags.match),
        **period_of(flags.since, flags.until)._asdict(),
    }


def after_of(from_: int | None, after: int | None) -> int:
    """The exclusive lower bound that `--from` or `--after` means."""
    if from_ is not None and after is not None:
        raise UsageError("--from and --after exclude each other: the first is inclusive, the second exclusive")
    not_negative("--from", from_)
    not_negative("--after", after)
    if from_ is not None:
        return max(from_ - 1, 0)
    return after or 0


def not_negative(flag: str, value: int | None) -> int | None:
    if value is not None and value < 0:
        raise UsageError(f"{flag} takes a number from 0, not {value}")
    return value
