"""The Typer application."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer
import typer.core

from evstore.cli.errors import UsageError
from evstore.cli.exits import HELP
from evstore.cli.options import ON_TOP, add, exit_with_help, with_globals
from evstore.cli.output import writer

_UTC: Final = "utc"  # for those that print or read times
_RUNS: Final = "runs another command"
COMMANDS: Final = {
    "init": ("init", "init"),
    "append": ("append", "append"),
    "read": ("read", "read", _UTC),
    "replay": ("read", "replay", _UTC),
    "categories": ("listing", "categories", _UTC),
    "tail": ("read", "tail", _UTC),
    "count": ("counting", "count", _UTC),
    "types": ("listing", "types"),
    "tags": ("listing", "tags"),
    "streams": ("listing", "streams", _UTC),
    "get": ("inspect", "get", _UTC),
    "info": ("inspect", "info", _UTC),
    "trace": ("inspect", "trace", _UTC),
    "export": ("exporting", "export", _UTC),
    "import": ("importing", "import_"),
    "backup": ("keep", "backup"),
    "verify": ("keep", "verify"),
    "migrate": ("migrating", "migrate", _UTC),
    "redact": ("redacting", "redact"),
    "subscribe": ("subscribing", "subscribe", _UTC, _RUNS),
    "consumers": ("consuming", "consumers", _UTC),
    "mirror": ("between", "mirror"),
    "diff": ("between", "diff"),
    "help": ("helping", "help_"),
    "completion": ("completion", "completion"),
}
"""The module and the function of each command."""

# As the help shows them; a command that is not here comes under "Other".
GROUPS: Final = {
    "Commands": ("init", "append", "read", "replay", "categories"),
    "Look": ("tail", "count", "types", "tags", "streams", "get", "info", "trace"),
    "Handle": ("subscribe", "consumers"),
    "Move": ("export", "import", "backup", "mirror"),
    "Keep": ("verify", "diff", "migrate", "redact"),
    "Shell": ("help", "completion"),
}


def _typer(**more: Any) -> typer.Typer:
    return typer.Typer(
        # Rich would cost more than an append, and wraps what scripts read.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
        **more,
    )


class _Loaded(Mapping[str, Any]):
    """The commands, each loaded when it is first asked for: all of them would cost twice an append."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, function, *more = COMMANDS[name]
            own = _typer()
            found = getattr(import_module(f"evstore.cli.commands.{module}"), function)
            add(own, name, found, utc=_UTC in more, runs_another=_RUNS in more)
            self._made[name] = typer.main.get_command(own)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(typer.core.TyperGroup):
    """The commands of the help by what they are for, before the options."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = _Loaded()

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
        if args[0] not in COMMANDS:
            from evstore.cli import elsewhere

            hint = elsewhere.pointer(args[0])
            if hint is not None:
                raise UsageError(f"there is no command {writer.to_json(args[0])}", hint)
        return super().resolve_command(context, args)

    def format_commands(self, context: Any, formatter: Any) -> None:
        """They are shown already."""


app = _typer(name="evstore", cls=Commands)


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
