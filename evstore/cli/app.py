"""The Typer application."""

from typing import Annotated

import typer

from evstore.cli import admin, append, inspect, move, read, settings
from evstore.cli.exits import HELP, UsageError
from evstore.cli.options import ON_TOP, add, with_globals

app = typer.Typer(
    name="evstore",
    # Rich would cost more than an append, and wraps what scripts read.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def evstore(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Keep events: append-only streams of JSON, in a SQLite file.

    \b
    Examples:
      evstore init
      evstore append Order-1 -t OrderPlaced -d '{"total": 99.9}'
      evstore read Order-1
      evstore replay Order | jq .data.total
    """
    if version:
        from evstore import __version__  # noqa: PLC0415

        typer.echo(f"evstore {__version__}")
    elif context.invoked_subcommand is None and settings.current.errors == "json":
        raise UsageError("say a command", "evstore --help")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


app.callback(invoke_without_command=True, epilog=HELP)(with_globals(evstore, ON_TOP))

for function in (
    admin.init,
    append.append,
    read.read,
    read.replay,
    inspect.categories,
    inspect.streams,
    inspect.get,
    move.export,
    move.import_,
    admin.completion,
):
    add(app, function)
