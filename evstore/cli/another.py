"""Command lines that end with another command."""

from typing import Any, Final

import typer.core

AFTER_DASHES: Final[dict[str, list[str]]] = {}
"""The `words` after the first "--" of a command that runs another one, if there is one."""


class RunsAnother(typer.core.TyperCommand):
    """A command whose line ends with another command, which is not its own to understand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        AFTER_DASHES.clear()
        if "--" in args:
            at = args.index("--")
            AFTER_DASHES["words"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)
