"""The Typer application."""

from typing import Annotated, Any, Final

import typer
import typer.core

from evstore.cli import elsewhere
from evstore.cli.commands import append, completion, counting, helping, init, inspect, keep, move, read
from evstore.cli.errors import UsageError
from evstore.cli.exits import HELP
from evstore.cli.options import ON_TOP, add, exit_with_help, with_globals
from evstore.cli.output import writer

# As the help shows them; a command that is not here comes under "Other".
GROUPS: Final = {
    "Commands": ("init", "append", "read", "replay", "categories"),
    "Look": ("tail", "count", "types", "streams", "get", "info", "trace"),
    "Move": ("export", "import", "backup"),
    "Keep": ("verify",),
    "Shell": ("help", "completion"),
}


class Commands(typer.core.TyperGroup):
    """The commands of the help by what they are for, before the options."""

    def format_options(self, context: Any, formatter: Any) -> None:
        placed = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in self.commands if name not in placed)
        longest = max(map(len, self.commands))  # so that all groups stand in the same columns
        for heading, names in {**GROUPS, "Other": others}.items():
            rows = [
                (name.ljust(longest), self.commands[name].get_short_help_str(limit=200))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        super().format_options(context, formatter)

    def resolve_command(self, context: Any, args: list[str]) -> Any:
        hint = elsewhere.pointer(args[0])
        if hint is not None and self.get_command(context, args[0]) is None:
            raise UsageError(f"there is no command {writer.to_json(args[0])}", hint)
        return super().resolve_command(context, args)

    def format_commands(self, context: Any, formatter: Any) -> None:
        """They are shown already."""


app = typer.Typer(
    name="evstore",
    cls=Commands,
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
    """Store events: append-only streams of JSON, in SQLite or in PostgreSQL.

    \b
    Examples:
      evstore init
      evstore append Order-1 -t OrderPlaced -d '{"total": 99.9}'
      evstore read Order-1
      evstore replay Order | jq .data.total
      evstore --db postgresql://user@host/db init

    The store is evstore.db in this folder, or what --db or EVSTORE_DB says: a
    file, or a PostgreSQL database. Every COMMAND has a --help with examples.
    """
    if version:
        from evstore import __version__

        writer.line(f"evstore {__version__}")
    elif context.invoked_subcommand is None:
        exit_with_help(context, text=_overview(context))


def _overview(context: typer.Context) -> str:
    """The five commands, and the ways to everything else: what fits into any window."""
    commands: Any = context.command
    rows = [
        f"  {name:<12}{commands.get_command(context, name).get_short_help_str(65)}" for name in GROUPS["Commands"]
    ]
    return "\n".join(
        [
            "Usage: evstore [OPTIONS] COMMAND [ARGS]...",
            "",
            "  An event store: append-only streams of JSON events, in SQLite or PostgreSQL.",
            "",
            "Commands:",
            *rows,
            "",
            "Examples: evstore init",
            "          evstore append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'",
            "          evstore COMMAND --help   a command, with more of them",
            "          evstore --help           all commands, all options, the exit codes",
            "",
        ]
    )


app.callback(invoke_without_command=True, epilog=HELP)(with_globals(evstore, ON_TOP))

add(app, init.init)
add(app, append.append)
add(app, read.read, utc=True)
add(app, read.replay, utc=True)
add(app, inspect.categories, utc=True)
add(app, read.tail, utc=True)
add(app, counting.count, utc=True)
add(app, inspect.types)
add(app, inspect.streams, utc=True)
add(app, inspect.get, utc=True)
add(app, inspect.info, utc=True)
add(app, inspect.trace, utc=True)
add(app, move.export, utc=True)
add(app, move.import_)
add(app, keep.backup)
add(app, keep.verify)
add(app, helping.help_)
add(app, completion.completion)
