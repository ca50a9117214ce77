"""A real pseudo-terminal: what a person sees of a command."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from tests.support.command import Command

WIDTHS = pytest.mark.parametrize("columns", [60, 80, 140])
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def seen(command: Command, *words: str, columns: int = 80, **env: str) -> str:
    """The whole screen output of a command that ends, line breaks as \\n."""
    argv = command.argv(*words)
    child = pexpect.spawn(
        argv[0],
        argv[1:],
        cwd=str(command.folder),
        env=command.env(TERM="xterm-256color", **env),
        dimensions=(24, columns),
        encoding="utf-8",
        timeout=30,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before).replace("\r\n", "\n")


def screen(command: Command, *words: str, columns: int = 80, **env: str) -> list[str]:
    """The lines of the window, without their styles."""
    return STYLE.sub("", seen(command, *words, columns=columns, **env)).splitlines()


def cells(line: str) -> int:
    return sum(
        1 + (unicodedata.east_asian_width(each) in "WF") for each in line if not unicodedata.combining(each)
    )
