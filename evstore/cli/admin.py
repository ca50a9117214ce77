"""Commands that make and keep a store."""

from typing import Annotated

import typer

from evstore.cli import render, settings
from evstore.cli.exits import UsageError
from evstore.cli.opening import opened


def init() -> None:
    """Make the store, if it is not there yet.

    \b
    Examples:
      evstore init
      evstore init --db sqlite:////var/lib/shop/events.db
    """
    with opened() as store:
        store.initialize()
        info = store.info()
    if settings.as_table():
        render.line(f"event store at {info.place}, {info.head} events")
        if info.head == 0:
            render.note(settings.again("append Order-1 -t OrderPlaced -d '{\"total\": 99.9}'"), "next")
        return
    from evstore.cli import facts  # noqa: PLC0415 - as all that most commands do without

    render.one(facts.of_store(info))


def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", show_default=False, help="Your shell.")],
) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      evstore completion bash > ~/.local/share/bash-completion/completions/evstore
      evstore completion zsh > "${fpath[1]}/_evstore"
      evstore completion fish > ~/.config/fish/completions/evstore.fish

    No file of yours is changed.
    """
    from evstore.cli.completion import SHELLS, script  # noqa: PLC0415

    if shell not in SHELLS:
        raise UsageError(f'completion knows {", ".join(SHELLS)}, not "{shell}"')
    render.write(script(shell))
