"""Options that several commands share, each declared once.

No `from __future__ import annotations` here and in the modules of the commands: Typer would have to compile each
annotation anew whenever the command starts.
"""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final

import typer

from evstore.cli import settings
from evstore.cli.errors import UsageError
from evstore.cli.exits import HELP
from evstore.cli.input import times


def _option(*names: str, metavar: str | None = None, help: str, hidden: bool = False) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, hidden=hidden, show_default=False)


Db = Annotated[
    str | None,
    _option(
        "--db",
        metavar="URL",
        help="The store: sqlite:///rel.db, sqlite:////abs.db, a path, postgresql://user@host/db, memory:, "
        "memory:FILE.ndjson, or env:NAME for the URL in a variable.  "
        f"[env: EVSTORE_DB; default: {settings.DEFAULT_DB}]",
    ),
]


def _globals(hidden: bool) -> dict[str, Any]:
    """The options of every command. A command's own help leaves all but `--db` to `evstore --help`."""
    return {
        "db": Db,
        "format": Annotated[
            str | None,
            _option(
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
            _option(
                "--errors", metavar="FORM", help="text or json, on stderr.  [env: EVSTORE_ERRORS]", hidden=hidden
            ),
        ],
        "color": Annotated[
            str | None, _option("--color", metavar="WHEN", help="auto, always or never.", hidden=hidden)
        ],
        "quiet": Annotated[bool | None, _option("-q", "--quiet", help="No notes.", hidden=hidden)],
        "verbose": Annotated[
            bool | None, _option("-v", "--verbose", help="Say which store, and how long it took.", hidden=hidden)
        ],
        "timeout": Annotated[
            str | None,
            _option(
                "--timeout",
                metavar="DURATION",
                help="Wait so long for a lock (30s) or a connection (5s).",
                hidden=hidden,
            ),
        ],
    }


_DIGITS: Final = 18  # more than any store holds

ON_TOP: Final = _globals(hidden=False)
ON_COMMANDS: Final = _globals(hidden=True)


def with_globals(function: Callable[..., None], declared: dict[str, Any]) -> Callable[..., None]:
    """The command with the global options behind its own; what they say is in `settings.current` when it runs."""

    @wraps(function)
    def command(*args: Any, **given: Any) -> None:
        said = {name: given.pop(name) for name in declared}
        if said["timeout"] is not None:
            said["timeout"] = times.duration("--timeout", said["timeout"])
        settings.current.take({name: None if value is False else value for name, value in said.items()})
        function(*args, **given)

    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in declared.items()
    ]
    signature = inspect.signature(function)
    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *more])  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, **declared}
    return command


def add(app: typer.Typer, function: Callable[..., None]) -> None:
    """Add a command under the name of its function."""
    help_below = f"{HELP}\n\nOptions of every command: evstore --help"
    name = function.__name__.removesuffix("_")  # `import` is a word of Python's own
    app.command(name, epilog=help_below)(with_globals(function, ON_COMMANDS))


From = Annotated[int | None, _option("--from", metavar="N", help="Begin with this one.")]
After = Annotated[int | None, _option("--after", metavar="N", help="Begin behind this one.")]
To = Annotated[int | None, _option("--to", metavar="N", help="End with this one.")]
Limit = Annotated[
    str | None,
    _option(
        "-n",
        "--limit",
        metavar="N|all",
        help="Print at most N events.  [default: all; on a terminal the last 100, with -f the last 10]",
    ),
]
Last = Annotated[int | None, _option("--last", metavar="N", help="The newest N, oldest first.")]
Reverse = Annotated[bool, typer.Option("-r", "--reverse", help="Newest first.")]
Types = Annotated[list[str] | None, _option("-t", "--type", metavar="TYPE", help="Only this type; repeatable.")]
Since = Annotated[
    str | None,
    _option("--since", metavar="TIME", help="Stored then or later: 2026-11-23T14:30:00Z, 2026-11-23, 2h, 7d."),
]
Until = Annotated[str | None, _option("--until", metavar="TIME", help="Stored before.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with new events as they come.")]
Within = Annotated[
    str | None,
    _option("--within", metavar="DURATION", help="With -f -n N: exit 124 if N have not come by then."),
]
Fields = Annotated[
    str | None,
    _option("--fields", metavar="LIST", help="Only these: id,type,data.orderId,metadata.custom.k,category …"),
]
MissingOk = Annotated[bool, typer.Option("--missing-ok", help="What is missing is no failure.")]
Utc = Annotated[bool, typer.Option("--utc", help="Times on a terminal in UTC.")]
Names = Annotated[bool, typer.Option("--names", help="Names alone, one a line.")]
Prefix = Annotated[str | None, _option("--prefix", metavar="P", help="Only names that begin with P.")]


def limit_of(said: str | None) -> int | None:
    """What `--limit` says; None is no limit."""
    if said is None or said == "all":
        return None
    if not (said.isascii() and said.isdigit()):
        raise UsageError(f'--limit takes a number or "all", not "{said}"')
    return int(said) if len(said) <= _DIGITS else sys.maxsize


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
