"""`completion`: the script of a shell."""

from typing import Annotated

import typer

from evstore.cli.errors import UsageError
from evstore.cli.output import writer


def completion(
    context: typer.Context,
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
    from evstore.cli.completion.scripts import SHELLS, script

    if shell not in SHELLS:
        raise UsageError(f'completion knows {", ".join(SHELLS)}, not "{shell}"')
    writer.write(script(shell, context.find_root().command))
