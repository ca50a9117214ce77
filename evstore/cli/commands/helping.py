"""`help`: a command's help, or a page of the guide."""

from typing import Annotated, Any

import typer

from evstore.cli import elsewhere, settings
from evstore.cli.errors import UsageError
from evstore.cli.output import writer

TOPICS = (
    "scripts",
    "handling",
    "python",
    "application",
    "projections",
    "engines",
    "sqlite",
    "postgresql",
    "operations",
    "guarantees",
    "security",
    "coming-from-elsewhere",
)
"""The pages of the guide for people who use evstore."""
_PAGES = {"handling": "consumers"}
"""The pages whose own name is that of a command."""


def help_(
    context: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC|COMMAND]", show_default=False, help=f"A command, or one of {', '.join(TOPICS)}."
        ),
    ] = None,
) -> None:
    """Print the help of a command, or a page of the guide.

    \b
    Examples:
      evstore help append
      evstore help scripts
      evstore help operations | less
    """
    root = context.find_root()
    if topic is None:
        writer.write(f"{root.get_help()}\n\n  Pages of the guide: evstore help {' | '.join(TOPICS)}\n")
        return
    group: Any = root.command
    command = group.get_command(root, topic)
    if command is not None:
        with typer.Context(command, info_name=topic, parent=root) as own:
            writer.write(f"{command.get_help(own)}\n")
    elif topic in TOPICS:
        _print_page(topic)
    else:
        raise UsageError(
            f"there is no help on {writer.to_json(topic)}", elsewhere.pointer(topic) or _near(topic, group)
        )


def _near(topic: str, group: Any) -> str:
    from evstore.did_you_mean import nearest

    meant = nearest(topic, (*group.commands, *TOPICS))
    return f'did you mean "evstore help {meant}"?' if meant else "evstore help"


def _print_page(topic: str) -> None:
    from pkgutil import get_data

    page = get_data("evstore", f"guide/{_PAGES.get(topic, topic)}.md")
    assert page is not None
    text = page.decode()
    if settings.on_terminal():
        from evstore.cli.output import screen, tables

        text = tables.rendered(text, min(screen.width(), 100))
    writer.write(text)
