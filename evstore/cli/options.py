"""Options that several commands share, each declared once."""

from typing import Annotated, Final

import typer

from evstore.cli.exits import UsageError

DEFAULT_DB: Final = "sqlite:///evstore.db"

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        show_default=False,
        help="The store: sqlite:///rel.db, sqlite:////abs.db, a path, or memory:  "
        f"[env: EVSTORE_DB; default: {DEFAULT_DB}]",
    ),
]
From = Annotated[int | None, typer.Option("--from", metavar="N", show_default=False, help="Begin with this one.")]
After = Annotated[
    int | None, typer.Option("--after", metavar="N", show_default=False, help="Begin behind this one.")
]
To = Annotated[int | None, typer.Option("--to", metavar="N", show_default=False, help="End with this one.")]
Limit = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--limit",
        metavar="N|all",
        show_default=False,
        help="Print at most N events.  [default: all; on a terminal the last 100, with -f the last 10]",
    ),
]
Reverse = Annotated[bool, typer.Option("-r", "--reverse", help="Newest first.")]
Types = Annotated[
    list[str] | None,
    typer.Option("-t", "--type", metavar="TYPE", show_default=False, help="Only this type; repeatable."),
]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with new events as they come.")]


def limit_of(said: str | None) -> int | None:
    """What `--limit` says; None is no limit."""
    if said is None or said == "all":
        return None
    if not (said.isascii() and said.isdigit()):
        raise UsageError(f'--limit takes a number or "all", not "{said}"')
    return int(said)


def after_of(from_: int | None, after: int | None) -> int:
    """The exclusive lower bound that `--from` or `--after` means."""
    if from_ is not None and after is not None:
        raise UsageError("--from and --after exclude each other: the first is inclusive, the second exclusive")
    for flag, value in (("--from", from_), ("--after", after)):
        if value is not None and value < 0:
            raise UsageError(f"{flag} takes a number from 0, not {value}")
    if from_ is not None:
        return max(from_ - 1, 0)
    return after or 0


def to_of(to: int | None) -> int | None:
    if to is not None and to < 0:
        raise UsageError(f"--to takes a number from 0, not {to}")
    return to
